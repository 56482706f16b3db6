"""What a benchmark came to, for `extra_info`: strict JSON, every number finite, a reason for every one that is None.

    status, reason            ok, or how the worst of its fits ended and why: "2 of 9 fits crashed: ended by signal …"
    scenario, backend, kind, family, cell, budget, track, device, dtype, chains, threads, reps, rounds
    fits, fits_ok             how many were planned and how many finished
    seconds_warm              median over warm fits; what `stats` is made of
    seconds_cold              median over cold fits: what the first fit of a process takes, compile included
    seconds_compile, seconds_build, seconds_import, of cold fits; seconds_warmup, seconds_sample of warm ones
    gradients, peak_rss_bytes
    ess_bulk_min, ess_tail_min, r_hat_max, ess_per_second, ess_per_gradient, b2_avg, b2_max, recovery_rmse, elpd, k_hat,
    optimality_gap            of `bench list metrics`
    none                      {name: why it is None}
    versions, commit, bench, run

Numbers are medians over the fits that finished, and None where some did not: those of the survivors would be too good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.analysis.tables import CellTables, middle, split
from bench.comparison.baseline import Source
from bench.comparison.document import plain
from bench.errors import escaped
from bench.plan import Planned
from bench.score.catalog import METRICS
from bench.store.manifest import Run
from bench.types import BAD_STATUSES
from bench.words.clean import clean

ABOUT = ("scenario", "backend", "kind", "family", "budget", "track", "device", "dtype", "chains")
COLUMNS: Mapping[str, tuple[str, str]] = {
    "seconds_warm": ("seconds_total", "warm"), "seconds_cold": ("seconds_total", "cold"),
    "seconds_compile": ("seconds_compile", "cold"), "seconds_build": ("seconds_build", "cold"),
    "seconds_import": ("seconds_import", "cold"), "seconds_warmup": ("seconds_warmup", "warm"),
    "seconds_sample": ("seconds_sample", "warm"), "gradients": ("gradients", "all"),
    "peak_rss_bytes": ("peak_rss_bytes", "all"),
}  # fmt: skip
"""{name: (column of fits, which fits)}."""
SCORES = (
    "ess_bulk_min", "ess_tail_min", "r_hat_max", "ess_per_second", "ess_per_gradient", "b2_avg", "b2_max",
    "recovery_rmse", "elpd", "k_hat", "optimality_gap",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One benchmark: its `extra_info`, the seconds of its fits, and the end of the log of the first that failed."""

    status: str
    explicit: bool
    info: dict[str, Any]
    cold: float
    warm: tuple[float, ...]
    log: str

    @property
    def story(self) -> str:
        """Why it failed, with what it last wrote."""
        return "\n".join([self.info["reason"], *map(escaped, self.log.rstrip().splitlines())])


def results(cells: Iterable[Planned], source: Source) -> dict[str, Result]:
    """{cell: what it came to}."""
    by_cell = {}
    tables = split(source.tables)
    for planned in cells:
        cell = tables[planned.cell.id]
        info = facts(planned, cell, source.tables.run)
        cold, warm = (cell.floats("seconds_total", cold=c).tolist() for c in (True, False))
        bad = cell.fits[cell.fits["status"] != "ok"]
        log = str(bad["log_tail"].fillna("").iloc[0]) if len(bad) else ""
        by_cell[planned.cell.id] = Result(
            info["status"], planned.explicit, info, next((s for s in cold if not math.isnan(s)), 0.0), tuple(warm), log
        )
    return by_cell


def status(cell: CellTables) -> tuple[str, str]:
    """`ok`, or the status and the story of the worst fits: a failure before what could not be tried here."""
    bad = cell.fits[cell.fits["status"] != "ok"]
    if bad.empty:
        return "ok", ""
    graver = bad[bad["status"].isin(list(BAD_STATUSES))]
    first = (bad if graver.empty else graver).iloc[0]
    same = bad[bad["status"] == first["status"]]
    why = clean(str(first["reason"])) or "no reason was recorded"
    return str(first["status"]), f"{len(same)} of {len(cell.fits)} fits {first['status']}: {why}"


def facts(planned: Planned, cell: CellTables, run: Run) -> dict[str, Any]:
    """The `extra_info` of one benchmark."""
    how, why = status(cell)
    about = {k: plain(v) for k, v in planned.description().items() if k in ABOUT}
    about |= {"scenario": planned.cell.scenario_label, "backend": planned.cell.backend_label}
    numbers: dict[str, Any] = dict.fromkeys((*COLUMNS, *SCORES))
    if how == "ok":
        numbers |= {name: _column(cell, *where) for name, where in COLUMNS.items()}
        numbers |= {name: cell.median(name) for name in SCORES}
    numbers = {k: v if v is None or math.isfinite(v) else None for k, v in numbers.items()}
    return {
        "status": how,
        "reason": why,
        **about,
        "cell": planned.cell.id,
        "threads": next((int(n) for n in cell.fits["threads"].dropna()), None),
        "reps": planned.reps,
        "rounds": planned.rounds,
        "fits": len(cell.fits),
        "fits_ok": len(cell.ok),
        **numbers,
        "none": {name: _why(name, cell, how, planned.kind) for name, value in numbers.items() if value is None},
        "versions": dict(run.versions),
        "commit": run.commit or "",
        "bench": run.bench or "",
        "run": run.id,
    }


def _column(cell: CellTables, column: str, which: str) -> float | None:
    return middle(cell.numbers(column)) if which == "all" else cell.phase(column, cold=which == "cold")


def _why(name: str, cell: CellTables, how: str, kind: str) -> str:
    if how != "ok":
        return f"not every fit finished ({how})"
    if name in METRICS and (reason := METRICS[name].not_applicable(kind)):
        return reason
    if name in METRICS and len(cell.scores(name).value):
        return "not a finite number"
    return "nothing was recorded"
