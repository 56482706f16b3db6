"""The columns of the three tidy tables: name, type and what each holds. Imports the standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Type = Literal["string", "Int64", "float64", "boolean"]


class Column(NamedTuple):
    """A column; `type` is its dtype in pandas, of which `Int64` and `boolean` may be empty."""

    type: Type
    meaning: str


RUN = Column("string", "name of the run")
CELL = Column("string", "id of the cell: a hash of all that the user named of scenario, backend and conditions")
SCENARIO = Column("string", "scenario, with what was changed of it in brackets")
BACKEND = Column("string", "backend, without its options")

FITS: Mapping[str, Column] = {
    "run": RUN,
    "cell": CELL,
    "scenario": SCENARIO,
    "family": Column("string", "family of the scenario"),
    "backend": BACKEND,
    "kind": Column("string", "point, vi, mcmc or exact: what the backend gives"),
    "options": Column("string", "options of the backend that the user named, as they are written in brackets"),
    "track": Column("string", "matched (the same settings for all) or defaults (as each framework ships)"),
    "budget": Column("string", "quick, standard or thorough"),
    "device": Column("string", "cpu or cuda"),
    "dtype": Column("string", "float64 or float32"),
    "chains": Column("Int64", "Markov chains; empty of other kinds"),
    "rep": Column("Int64", "number of the fit within its cell: round · reps + place in its child"),
    "round": Column("Int64", "round it was made in; a round is one child process per cell"),
    "position": Column("Int64", "place of its child in the random order of the round"),
    "cold": Column("boolean", "whether it was the first of its child, with import, build and compile"),
    "split": Column("string", "whether seconds of warmup and sample were measured, or prorated by gradients"),
    "data_seed": Column("Int64", "seed of the data; empty where the data are fixed"),
    "fit_seed": Column("Int64", "seed of the fit"),
    "status": Column(
        "string",
        "ok, unavailable, unsupported, failed, crashed, timeout, memory, invalid (wrong target or unusable draws) or "
        "interrupted",
    ),
    "reason": Column("string", "why it is not ok, in one sentence"),
    "seconds_import": Column("float64", "import of the framework; of the first fit of a child only"),
    "seconds_build": Column("float64", "what is made before the data are seen"),
    "seconds_compile": Column("float64", "compilation, as the framework reports it"),
    "seconds_warmup": Column("float64", "adaptation before the first draw; of Markov chains only"),
    "seconds_sample": Column("float64", "draws, or the iterations of optimisers and variational inference"),
    "seconds_transfer": Column("float64", "data to the device, draws from it"),
    "seconds_total": Column("float64", "build, compile, warmup, sample and transfer of a fit that is ok; not import"),
    "gradients": Column("float64", "gradients of the full data, in all"),
    "gradients_warmup": Column("float64", "those of them before the first kept draw"),
    "peak_rss_bytes": Column("Int64", "most resident memory of the child during the fit"),
    "peak_device_bytes": Column("Int64", "most memory of the device"),
    "threads": Column("Int64", "threads that the child was given, and found to have where libraries say"),
    "load_average": Column("float64", "load of the machine over the last minute, when the fit began"),
    "measured_at": Column("string", "when it ended, UTC"),
    "data_digest": Column("string", "digest of the data set; the same of all backends of a rep"),
    "scenario_digest": Column("string", "digest of the scenario's file, its data and its family's code"),
    "backend_digest": Column("string", "digest of the backend's files"),
    "exit_code": Column("Int64", "how the child ended, where it died"),
    "seconds_until_end": Column("float64", "from the start of its child to its end, everything in between included"),
    "notes": Column("string", "what the backend or the harness has to say of it"),
    "explicit": Column("boolean", "whether the user named scenario and backend, not by a glob or a suite"),
    "log_tail": Column("string", "last lines of what the child wrote, where the fit is not ok"),
    "os_threads": Column("Int64", "threads of the child, as the operating system counts them after the fit"),
    "disturbance": Column("float64", "share of its CPUs' time that other processes had meanwhile"),
    "reference_seconds": Column(
        "float64", "seconds of a fixed piece of work, the longer of before and after the child"
    ),
    "started": Column("string", "forked where its framework is imported already, or fresh"),
    "attempt": Column("Int64", "how often its child was made until it was quiet, from 1"),
    "environment": Column("string", "environment of its own that it was fitted in; empty for the harness's"),
    "host": Column("string", "machine of the slot that it was fitted in, a hash of its name; empty without slots"),
    "slot": Column("Int64", "number of that slot; empty without slots"),
}
METRICS: Mapping[str, Column] = {
    "run": RUN,
    "cell": CELL,
    "scenario": SCENARIO,
    "backend": BACKEND,
    "rep": Column("Int64", "fit within its cell; empty of a metric over all reps"),
    "metric": Column("string", "name of the metric"),
    "part": Column("string", "what it is of: a scalar such as weights[0], or empty for the whole fit"),
    "value": Column("float64", "its value, never rounded; what does not apply has no row"),
}
CURVES: Mapping[str, Column] = {
    "run": RUN,
    "cell": CELL,
    "scenario": SCENARIO,
    "backend": BACKEND,
    "rep": Column("Int64", "fit within its cell"),
    "step": Column("Int64", "step of the optimiser, or draws so far"),
    "seconds": Column("float64", "seconds since the start of warmup"),
    "seconds_cold": Column("float64", "the same with build and compile"),
    "gradients": Column("float64", "gradients so far"),
    "metric": Column("string", "name of the metric"),
    "value": Column("float64", "its value there"),
}
TABLES: Mapping[str, Mapping[str, Column]] = {"fits": FITS, "metrics": METRICS, "curves": CURVES}
"""Each table with its columns in order. Columns are added, never removed."""
