"""Selection × sweeps × budgets → cells, and the interleaved order in which children run them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

from bench.catalog import described, terms
from bench.catalog.backends import BackendInfo, backend
from bench.catalog.places import backend_files
from bench.catalog.suites import suite
from bench.cell import BUDGETS, Cell, preset
from bench.data import family
from bench.errors import UsageError, unknown
from bench.selected import Scenarios
from bench.selection import expand, parse, sweeps
from bench.types import Device, DType, Scenario, Track, derive_seed, written

DEFAULT_SUITE = "quick"
MOST_FITS, MOST_CELLS = 1_000_000, 200_000
"""Of a run, whose manifest and tables are held in memory; run.json of more cells would be larger than is read."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user asked for: selectors of scenarios (those that end in `.toml` are paths) and backends, and the rest.

    `reps`, `rounds`, `budget`, `device` are None where the budget or suite decides, `dtype` where the track does:
    float64 for `matched`, the framework's own for `defaults`.
    """

    scenarios: Sequence[str] = ()
    backends: Sequence[str] = ()
    suite: str | None = None
    budget: str | None = None
    track: Track = "matched"
    device: Device | Literal["auto"] | None = None
    dtype: DType | None = None
    reps: int | None = None
    rounds: int | None = None
    seed: int = 0
    threads: int | None = None
    until: float | None = None
    """An error that all fits run until, but those whose brackets name one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell with its scenario, its backend, and how often it runs; `explicit` when named without glob or suite."""

    cell: Cell
    scenario: Scenario
    backend: BackendInfo
    reps: int
    rounds: int
    explicit: bool

    @property
    def name(self) -> str:
        """Scenario × backend, each with what is in its brackets."""
        return f"{self.cell.scenario_label} × {self.cell.backend_label}"

    @property
    def kind(self) -> str:
        """point, vi, mcmc or exact."""
        return self.backend.kind_of(dict(self.cell.options))

    def description(self) -> dict[str, Any]:
        """The cell with everything a table needs that a record does not repeat."""
        cell = asdict(self.cell)
        return cell | {
            "id": self.cell.id,
            "scenario_label": self.cell.scenario_label,
            "options_text": written(dict(self.cell.options)),
            "family": self.scenario.family,
            "kind": self.kind,
            "chains": self.cell.resolved_budget().chains if self.kind in {"mcmc", "exact"} else 1,
            "reps": self.reps,
            "rounds": self.rounds,
            "explicit": self.explicit,
            "scenario_digest": self.scenario.digest,
            "backend_digest": self.backend.digest,
        }

    def unsupported(self) -> str:
        """Why this backend cannot serve this cell at all; empty when it may."""
        info, cell = self.backend, self.cell
        if info.families and self.scenario.family not in info.families:
            return f"{info.name} fits {', '.join(info.families)}, not the family {self.scenario.family}"
        if cell.device not in info.devices:
            return f"{info.name} runs on {', '.join(info.devices)}, not on {cell.device}"
        folder = Path(self.scenario.file).parent
        own = info.home.own_file(str(folder))
        if family(self.scenario.family).OPAQUE and not (folder / own).is_file():
            return f"the model {self.scenario.name} has no {own}"
        if cell.resolved_budget().until and not info.continued(dict(cell.options)):
            return f"{info.name} cannot be continued: {info.ends}"
        return ""


@dataclass(frozen=True, slots=True)
class Job:
    """One child process: all reps of one cell in one round."""

    planned: Planned
    round: int
    position: int

    @property
    def reps(self) -> range:
        """The reps it makes; the first is cold."""
        return range(self.round * self.planned.reps, (self.round + 1) * self.planned.reps)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run will do.

    `selectors` are the user's for scenarios, by name where they were paths; `broken` {scenario: why} are files that a
    glob matched and that were left out.
    """

    cells: tuple[Planned, ...]
    seed: int
    selectors: Sequence[str] = ()
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def fits(self) -> int:
        """How many rows the run will have."""
        return sum(p.reps * p.rounds for p in self.cells)

    def description(self) -> dict[str, Any]:
        """What a run's manifest says of it: cells, and scenarios, backends and budgets as the report shows them."""
        return {
            "cells": [p.description() for p in self.cells],
            "scenarios": {p.cell.scenario_label: _described(p.scenario) for p in self.cells},
            "backends": {p.backend.name: _settings(p.backend) for p in self.cells},
            "budgets": {name: preset(name) for name in sorted({p.cell.budget for p in self.cells})},
        }

    def jobs(self) -> Iterator[Job]:
        """Every round runs each cell once, in a new order drawn from the seed."""
        position = 0
        for round_ in range(max((p.rounds for p in self.cells), default=0)):
            order = [p for p in self.cells if round_ < p.rounds]
            random.Random(derive_seed(self.seed, "order", round_)).shuffle(order)
            for planned in order:
                yield Job(planned, round_, position)
                position += 1


