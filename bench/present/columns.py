"""The columns of a results table: what each cell says, the same words in every format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analysis.contender import OUTCOMES
from bench.analysis.sections import Row, Section
from bench.types import Array
from bench.words import format as fmt
from bench.words.clean import clean

STATE_WORDS = {
    "met": "met target",
    "reference": "reference",
    "point": "point estimate",
    "timeout": "timed out",
    "memory": "out of memory",
    "unsupported": "n/a",
    "unavailable": "not available",
}
WORDS = {state: STATE_WORDS.get(state, state) for state in ("met", "reference", *OUTCOMES)}
INDEPENDENT = "n/a: draws are independent by construction"
NO_WARM = "no warm rep finished"
NOT_RANKED = "not ranked"
NO_ESS = {"vi": INDEPENDENT, "exact": INDEPENDENT, "point": "n/a: a point has no draws"}


@dataclass(frozen=True)
class Cell:
    """Text, a smaller second line, and the number behind it in full precision (None: sorts last).

    `why` is the reason of a blank, for formats that have room to say it in.
    """

    text: str
    small: str = ""
    value: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Column:
    """A titled column; `cell` gives what a row shows there, `wanted` whether a section has anything to show.

    The page hides those of a `group` at first, and puts a bar on a log scale under the value where `bar` says so.
    """

    key: str
    title: str
    help: str
    cell: Callable[[Row, Section], Cell]
    wanted: Callable[[Section], bool] = lambda section: True
    group: str = ""
    bar: bool = False


def blank(row: Row, otherwise: str = "not recorded") -> Cell:
    """No value: because no fit finished, or for another reason."""
    return Cell(fmt.NONE, why=otherwise if row.reps else "no fit finished")


def _number(value: float | None, text: str, row: Row, otherwise: str) -> Cell:
    return blank(row, otherwise) if value is None else Cell(text, "", value)


def _status(row: Row, section: Section) -> Cell:
    reason = clean(row.reason).splitlines()
    return Cell(WORDS[row.state], fmt.shortened(reason[0]) if reason else "")


def _error(row: Row, section: Section) -> Cell:
    spread = f"{fmt.error(row.b2_interval[0])}–{fmt.error(row.b2_interval[1])}" if row.b2_interval else ""
    if row.b2_max is None:
        return blank(row, "no reference to be held against")
    if certified(row):
        return Cell(error_text(row), spread, row.b2_max)
    return Cell(error_text(row), "the reference's own error", row.b2_max)


def certified(row: Row) -> bool:
    """Whether b²_max, if there is one, is above what the reference's own error may make of it."""
    return row.b2_max is None or row.b2_max >= row.tables.error_floor


def error_text(row: Row) -> str:
    """b²_max in two digits, or below which value it cannot be told."""
    return fmt.error(row.b2_max) if certified(row) else f"< {fmt.error(row.tables.error_floor)}"


def _ratio(row: Row, section: Section) -> Cell:
    found = section.verdict.ratios.get(row.label)
    if row.label == section.verdict.leader:
        return Cell("leader", "", 1.0)
    if found is None:
        return Cell(fmt.NONE, why=NOT_RANKED if section.verdict.ratios else "nothing was compared")
    return Cell(fmt.times(found.value), fmt.interval(found.low, found.high), found.value)


def _ess(row: Row, section: Section) -> Cell:
    why_not = NO_ESS.get(row.kind, "")
    if why_not and row.reps:
        return Cell("n/a", why_not.removeprefix("n/a: "))
    return _number(row.ess_per_second, fmt.significant(row.ess_per_second), row, NO_WARM)


def _mass(row: Row, section: Section) -> Cell:
    if row.kind == "point" and row.reps:
        return Cell("n/a", "no interval")
    held = {part: float(np.median(found)) for part, found in by_part(row.tables.values("mass_90")).items()}
    if not held:
        return blank(row, "no reference to be held against")
    part = max(held, key=lambda name: abs(held[name] - 0.9))
    return Cell(fmt.share(held[part]), clean(part), held[part])


