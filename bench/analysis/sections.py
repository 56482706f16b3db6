"""One section per scenario (and track): its rows, in the order they are shown, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

import pandas as pd

from bench.analysis.contender import OUTCOMES, Contender, Verdict
from bench.analysis.gates import state_of
from bench.analysis.tables import CellTables, RunTables, label, parts, split
from bench.analysis.verdict import verdict
from bench.measure.noise import DISTURBED

GROUPS = ("posterior", "point", "reference")
VARYING = ("budget", "device", "dtype", "threads", "chains")


@dataclass(frozen=True)
class Row:
    """One backend on one scenario; None where a number does not exist. Seconds are medians."""

    cell: str
    label: str
    kind: str
    state: str
    reason: str
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
        said = fits[(fits["status"] != "ok") & (fits["log_tail"].fillna("") != "")]
        if said.empty:
            return None
        first = said.sort_values("rep").iloc[0]
        home, cell = (first[c] if c in fits else default for c, default in (("home", ""), ("planned", first["cell"])))
        return f"{home}fits/{cell}-{int(first['rep'])}/log.txt", str(first["log_tail"])

    @property
    def run(self) -> str:
        """The run it was made in, where several are combined; else empty."""
        return str(self.tables.first("origin") or "")

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
    about: Mapping[str, Any]
    rows: tuple[Row, ...]
    verdict: Verdict
    finish: bool
    """Whether backends were compared by the seconds of the whole fit, where a time to the target is not known."""
    apart: str = ""

    def group(self, name: str) -> list[Row]:
        """Rows of one group, in order."""
        return [row for row in self.rows if row.group == name]

    @property
    def priors(self) -> str:
        """`weights ~ normal(0, 10), …`, or as given."""
        priors = self.about.get("priors") or ""
        return ", ".join(f"{k} ~ {v}" for k, v in priors.items()) if isinstance(priors, Mapping) else str(priors)

    @property
    def notes(self) -> list[tuple[str, str]]:
        """(backend, note) of every row that has something to say."""
        return [(row.label, note) for row in self.rows for note in row.tables.notes]

    @property
    def fixed_data(self) -> bool:
        """Whether every rep saw the same data."""
        return bool(self.about.get("fixed_data", False))


@lru_cache(maxsize=1)  # three formats of one run show the same sections
def sections(tables: RunTables) -> list[Section]:
    """Every (scenario, track) of the run, in the order of its plan."""
    cells = split(tables)
    tracks = tables.fits["track"].nunique()
    keys = ["scenario", "track", *(["apart"] if "apart" in tables.fits else [])]
    made = []
    for found, mine in tables.fits.groupby(keys, sort=False, dropna=False):
        scenario, track, apart = (*map(str, found), "")[:3]
        title = " ".join(filter(None, [scenario, f"({track} track)" if tracks > 1 else "", apart]))
        made.append(_section(tables, title, apart, mine, cells))
    return made


def disturbance(tables: RunTables, fits: pd.DataFrame) -> str:
    """Why the seconds of these fits cannot be trusted: other work on the machine; empty if they can.

    Told from the CPU time that others had during each fit, where the machine offers it; else from the load average, in
    which a fit's own threads count, so that only what exceeds all CPUs by half of one is other work. A fifth of the
    fits may be hit before the medians are doubted.
    """
    return "; ".join(
        f"{said} in {name}" if name else said
        for name, run, mine in parts(tables.run, fits)
        if (said := _disturbed(run, mine))
    )


def _disturbed(run: Mapping[str, Any], fits: pd.DataFrame) -> str:
    if "disturbance" in fits and not (share := fits["disturbance"].dropna()).empty:
        hit = share[share > DISTURBED]
        if len(hit) <= 0.2 * len(share):
            return ""
        return f"others had up to {100 * hit.max():.0f} % of the CPUs' time during {len(hit)} of {len(share)} fits"
    cores = cores_of(run)
    load = pd.to_numeric(fits["load_average"], errors="coerce").dropna()
    if cores is None or load.empty:
        return ""
    hit = load[load > cores + 0.5]
    if len(hit) <= 0.2 * len(load):
        return ""
    return f"load average up to {hit.max():.1f} on {cores} CPUs during {len(hit)} of {len(load)} fits"


def cores_of(run: Mapping[str, Any]) -> int | None:
    """Number of CPUs the load average is about, from the host facts."""
    host = run.get("host")
    for facts in (host if isinstance(host, Mapping) else {}, run):
        for key in ("logical_cpus", "cores"):
            if isinstance(facts.get(key), (int, float)):
                return int(facts[key])
    return None


def _section(tables: RunTables, title: str, apart: str, fits: pd.DataFrame, cells: Mapping[str, CellTables]) -> Section:
    first = fits.drop_duplicates("cell")
    same = first.groupby(["backend", "options"], dropna=False)
    varying = [c for c in VARYING if c in first and same[c].nunique().max() > 1]
    several = "origin" in first and first["origin"].nunique() > 1
    named = first[["cell", "backend", "options", *varying, *(["origin"] if several else [])]].to_dict("records")
    mine = {str(r["cell"]): _name(r, varying) for r in named}
    states = {cell: state_of(cells[cell], str(cells[cell].first("kind"))) for cell in mine}
    met = [cells[cell] for cell in mine if states[cell][0] == "met"]
    finish = not (met and all(c.has_time_to_accuracy for c in met))
    rows = [_row(cell, name, *states[cell], cells[cell]) for cell, name in mine.items()]
    rows.sort(key=_order)
    scenario = str(fits["scenario"].iloc[0])
    return Section(
        scenario=scenario,
        track=str(fits["track"].iloc[0]),
        title=title,
        about=_about(tables.scenarios, scenario, apart),
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


def _about(scenarios: Mapping[str, Mapping[str, Any]], scenario: str, apart: str) -> Mapping[str, Any]:
    known = (f"{scenario} {apart}", scenario, scenario.split("[")[0])
    return next((scenarios[name] for name in known if name in scenarios), {})


def _name(row: Mapping[Any, Any], varying: list[str]) -> str:
    told = [f"{c}={row[c]}" if c in ("threads", "chains") else str(row[c]) for c in varying]
    return " ".join([label(row), *told, *([f"@{row['origin']}"] if "origin" in row else [])])


def _row(cell: str, name: str, state: str, reason: str, t: CellTables) -> Row:
    return Row(
        cell=cell,
        label=name,
        kind=str(t.first("kind")),
        state=state,
        reason=reason,
        cold=t.phase("seconds_total", cold=True),
        warm=t.phase("seconds_total", cold=False),
        compile=t.phase("seconds_compile", cold=True),
        ess_per_second=t.median("ess_per_second", warm=True),
        b2_max=t.b2_max,
        b2_interval=t.b2_interval,
        recovery_rmse=t.median("recovery_rmse"),
        coverage=t.coverage,
        gap=t.median("optimality_gap"),
        reps=t.finished,
        planned=t.planned,
        time_to_target=_to_target(t, state),
        tables=t,
    )


def _to_target(t: CellTables, state: str) -> float | None:
    """Median over rounds as the verdict uses it, else the across-rep value; None off target."""
    if state != "met":
        return None
    times = t.times(finish=False).values()
    return median(times) if times else None


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
    states = ["met", "reference", "point", *OUTCOMES]
    by = row.b2_max if row.state == "off target" else row.warm
    return GROUPS.index(row.group), states.index(row.state), float("inf") if by is None else by, row.label