def make(choice: Choice, along: Path | None = None) -> Plan:
    """The plan of a choice; UsageError names what cannot be. The folder `along` may bring scenarios along."""
    cells: dict[str, Planned] = {}
    fits, scenarios = 0, Scenarios(choice.scenarios, along)
    choice = replace(choice, scenarios=scenarios.selectors)
    for scenario_text, backend_text, one, named in _pairs(choice, scenarios):
        for planned in _cells(one, scenarios, scenario_text, backend_text, named):
            if planned.cell.id not in cells:
                cells[planned.cell.id] = planned
                fits += planned.reps * planned.rounds
            if fits > MOST_FITS:
                raise UsageError(f"more than {MOST_FITS} fits are not allowed; sweep less, or fewer reps and rounds")
            if len(cells) > MOST_CELLS:
                raise UsageError(f"more than {MOST_CELLS} cells are not allowed; sweep less")
    if not cells:
        raise UsageError(f"suite {choice.suite!r} pairs none of the scenarios and backends named")
    return Plan(tuple(cells.values()), choice.seed, scenarios.selectors, scenarios.broken)


def _pairs(choice: Choice, scenarios: Scenarios) -> Iterator[tuple[str, str, Choice, bool]]:
    """(scenario selector, backend selector, the choice as the suite completes it, whether the user typed both)."""
    if choice.scenarios and choice.backends and not choice.suite:
        for s in choice.scenarios:
            for b in choice.backends:
                yield s, b, choice, True
        return
    for entry in suite(choice.suite or DEFAULT_SUITE).entries:
        narrow = bool(choice.suite)
        for s in _chosen(choice.scenarios, entry.scenarios, scenarios.files, "scenario", narrow=narrow):
            for b in _chosen(choice.backends, entry.backends, backend_files(), "backend", narrow=narrow):
                for device, dtype in product(
                    [choice.device] if choice.device else entry.devices,
                    [choice.dtype] if choice.dtype else entry.dtypes or [None],
                ):
                    yield s, b, replace(choice, budget=choice.budget or entry.budget, device=device, dtype=dtype), False


def _chosen(
    named: Sequence[str], listed: Sequence[str], known: Iterable[str], what: str, *, narrow: bool
) -> Sequence[str]:
    """What the user named instead of what a suite lists; with `narrow`, those of its selectors that were named too."""
    if not named or not narrow:
        return named or listed
    names = {name for text in named for name in expand(parse(text), known, what)}
    return [text for text in listed if names & set(expand(parse(text), known, what))]


def _cells(
    choice: Choice, scenarios: Scenarios, scenario_text: str, backend_text: str, named: bool
) -> Iterator[Planned]:
    budget = choice.budget or "quick"
    if budget not in BUDGETS:
        raise unknown("budget", budget, BUDGETS)
    chosen_s, chosen_b = parse(scenario_text), parse(backend_text)
    until = {} if choice.until is None else {"until": choice.until}
    for scenario_name in scenarios.expand(chosen_s):
        swept = {k: list(v) for k, v in scenarios.load(scenario_name).sweep.items() if k not in chosen_s.values}
        for overrides in sweeps({**swept, **chosen_s.values}):
            loaded = scenarios.load(scenario_name, overrides)
            for backend_name in expand(chosen_b, backend_files(), "backend"):
                info = backend(backend_name)
                for options in sweeps({**until, **chosen_b.values}):
                    yield Planned(
                        cell=Cell(
                            scenario=scenario_name,
                            overrides=tuple(sorted(overrides.items())),
                            backend=backend_name,
                            options=tuple(info.validate(options).items()),
                            budget=budget,
                            track=choice.track,
                            device=_device(choice, info),
                            dtype=choice.dtype or (info.home.dtype if choice.track == "defaults" else "float64"),  # type: ignore[arg-type]
                            threads=choice.threads,
                        ),
                        scenario=loaded,
                        backend=info,
                        reps=choice.reps or BUDGETS[budget].reps,
                        rounds=choice.rounds or BUDGETS[budget].rounds,
                        explicit=named and not chosen_s.is_glob and not chosen_b.is_glob,
                    )


def _device(choice: Choice, info: BackendInfo) -> Device:
    """`auto` is cuda for a backend that can use it where the machine has an NVIDIA device."""
    if choice.device != "auto":
        return choice.device or "cpu"
    return "cuda" if "cuda" in info.devices and Path("/dev/nvidiactl").exists() else "cpu"


def _described(scenario: Scenario) -> dict[str, Any]:
    priors = {name: str(prior) for name, prior in scenario.priors.items()}
    return {
        "what": described.in_words(scenario),
        "description": scenario.description,
        "source": scenario.source,
        "family": scenario.family,
        "priors": terms.assumed(scenario.design, scenario.priors) if scenario.design is not None else priors,
        "fixed_data": scenario.fixed_data,
        "notes": list(family(scenario.family).notes(scenario)),
    }


def _settings(info: BackendInfo) -> dict[str, Any]:
    """What a backend's options are where nobody names them, those of the track `defaults`, and what it says of them."""
    options = {option.name: option.default for option in info.options.values()}
    return {"options": options, "defaults": dict(info.defaults), "settings": info.settings}
