"""One section per scenario (and track): its rows, in the order they are shown, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import pandas as pd

from bench.analysis import seconds
from bench.analysis.contender import MANY, ONCE, OUTCOMES, QUESTIONS, TRACKS, Answer, Contender, Verdict
from bench.analysis.diagnostics import Diagnostic, accuracy, diagnostics, shown_error, warnings
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

    Of a whole fit `cold` is a first rep without and `once` with the import before it, `warm` a later rep; `to_target`
    has the seconds to the target by question, of a row that met it, which are `prorated` where nobody measured them;
    `score` is the metric that they are.
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
    warning: str
    diagnostics: tuple[Diagnostic, ...]
    cold: float | None
    once: float | None
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
    to_target: Mapping[str, float]
    prorated: bool
    score: str
    tables: CellTables

    @property
    def log(self) -> tuple[str, str] | None:
        """Where the log of the first fit that failed lies in the run's folder, and its end; None for no output."""
        if self.tables.finished == self.tables.planned or "log_tail" not in self.tables.fits:
            return None
        fits = self.tables.fits
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
    def whole(self) -> dict[str, float]:
        """Median seconds of a whole fit, by question."""
        return {q: value for q, value in zip(QUESTIONS, (self.once, self.warm), strict=True) if value is not None}

    @property
    def framework(self) -> str:
        """The backend's name without its method."""
        return self.backend.partition("[")[0].rpartition(".")[0]

    @property
    def group(self) -> str:
        """Which part of the table it stands in."""
        return {"point": "point", "exact": "reference"}.get(self.kind, "posterior")


@dataclass(frozen=True)
class Section:
    """A scenario on one track; of combined runs, on one machine and with one set of data, which `apart` then names.

    `title` has its file's name and is unique, `name` says what it is where the run knows that.
    """

    scenario: str
    track: str
    title: str
    name: str
    about: About
    rows: tuple[Row, ...]
    verdict: Verdict
    finish: frozenset[str]
    """The questions on which backends were compared by the seconds of the whole fit: not all have one to the target."""
    apart: str = ""

    def group(self, name: str) -> list[Row]:
        """Rows of one group, in order."""
        return [row for row in self.rows if row.group == name]

    def answer(self, question: str) -> Answer:
        """What the verdict says to a question."""
        return self.verdict.answers[question]

    def leads(self, row: Row, question: str) -> bool:
        """Whether a row is the fastest of those that met the target."""
        return row.label == self.answer(question).leader

    def in_best_group(self, row: Row, question: str) -> bool:
        """Whether a row leads, or is not shown to be slower than the one that does."""
        return row.label in self.answer(question).best_group

    def ratio(self, row: Row, question: str) -> Ratio | None:
        """Its ratio to the leader; None of the leader itself and of a row that was not compared."""
        return self.answer(question).ratios.get(row.label)

    def seconds(self, row: Row, question: str) -> float | None:
        """Median seconds by which a row that met the target was compared: to the target, or of the whole fit."""
        if row.state != "met":
            return None
        return row.whole.get(question) if question in self.finish else row.to_target.get(question)

    def modelled(self, row: Row, question: str) -> bool:
        """Whether those seconds are prorated, not measured."""
        return row.prorated and question not in self.finish

    @property
    def measured(self) -> bool:
        """Whether fits ran until the target, so that the seconds to it are nobody's reading of a curve."""
        return any(row.score == seconds.MEASURED for row in self.rows)

    @property
    def family(self) -> str:
        """The family of its model, or its own name where that is not recorded."""
        return self.about.family or scenario_of(self.scenario)[0]

    @property
    def description(self) -> str:
        """What its file says of it; empty where the run had it otherwise, as its brackets say."""
        return "" if scenario_of(self.scenario)[1] else self.about.description

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
        _, track, apart = (*map(str, values), "")[:3]
        beside = " ".join(filter(None, [f"({TRACKS.get(track, track)})" if tracks > 1 else "", apart]))
        result.append(_section(tables, beside, apart, fits, cells))
    return result


