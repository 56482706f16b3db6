"""What run.json says of a run, as a type: who made it, on which machine, with which versions, and what was planned.

Keys that a run of another version has besides are kept as they are, and written again with the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, convert, field, to_builtins

from bench.errors import UsageError
from bench.store.files import content
from bench.types import bracketed
from bench.words.reading import as_type, json_value

SCHEMA = 1
MOST = 10**6
"""Reps or rounds."""
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What fits into a column of a table."""
REQUIRED = ("cells", "scenarios", "seed")


class Part(Struct, kw_only=True, dict=True):
    """A part of a manifest; what it has besides the fields that this version knows is in its `__dict__`."""


class Host(Part, kw_only=True, omit_defaults=True):
    """The machine; what a run did not record is None or empty, and `Host()` no machine at all.

    `memory_bandwidth` is in bytes per second, of as many threads as a fit has.
    """

    machine: str = ""
    cpu: str = ""
    cores: Int64 | None = None
    logical_cpus: Int64 | None = None
    usable_cpus: Int64 | None = None
    memory_bytes: Int64 | None = None
    system: str = ""
    python: str = ""
    load_average: float | None = None
    memory_bandwidth: float | None = None
    gpu: str = ""
    gpu_driver: str = ""

    @property
    def cpus(self) -> int | None:
        """How many CPUs the load average is about."""
        return self.logical_cpus or self.cores


class CellEntry(Part, kw_only=True):
    """A planned cell: what the user named of it, and what a table needs that a record does not repeat."""

    scenario: str
    overrides: list[tuple[str, Any]] = []
    backend: str
    options: list[tuple[str, Any]] = []
    budget: str
    track: str
    device: str
    dtype: str
    threads: Int64 | None = None
    id: Annotated[str, Meta(pattern=r"^\w[^/\x00]*\Z", description="the id of a cell")]
    scenario_label: str
    options_text: str
    family: str
    kind: str
    chains: Int64
    reps: Annotated[int, Meta(ge=1, le=MOST)]
    rounds: Annotated[int, Meta(ge=0, le=MOST)]
    explicit: bool
    scenario_digest: str = ""
    backend_digest: str = ""

    @property
    def backend_label(self) -> str:
        """Backend with its options, as the user writes it."""
        return bracketed(self.backend, self.options_text)

    @property
    def name(self) -> str:
        """Scenario × backend, without the backend's options."""
        return f"{self.scenario_label} × {self.backend}"

    @property
    def fits(self) -> int:
        """How many reps are planned over all rounds."""
        return self.reps * self.rounds


class Density(NamedTuple):
    """The density of a framework for a scenario, in a precision on a device: their names."""

    framework: str
    scenario: str
    dtype: str
    device: str


class Verified(Part, kw_only=True):
    """How a framework's density of a scenario compared with the family's.

    `value_error` and `gradient_error` are the largest relative errors (see `bench.verify.comparison.compare`), None
    where there is none or it is not finite; `gate` the largest allowed; `points` the groups of points; `cached`:
    judged earlier. `verdict` is a `bench.verify.outcome.Verdict`.
    """

    framework: str
    scenario: str
    dtype: str
    device: str = "cpu"
    verdict: str
    reason: str = ""
    value_error: float | None = None
    gradient_error: float | None = None
    gate: float | None = None
    points: list[str] = []
    cached: bool = False

    @property
    def key(self) -> Density:
        """What it is about."""
        return Density(self.framework, self.scenario, self.dtype, self.device)

    @property
    def refusal(self) -> str:
        """Why a cell with this density is not timed."""
        if self.verdict == "wrong":
            return self.reason
        return f"not verified to have the right target: {self.verdict}: {self.reason}"


class About(Part, kw_only=True):
    """What a report says of a scenario: where it comes from, its model, and {parameter: prior} in words.

    `what` has the model and the sizes in a few words, `linear, 2 features, 50 rows`; runs of old have none. `file` is
    its own inside the run's folder, where the user named it by its path.
    """

    what: str = ""
    description: str = ""
    source: str = ""
    family: str = ""
    priors: dict[str, str] = {}
    fixed_data: bool = False
    notes: list[str] = []
    file: str | UnsetType = UNSET

    @property
    def priors_text(self) -> str:
        """`weights ~ normal(0, 10), …`."""
        return ", ".join(f"{name} ~ {prior}" for name, prior in self.priors.items())


class Settings(Part, kw_only=True):
    """A backend's options where nobody names them, those of the track `defaults`, and what it says of them."""

    options: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    settings: str = ""


class Resumed(Part, kw_only=True):
    """That the run went on at a time, by a command, to make so many fits, although these things had changed."""

    at: str
    command: str
    fits: Int64
    changes: list[str]


