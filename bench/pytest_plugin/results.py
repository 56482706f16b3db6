"""What each benchmark of a measured run came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.analysis.tables import split
from bench.compare.baseline import Source
from bench.errors import escaped
from bench.plan import Planned
from bench.pytest_plugin.facts import facts


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
        ok, warm = cell.ok, cell.warm
        cold = ok[ok["cold"].astype(bool)]["seconds_total"].dropna()
        bad = cell.fits[cell.fits["status"] != "ok"]
        log = str(bad["log_tail"].fillna("").iloc[0]) if len(bad) else ""
        by_cell[planned.cell.id] = Result(
            info["status"], planned.explicit, info, float(cold.iloc[0]) if len(cold) else 0.0,
            tuple(float(s) for s in warm["seconds_total"]), log,
        )  # fmt: skip
    return by_cell