def _section(
    tables: RunTables, beside: str, apart: str, fits: pd.DataFrame, cells: Mapping[str, CellTables]
) -> Section:
    first = fits.drop_duplicates("cell")
    varying = []
    if first.duplicated(["backend", "options"]).any():
        same = first.groupby(["backend", "options"], dropna=False)
        varying = [c for c in VARYING if c in first and same[c].nunique().max() > 1]
    several = "origin" in first and first["origin"].nunique() > 1
    score = seconds.MEASURED if seconds.measured(first) else seconds.READ_OFF
    rows = [_row(fit, varying, cells[str(fit["cell"])], score, several=several) for fit in first.to_dict("records")]
    rows.sort(key=_order)
    met = [row for row in rows if row.state == "met"]
    finish = frozenset(
        q for q in QUESTIONS if not (met and all(seconds.to_target_known(r.tables, q, score) for r in met))
    )
    scenario = str(fits["scenario"].iloc[0])
    about = _about(tables.run.scenarios, scenario, apart)
    title = f"{scenario} {beside}".strip()
    return Section(
        scenario=scenario,
        track=str(fits["track"].iloc[0]),
        title=title,
        name=f"{about.what} {beside}".strip() if about.what else title,
        about=about,
        rows=tuple(rows),
        verdict=verdict(
            title,
            tuple(contender(row, finish) for row in rows),
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


def _row(fit: Mapping[Any, Any], varying: list[str], cell: CellTables, score: str, *, several: bool) -> Row:
    variant = {column: str(fit[column]) for column in varying}
    words = [f"{c}={v}" if c in ("threads", "chains") else v for c, v in variant.items()]
    run = cell.first("origin")
    kind = cell.first("kind")
    gates, error = diagnostics(cell, kind), () if kind in ("exact", "point") else accuracy(cell)
    state, reason = state_of(cell, kind, gates, error)
    known = {q: seconds.times(cell, q, score, finish=False) for q in QUESTIONS} if state == "met" else {}
    times = {q: seconds.at_home(cell, q, rounds).values() for q, rounds in known.items()}
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
        warning=warnings(gates),
        diagnostics=(*gates, *error),
        cold=cell.phase("seconds_total", cold=True),
        once=seconds.whole(cell, ONCE),
        warm=seconds.whole(cell, MANY),
        compile=cell.phase("seconds_compile", cold=True),
        ess_per_second=cell.median("ess_per_second", warm=True),
        b2_max=cell.b2_max,
        b2_interval=cell.b2_interval,
        recovery_rmse=cell.median("recovery_rmse"),
        coverage=cell.coverage,
        gap=cell.median("optimality_gap"),
        reps=cell.finished,
        planned=cell.planned,
        to_target={q: median(values) for q, values in times.items() if values},
        prorated=kind == "mcmc" and score == seconds.READ_OFF,
        score=score,
        tables=cell,
    )


def contender(row: Row, finish: frozenset[str]) -> Contender:
    """A row as the verdict needs it; `finish` as `Section` has it."""
    work, cost = row.tables.across("gradients_to_accuracy"), row.tables.median("seconds_per_gradient")
    times = {q: seconds.times(row.tables, q, row.score, finish=q in finish) for q in QUESTIONS}
    return Contender(
        label=row.label,
        state=row.state,
        reason=row.reason,
        warning=row.warning,
        error=row.b2_max,
        error_interval=row.b2_interval,
        whole=row.whole,
        times=times,
        prorated=row.prorated,
        reps=row.reps,
        run=row.run,
        work=(work, cost) if work and cost and row.score == seconds.READ_OFF else None,
        machines=seconds.machines(row.tables),
        away=frozenset(
            n for q, rounds in times.items() for n in set(rounds) - set(seconds.at_home(row.tables, q, rounds))
        ),
    )


def _order(row: Row) -> tuple[int, int, float, str]:
    by = row.b2_max if row.state == "off target" else row.warm
    return GROUPS.index(row.group), STATES.index(row.state), float("inf") if by is None else by, row.label