class Run(Part, kw_only=True, omit_defaults=True):
    """A run.json. None or empty: the run does not say; `finished` is None while the run is being made.

    `hosts` are the machines of its slots by their names in the fits; without slots all was made on `host`. `threads`
    are the CPUs per fit, `options` those that the user gave, `ab` and `pytest` say of which session of `bench ab` or of
    pytest the run is a part, `verified` is there once densities have been looked at.
    """

    schema: int
    id: str = ""
    command: str = ""
    started: str | None = ""
    finished: str | None = ""
    state: str = ""
    bench: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    host: Host = field(default_factory=Host)
    hosts: dict[str, Host] = {}
    versions: dict[str, str] = {}
    threads: Int64 | None = None
    seed: Int64
    options: dict[str, Any] | None = None
    cells: list[CellEntry]
    scenarios: dict[str, About]
    backends: dict[str, Settings] = {}
    budgets: dict[str, dict[str, Any]] = {}
    pytest: Any = None
    ab: dict[str, str] | None = None
    verified: list[Verified] | None = None
    imports: dict[str, Any] | None = None
    resumed: list[Resumed] = []

    @property
    def instant(self) -> float:
        """When it was started, in seconds since 1970; minus infinity where it does not say."""
        return instant(self.started or "")

    def planned(self, cell: str) -> tuple[Run, CellEntry] | None:
        """The run that planned a cell, and its entry there; None where there is none."""
        return next(((self, entry) for entry in self.cells if entry.id == cell), None)


class Combined(Run, kw_only=True):
    """Several runs side by side, by name; `differs` are sentences on what is not the same in all of them."""

    runs: dict[str, Run]
    differs: list[str]

    def planned(self, cell: str) -> tuple[Run, CellEntry] | None:
        """The run that planned a cell, and its entry there; cells are named `run:cell`."""
        for name, run in self.runs.items():
            if cell.startswith(f"{name}:") and (known := run.planned(cell.removeprefix(f"{name}:"))):
                return known
        return None


class CalibrationRun(Run, kw_only=True, omit_defaults=True):
    """The run.json of a calibration: so many data sets per cell, and {cell: digests of scenario and backend}."""

    kind: str
    datasets: Int64
    digests: dict[str, tuple[str, str]]


def instant(when: str) -> float:
    """A date or time of ISO 8601 in seconds since 1970, UTC where it names no zone; minus infinity where it is none."""
    try:
        time = datetime.fromisoformat(when)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return -math.inf


P = TypeVar("P", bound=Part)
R = TypeVar("R", bound=Run)


def run_of(facts: Mapping[str, Any]) -> Run:
    """The manifest with these facts, keyed as in run.json; the others are left open."""
    return _with_others(convert({"schema": SCHEMA, "seed": 0, "cells": [], "scenarios": {}, **facts}, Run), facts)


def calibration_of(run: Run, datasets: int, digests: Mapping[str, tuple[str, str]]) -> CalibrationRun:
    """The manifest of a calibration that is planned as this run."""
    return convert({**plain(run), "kind": "calibration", "datasets": datasets, "digests": digests}, CalibrationRun)


def read(folder: Path, type_: type[R]) -> R:
    """The run.json of a folder; UsageError where it is not readable, damaged, foreign or of another schema."""
    try:
        facts = json_value(content(folder / "run.json"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{folder}/run.json is not readable: {error}") from None
    if not isinstance(facts, dict):
        raise UsageError(f"{folder}: not a run's manifest")
    if facts.get("schema") != SCHEMA:
        raise UsageError(f"{folder}: schema {facts.get('schema')!r}, this version reads schema {SCHEMA}; run it again")
    if absent := [key for key in REQUIRED if key not in facts]:
        raise UsageError(f"{folder}: it has no {absent[0]}: not a run's manifest, or a damaged one")
    return _with_others(as_type(facts, type_, f"{folder}: run.json is damaged"), facts)


def plain(part: Part) -> dict[str, Any]:
    """The manifest, or a part of it, as JSON takes it."""
    facts: dict[str, Any] = to_builtins(part)
    for inner, inner_facts in list(_parts(part, facts)):
        inner_facts.update(vars(inner))
    return facts


def _with_others(part: P, facts: Mapping[str, Any]) -> P:
    """The part, which keeps the facts that neither it nor its parts have fields for."""
    for inner, inner_facts in _parts(part, facts):
        vars(inner).update({k: v for k, v in inner_facts.items() if k not in inner.__struct_fields__})
    return part


def _parts(part: Any, facts: Any) -> Iterator[tuple[Part, dict[str, Any]]]:
    """A part and all parts inside it, each with its facts as JSON holds them."""
    if isinstance(part, Part):
        yield part, facts
        for name in part.__struct_fields__:
            if name in facts:
                yield from _parts(getattr(part, name), facts[name])
    elif isinstance(part, list):
        for inner, inner_facts in zip(part, facts, strict=True):
            yield from _parts(inner, inner_facts)
    elif isinstance(part, dict):
        for key, inner in part.items():
            yield from _parts(inner, facts[key])
