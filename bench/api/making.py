"""`bench.run`: fits as `bench run` makes them, from a script, a notebook or a thread."""

from __future__ import annotations

import inspect
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from bench import options, pipeline, plan
from bench.api.results import Run
from bench.catalog import backends as backends_
from bench.errors import UsageError
from bench.measure import interrupts
from bench.measure.watchers import Lines
from bench.types import Device, DType, Track

Selectors = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
WORDS = ("suite", "budget", "track", "device", "dtype", "memory", "name")
UNSAID = ("results", "progress")
"""Arguments that change nothing of what is fitted; the manifest's command leaves them out."""
_at_work = threading.Lock()


def run(
    scenarios: Selectors = (),
    backends: str | Sequence[str] = (),
    *,
    suite: str | None = None,
    budget: str | None = None,
    reps: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
    track: Track = "matched",
    device: Device | Literal["auto"] | None = None,
    dtype: DType | None = None,
    threads: int | None = None,
    timeout: float | None = None,
    memory: str | None = None,
    max_disturbance: float | None = None,
    until: float | None = None,
    until_limit: float | None = None,
    fresh: bool = False,
    results: str | os.PathLike[str] = "results",
    name: str | None = None,
    progress: Callable[[str], object] | None = None,
) -> Run:
    """Fit every scenario × backend, score the fits, write tables and a report: `bench run`, with the same options.

    Args:
        scenarios: names, globs, or paths of TOML files (what ends in `.toml`), each with values in brackets if need be:
            `"s0-*"`, `"mine.toml[noise=0.1]"`, `"correlated-rho95[n_obs=[100,1000]]"` (a list sweeps). By default those
            of the suite.
        backends: names or globs with options: `"torch.adam[lr=0.05]"`. By default those of the suite.
        suite: a named list of scenario × backend; `quick` where neither it nor both of the others are given.
        budget: `quick`, `standard` or `thorough`; by default the suite's, or `quick`.
        reps: fits per child process, of which the first is cold; by default the budget's.
        rounds: child processes per cell, in interleaved order; by default the budget's.
        seed: the root of every seed.
        track: `matched` (the same settings for all) or `defaults` (as each framework ships).
        device: `cpu`, `cuda` or `auto`; by default the suite's, or `cpu`.
        dtype: `float64` or `float32`; by default float64, on the track `defaults` the framework's own.
        threads: CPUs per child; by default all that this process may use.
        timeout: seconds per child; by default the budget's.
        memory: resident memory per child, such as `"4G"`.
        max_disturbance: make a child again, twice at most, while others have a larger share of its CPUs' time.
        until: run each fit until every b² is below this, instead of so many draws; an optimiser and VI stop there.
        until_limit: seconds of a fit with `until`; by default the budget's timeout over its fits.
        fresh: every child an interpreter of its own, not forked where its framework is imported already.
        results: the folder of the runs.
        name: of this run; by default its date and time.
        progress: is given a line for each density that is verified and each child that has ended, such as `print`.

    Returns:
        The run. A fit that failed, or a package that is not installed, is a row of `fits` with its reason, no error.

    Raises:
        UsageError: for an argument that cannot be, with what is allowed, or while this process makes another run.
        StorageError: where nothing more can be written; the fits that had finished are kept.
        KeyboardInterrupt: after Ctrl-C, once the cell at work has ended and tables and a report of what there is are
            written; a second one leaves at once. The message says how the run goes on.

    Children do the fits, so that a running event loop does not matter. Ctrl-C reaches a run in the main thread only.
    """
    given = {k: v for k, v in locals().items() if v != inspect.signature(run).parameters[k].default}
    if wrong := [k for k in WORDS if k in given and not isinstance(given[k], str)]:
        raise UsageError(f"{wrong[0]}={given[wrong[0]]!r} is not allowed; a text")
    given |= {k: _texts(given[k]) for k in ("scenarios", "backends") if k in given}
    chosen = {k.removesuffix("s") if k in ("scenarios", "backends") else k: v for k, v in given.items()}
    chosen.pop("progress", None)
    backends_.forget()  # a session may have edited their files since its last run
    place = Path(chosen.get("results", results))
    limits = options.limits(chosen)
    planned = plan.make(options.choice(chosen))
    for scenario, why in planned.broken.items():
        warnings.warn(f"scenario {scenario} is broken and left out: {why}", stacklevel=2)
    if not _at_work.acquire(blocking=False):
        raise UsageError("this process makes a run already; measured side by side, the seconds of neither were right")
    try:
        jobs, say = list(planned.jobs()), progress or (lambda line: None)
        with interrupts.heeded(), pipeline.begun(place, name, planned, chosen, _call(given)) as (folder, manifest):
            finished = pipeline.fit(folder, planned, jobs, limits, manifest, Lines(say, jobs))
            if not interrupts.urgent():
                say("scoring")
                pipeline.score(folder, lambda text: interrupts.check())
    finally:
        _at_work.release()
    if not finished:
        raise KeyboardInterrupt(f"{folder.path} was interrupted; what is missing is made by: {folder.resume_command()}")
    return Run(folder)


def _texts(value: Selectors) -> list[str]:
    """One or several selectors as a list of texts; UsageError for what is neither text nor path."""
    listed = [value] if isinstance(value, str | os.PathLike) else list(value)
    if wrong := [one for one in listed if not isinstance(one, str | os.PathLike)]:
        raise UsageError(f"{wrong[0]!r} is not allowed; a name, a glob or a path, or a list of them")
    return [os.fspath(one) for one in listed]


def _call(given: Mapping[str, Any]) -> str:
    """The call, as it can be typed again."""
    return f"bench.run({', '.join(f'{k}={v!r}' for k, v in given.items() if k not in UNSAID)})"