def by_part(rows: pd.DataFrame) -> dict[str, Array]:
    """The values of a metric by part, in the order of their names."""
    parts, values = rows["part"].to_numpy(dtype=str), rows["value"].to_numpy(dtype=float)
    return {str(name): values[parts == name] for name in np.unique(parts)}


def _target(row: Row, section: Section) -> Cell:
    if row.time_to_target is not None:
        return Cell(fmt.seconds(row.time_to_target), "", row.time_to_target)
    if row.state == "off target":
        return Cell("never", f"floor {error_text(row)}")
    return blank(row, NOT_RANKED if row.state != "met" else "not recorded")


def _coverage(row: Row, section: Section) -> Cell:
    if row.kind == "point" and row.reps:
        return Cell("n/a", "no interval")
    if row.coverage is None:
        return blank(row, "the scenario has no truth")
    held, of = row.coverage
    return Cell(f"{round(held * of)}/{of}", "", held)


COLUMNS = (
    Column("status", "status", "what became of the cell, and why", _status),
    Column("b2_max", "b²_max", "largest over f of the mean over reps of (estimate − reference)²/variance", _error,
           bar=True),
    Column("mass", "mass in 90 %", "posterior probability inside the method's central 90 % interval, median over reps, "
           "of the parameter where it is farthest from 90 %", _mass),
    Column("cold", "cold", "median seconds of a first rep, compile included, import not",
           lambda r, s: _number(r.cold, fmt.seconds(r.cold), r, "no cold seconds"), bar=True),
    Column("warm", "warm", "median seconds of the later reps of a child",
           lambda r, s: _number(r.warm, fmt.seconds(r.warm), r, NO_WARM), bar=True),
    Column("compile", "compile", "median compile seconds of a first rep",
           lambda r, s: _number(r.compile, fmt.seconds(r.compile), r, "not recorded"), group="phases"),
    Column("target", "to target", "warm seconds after which every b² stays below the target", _target,
           lambda s: any(r.time_to_target is not None for r in s.rows), bar=True),
    Column("ratio", "× best", "paired ratio to the leader with its simultaneous 95 % interval", _ratio,
           lambda s: bool(s.verdict.ratios)),
    Column("ess", "ESS/s", "least bulk ESS over warmup + sampling seconds, warm, median over reps", _ess,
           group="efficiency"),
    Column("rmse", "recovery RMSE", "of weights and bias against the truth; not used for ranking",
           lambda r, s: _number(r.recovery_rmse, fmt.significant(r.recovery_rmse), r, "the scenario has no truth"),
           group="recovery"),
    Column("covered", "truth in 90 %", "reps × parameters whose 90 % interval holds the truth", _coverage,
           group="recovery"),
    Column("gap", "gap, nats", "nats above the optimum of its own objective",
           lambda r, s: _number(r.gap, fmt.significant(r.gap, 2), r, "it minimises no objective of its own"),
           lambda s: any(r.gap is not None for r in s.rows), group="recovery"),
)  # fmt: skip


def columns(section: Section) -> list[Column]:
    """The columns with something to show."""
    return [column for column in COLUMNS if column.wanted(section)]


GROUP_TITLES = {
    "posterior": "Approximate the posterior",
    "point": "Point estimates: they answer a different question and give no uncertainty, so they are not ranked",
    "reference": "Reference, never ranked",
}


def coverage_note(section: Section) -> str:
    """What the column of intervals that hold the truth may and may not be taken for."""
    if section.fixed_data:
        return "Every rep sees the same data, so the share of intervals that hold the truth is no coverage estimate."
    reps = max((row.reps for row in section.rows), default=0)
    # Below 200 replicates a Wilson interval for 90 % is wider than ±4 points: too wide to call a method calibrated.
    if reps < 200:
        return (
            f"Truth in 90 %: reps × parameters, {fmt.count(reps, 'rep')} at most; "
            "a coverage claim needs 200 replicates."
        )
    return ""
