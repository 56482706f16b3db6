"""One section per scenario (and track): its rows, in the order they are shown, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from bench.analysis.contender import OUTCOMES, Contender, Verdict
from bench.analysis.diagnostics import Diagnostic, accuracy, diagnostics, shown_error
from bench.analysis.disturbance import disturbance
from bench.analysis.labels import label, options_of, scenario_of
from bench.analysis.states import state_of
from bench.analysis.tables import CellTables, RunTables, split
from bench.analysis.verdict import verdict
from bench.stats.ratios import Ratio
from bench.store.manifest import About

GROUPS = ("posterior", "point", "reference")
QUIET = ("met", "reference", "point")
"""States that are no failure."""
STATES = (*QUIET, *(state for state in OUTCOMES if state not in QUIET))
"""In the order in which rows stand."""
VARYING = ("budget", "device", "dtype", "threads", "chains")


@dataclass(frozen=True)
class Row:
    """One backend on one scenario; None where a number does not exist. Seconds are medians.

    `label` is `backend[options]` with what tells it from its namesakes (`variant`) and, of combined runs, its `run`.
    """

    cell: str
    label: str
    backend: str
    options: Mapping[str, Any]
    variant: Mapping[str, str]
    run: str
    kind: str
    state: str
    reason: str
    diagnostics: tuple[Diagnostic, ...]
    cold: float | None
    warm: float | None
    compile: float | None
    ess_per_second: float | None
    b2_max: float | None
    b2_interval: tuple[float, float] | None
    recovery_rmse: float | None
    coverage: tuple[float, int] | None
    gap: float | None
    reps: int
    planned: int
    time_to_target: float | None
    tables: CellTables

    @property
    def log(self) -> tuple[str, str] | None:
        """Where the log of the first fit that failed lies in the run's folder, and its end; None for no output."""
        fits = self.tables.fits
        if "log_tail" not in fits or self.tables.finished == len(fits):
            return None
        logged = fits[(fits["status"] != "ok") & (fits["log_tail"].fillna("") != "")]
        if logged.empty:
            return None
        first = logged.sort_values("rep").iloc[0]
        home, cell = (first[c] if c in fits else default for c, default in (("home", ""), ("planned", first["cell"])))
        return f"{home}fits/{cell}-{int(first['rep'])}/log.txt", str(first["log_tail"])

    @property
    def shown_error(self) -> str:
        """b²_max in two digits, or the reference's own error where that is larger."""
        return shown_error(self.tables)

    @property
    def framework(self) -> str:
        """The first part of the backend's name."""
        return self.backend.split(".")[0]

    @property
    def group(self) -> str:
        """Which part of the table it stands in."""
        return {"point": "point", "exact": "reference"}.get(self.kind, "posterior")


@dataclass(frozen=True)
class Section:
    """A scenario on one track; of combined runs, on one machine and with one set of data, which `apart` then names."""

    scenario: str
    track: str
    title: str
    about: About
    rows: tuple[Row, ...]
    verdict: Verdict
    finish: bool
    """Whether backends were compared by the seconds of the whole fit, where a time to the target is not known."""
    apart: str = ""

    def group(self, name: str) -> list[Row]:
        """Rows of one group, in order."""
        return [row for row in self.rows if row.group == name]

    def leads(self, row: Row) -> bool:
        """Whether a row is the fastest of those that met the target."""
        return row.label == self.verdict.leader

    def in_best_group(self, row: Row) -> bool:
        """Whether a row leads, or is not shown to be slower than the one that does."""
        return row.label in self.verdict.best_group

    def ratio(self, row: Row) -> Ratio | None:
        """Its ratio to the leader; None of the leader itself and of a row that was not compared."""
        return self.verdict.ratios.get(row.label)

    def seconds(self, row: Row) -> float | None:
        """Median warm seconds by which backends were compared here: to the target, or of the whole fit."""
        return row.warm if self.finish else row.time_to_target

    @property
    def family(self) -> str:
        """The family of its model, or its own name where that is not recorded."""
        return self.about.family or scenario_of(self.scenario)[0]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """(backend, note) of every row that has something to say."""
        return [(row.label, note) for row in self.rows for note in row.tables.notes]


@dataclass(frozen=True, eq=False)
class Report:
    """A run as all formats show it: its tables, and its sections, made once."""

    tables: RunTables
    sections: tuple[Section, ...]

    @property
    def rows(self) -> list[tuple[Section, Row]]:
        """Every row with its section."""
        return [(section, row) for section in self.sections for row in section.rows]


