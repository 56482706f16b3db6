"""The columns of a results table: what each cell says, the same words in every format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.analysis.sections import STATES, Row, Section
from bench.words import format as fmt
from bench.words.clean import clean

WORDS = {state: state for state in STATES} | {
    "met": "met target",
    "reference": "reference",
    "point": "point estimate",
    "timeout": "timed out",
    "memory": "out of memory",
    "unsupported": "n/a",
    "unavailable": "not available",
}
INDEPENDENT = "draws are independent by construction"
NO_ESS = {"vi": INDEPENDENT, "exact": INDEPENDENT, "point": "a point has no draws"}
NO_WARM = "no warm rep finished"
NOT_RANKED = "not ranked"
NO_REFERENCE = "no reference to be held against"
NO_TRUTH = "the scenario has no truth"


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


def _number(
    value: Callable[[Row], float | None], show: Callable[[float | None], str], otherwise: str = "not recorded"
) -> Callable[[Row, Section], Cell]:
    """The cell of a plain number, and why it is blank where there is none."""

    def cell(row: Row, section: Section) -> Cell:
        number = value(row)
        return blank(row, otherwise) if number is None else Cell(show(number), "", number)

    return cell


def _status(row: Row, section: Section) -> Cell:
    reason = clean(row.reason).splitlines()
    return Cell(WORDS[row.state], fmt.shortened(reason[0]) if reason else "")


def _error(row: Row, section: Section) -> Cell:
    if row.b2_max is None:
        return blank(row, NO_REFERENCE)
    spread = f"{fmt.error(row.b2_interval[0])}–{fmt.error(row.b2_interval[1])}" if row.b2_interval else ""
    certified = row.b2_max >= row.tables.error_floor
    return Cell(row.shown_error, spread if certified else "the reference's own error", row.b2_max)


def _ratio(row: Row, section: Section) -> Cell:
    if section.leads(row):
        return Cell("leader", "", 1.0)
    ratio = section.ratio(row)
    if ratio is None:
        return Cell(fmt.NONE, why=NOT_RANKED if section.verdict.ratios else "nothing was compared")
    return Cell(fmt.times(ratio.value), fmt.interval(ratio.low, ratio.high), ratio.value)


def _ess(row: Row, section: Section) -> Cell:
    if row.kind in NO_ESS and row.reps:
        return Cell("n/a", NO_ESS[row.kind])
    return _number(lambda r: r.ess_per_second, fmt.significant, NO_WARM)(row, section)


def _mass(row: Row, section: Section) -> Cell:
    if row.kind == "point" and row.reps:
        return Cell("n/a", "no interval")
    held = {part: float(np.median(masses)) for part, masses in row.tables.by_part("mass_90").items()}
    if not held:
        return blank(row, NO_REFERENCE)
    part = max(held, key=lambda name: abs(held[name] - 0.9))
    return Cell(fmt.share(held[part]), clean(part), held[part])


def _target(row: Row, section: Section) -> Cell:
    if row.time_to_target is not None:
        return Cell(fmt.seconds(row.time_to_target), "", row.time_to_target)
    if row.state == "off target":
        return Cell("never", f"floor {row.shown_error}")
    return blank(row, NOT_RANKED if row.state != "met" else "not recorded")


def _coverage(row: Row, section: Section) -> Cell:
    if row.kind == "point" and row.reps:
        return Cell("n/a", "no interval")
    if row.coverage is None:
        return blank(row, NO_TRUTH)
    held, of = row.coverage
    return Cell(f"{round(held * of)}/{of}", "", held)


COLUMNS = (
    Column("status", "status", "what became of the cell, and why", _status),
    Column("b2_max", "b²_max", "largest over f of the mean over reps of (estimate − reference)²/variance", _error,
           bar=True),
    Column("mass", "mass in 90 %", "posterior probability inside the method's central 90 % interval, median over reps, "
           "of the parameter where it is farthest from 90 %", _mass),
    Column("cold", "cold", "median seconds of a first rep, compile included, import not",
           _number(lambda r: r.cold, fmt.seconds, "no cold seconds"), bar=True),
    Column("warm", "warm", "median seconds of the later reps of a child",
           _number(lambda r: r.warm, fmt.seconds, NO_WARM), bar=True),
    Column("compile", "compile", "median compile seconds of a first rep",
           _number(lambda r: r.compile, fmt.seconds), group="phases"),
    Column("target", "to target", "warm seconds after which every b² stays below the target", _target,
           lambda s: any(r.time_to_target is not None for r in s.rows), bar=True),
    Column("ratio", "× best", "paired ratio to the leader with its simultaneous 95 % interval", _ratio,
           lambda s: bool(s.verdict.ratios)),
    Column("ess", "ESS/s", "least bulk ESS over warmup + sampling seconds, warm, median over reps", _ess,
           group="efficiency"),
    Column("rmse", "recovery RMSE", "of weights and bias against the truth; not used for ranking",
           _number(lambda r: r.recovery_rmse, fmt.significant, NO_TRUTH), group="recovery"),
    Column("covered", "truth in 90 %", "reps × parameters whose 90 % interval holds the truth", _coverage,
           group="recovery"),
    Column("gap", "gap, nats", "nats above the optimum of its own objective",
           _number(lambda r: r.gap, fmt.error, "it minimises no objective of its own"),
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
    if section.about.fixed_data:
        return "Every rep sees the same data, so the share of intervals that hold the truth is no coverage estimate."
    reps = max((row.reps for row in section.rows), default=0)
    # Below 200 replicates a Wilson interval for 90 % is wider than ±4 points: too wide to call a method calibrated.
    if reps < 200:
        return (
            f"Truth in 90 %: reps × parameters, {fmt.count(reps, 'rep')} at most; "
            "a coverage claim needs 200 replicates."
        )
    return ""