def report(tables: RunTables) -> Report:
    """What the formats take."""
    return Report(tables, tuple(sections(tables)))


def sections(tables: RunTables) -> list[Section]:
    """Every (scenario, track) of the run, in the order of its plan."""
    cells = split(tables)
    tracks = tables.fits["track"].nunique()
    keys = ["scenario", "track", *(["apart"] if "apart" in tables.fits else [])]
    result = []
    for values, fits in tables.fits.groupby(keys, sort=False, dropna=False):
        scenario, track, apart = (*map(str, values), "")[:3]
        title = " ".join(filter(None, [scenario, f"({track} track)" if tracks > 1 else "", apart]))
        result.append(_section(tables, title, apart, fits, cells))
    return result


def _section(tables: RunTables, title: str, apart: str, fits: pd.DataFrame, cells: Mapping[str, CellTables]) -> Section:
    first = fits.drop_duplicates("cell")
    same = first.groupby(["backend", "options"], dropna=False)
    varying = [c for c in VARYING if c in first and same[c].nunique().max() > 1]
    several = "origin" in first and first["origin"].nunique() > 1
    rows = [_row(fit, varying, cells[str(fit["cell"])], several=several) for fit in first.to_dict("records")]
    rows.sort(key=_order)
    met = [row for row in rows if row.state == "met"]
    finish = not (met and all(row.tables.has_time_to_accuracy for row in met))
    scenario = str(fits["scenario"].iloc[0])
    return Section(
        scenario=scenario,
        track=str(fits["track"].iloc[0]),
        title=title,
        about=_about(tables.run.scenarios, scenario, apart),
        rows=tuple(rows),
        verdict=verdict(
            title,
            tuple(_contender(row, finish) for row in rows),
            budget=f"the {'/'.join(sorted(set(map(str, fits['budget']))))}",
            disturbance=disturbance(tables, fits),
            finish=finish,
        ),
        finish=finish,
        apart=apart,
    )


def _about(scenarios: Mapping[str, About], scenario: str, apart: str) -> About:
    names = (f"{scenario} {apart}", scenario, scenario_of(scenario)[0])
    return next((scenarios[name] for name in names if name in scenarios), About())


def _row(fit: Mapping[Any, Any], varying: list[str], cell: CellTables, *, several: bool) -> Row:
    variant = {column: str(fit[column]) for column in varying}
    words = [f"{c}={v}" if c in ("threads", "chains") else v for c, v in variant.items()]
    run = cell.first("origin")
    kind = cell.first("kind")
    gates, error = diagnostics(cell, kind), () if kind in ("exact", "point") else accuracy(cell)
    state, reason = state_of(cell, kind, gates, error)
    times = cell.times(finish=False).values() if state == "met" else ()
    return Row(
        cell=str(fit["cell"]),
        label=" ".join([label(fit), *words, *([f"@{run}"] if several else [])]),
        backend=str(fit["backend"]),
        options=options_of(fit["options"]),
        variant=variant,
        run=run,
        kind=kind,
        state=state,
        reason=reason,
        diagnostics=(*gates, *error),
        cold=cell.phase("seconds_total", cold=True),
        warm=cell.phase("seconds_total", cold=False),
        compile=cell.phase("seconds_compile", cold=True),
        ess_per_second=cell.median("ess_per_second", warm=True),
        b2_max=cell.b2_max,
        b2_interval=cell.b2_interval,
        recovery_rmse=cell.median("recovery_rmse"),
        coverage=cell.coverage,
        gap=cell.median("optimality_gap"),
        reps=cell.finished,
        planned=cell.planned,
        time_to_target=median(times) if times else None,
        tables=cell,
    )


def _contender(row: Row, finish: bool) -> Contender:
    return Contender(
        label=row.label,
        state=row.state,
        reason=row.reason,
        error=row.b2_max,
        error_interval=row.b2_interval,
        seconds=row.warm,
        cold=row.cold,
        times=row.tables.times(finish=finish),
        reps=row.reps,
        run=row.run,
    )


def _order(row: Row) -> tuple[int, int, float, str]:
    by = row.b2_max if row.state == "off target" else row.warm
    return GROUPS.index(row.group), STATES.index(row.state), float("inf") if by is None else by, row.label
