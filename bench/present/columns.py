"""The columns of a results table: what each cell says, the same words in every format.

Every format has `COLUMNS`; the page has `PAGE`, of which it hides those with a group at first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.sections import STATES, Row, Section
from bench.analysis.tables import CellTables
from bench.score.catalog import METRICS
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
ICONS = {
    "met": "check", "reference": "ring", "point": "ring", "unsupported": "dash", "unavailable": "dash",
    "interrupted": "dot", "unchecked": "dot", "timeout": "late", "memory": "cross", "failed": "cross",
    "crashed": "cross", "invalid": "cross",
}  # fmt: skip
"""The drawn sign of a state, which stands beside its word: colour is never the only one. Others have a triangle."""
GROUPS = {
    "efficiency": "Efficiency",
    "diagnostics": "Diagnostics",
    "resources": "Resources",
    "phases": "Phases",
    "recovery": "Recovery and prediction",
    "configuration": "Configuration",
}
"""Of columns that the page hides at first."""
INDEPENDENT = "draws are independent by construction"
NO_ESS = {"vi": INDEPENDENT, "exact": INDEPENDENT, "point": "a point has no draws"}
NO_WARM = "no warm rep finished"
NOT_RANKED = "not ranked"
NO_REFERENCE = "no reference to be held against"
NO_TRUTH = "the scenario has no truth"


def icon(state: str) -> str:
    """The sign of a state, by the name of the page's symbol."""
    return ICONS.get(state, "warn")


@dataclass(frozen=True)
class Cell:
    """Text, a smaller second line, and the number behind it in full precision (None: sorts last).

    `why` is the reason of a blank, for formats that have room to say it in. The page numbers it (`note`) and draws a
    `bar` of 0–100 % of the column's log range.
    """

    text: str
    small: str = ""
    value: float | None = None
    why: str = ""
    note: int = 0
    bar: int = 0


@dataclass(frozen=True)
class Column:
    """A titled column; `cell` gives what a row shows there, `wanted` whether a section has anything to show.

    `group` is a key of `GROUPS`; where `bar` says so the page has a bar on a log scale under the value.
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


Number = Callable[[CellTables], float | None]
WORST: dict[str, Number] = {
    "ess_bulk": lambda cell: cell.least_mean("ess_bulk"),
    "ess_tail": lambda cell: cell.least_mean("ess_tail"),
    "r_hat": lambda cell: max(cell.scores("r_hat").value.tolist(), default=None),
    "e_bfmi": lambda cell: min(cell.scores("e_bfmi").value.tolist(), default=None),
}
"""Of the metrics that have a value per parameter; of the others the median is shown."""


def _extra(
    key: str, title: str, help_: str, group: str, number: Number, show: Callable[[float], str], metric: str = ""
) -> Column:
    """A column of one number of a cell, where some cell has it; `metric` tells for which kinds it means something."""

    def cell(row: Row, section: Section) -> Cell:
        if (value := number(row.tables)) is not None:
            return Cell(show(value), "", value)
        why = METRICS[metric].not_applicable(row.kind) if metric else ""
        return Cell("n/a", why=why.removeprefix("n/a: ")) if why and row.reps else blank(row, why or "not recorded")

    return Column(key, title, help_, cell, lambda s: any(number(r.tables) is not None for r in s.rows), group)


def _of(metric: str, title: str, group: str, show: Callable[[float], str] = fmt.significant) -> Column:
    number = WORST.get(metric, lambda cell: cell.typical(metric))
    return _extra(metric, title, METRICS[metric].definition, group, number, show, metric)


def _used(column: str, title: str, help_: str) -> Column:
    def show(value: float) -> str:
        return f"{fmt.significant(value / 2**20)} MiB" if column.endswith("_bytes") else f"{value:,.0f}"

    return _extra(column, title, help_, "resources", lambda cell: cell.most(column), show)


def _phase(name: str, help_: str, *, cold: bool) -> Column:
    column = f"seconds_{name}"
    key = f"{column}_{'cold' if cold else 'warm'}"
    return _extra(key, name, help_, "phases", lambda cell: cell.phase(column, cold=cold), fmt.seconds)


def _setting(name: str, title: str = "") -> Column:
    def cell(row: Row, section: Section) -> Cell:
        text = row.tables.texts(name)
        return Cell(clean(text)) if text else blank(row)

    return Column(name, title or name, "as recorded with the fits", cell, group="configuration")


PAGE = (
    *COLUMNS,
    Column("reps", "reps", "reps that finished, of those planned",
           lambda row, _: Cell(f"{row.reps}/{row.planned}", "", row.reps)),
    _of("ess_bulk", "bulk ESS", "efficiency"),
    _of("ess_tail", "tail ESS", "efficiency"),
    _of("ess_per_second_sampling", "ESS/s, sampling", "efficiency"),
    _of("ess_per_second_cold", "ESS/s, cold", "efficiency"),
    _of("ess_per_core_second", "ESS/core-s", "efficiency"),
    _of("ess_per_gradient", "ESS/gradient", "efficiency"),
    _of("seconds_per_gradient", "s/gradient", "efficiency", fmt.seconds),
    _of("steps_per_second", "steps/s", "efficiency"),
    _of("time_to_accuracy_cold", "to target, cold", "efficiency", fmt.seconds),
    _of("gradients_to_accuracy", "gradients to target", "efficiency"),
    _of("r_hat", "R-hat", "diagnostics", lambda value: f"{value:.3f}"),
    _of("divergences", "divergences/1000", "diagnostics"),
    _of("treedepth_hits", "depth hits/1000", "diagnostics"),
    _of("e_bfmi", "E-BFMI", "diagnostics"),
    _of("rms_z", "rms z", "diagnostics"),
    _of("k_hat", "k-hat", "diagnostics", lambda value: f"{value:.2f}"),
    _of("elbo_gap", "log p(y) − ELBO", "diagnostics"),
    _used("peak_rss_bytes", "peak memory", "largest resident memory of the child, framework included"),
    _used("peak_device_bytes", "device memory", "largest memory of the device, if there is one"),
    _used("os_threads", "threads seen", "threads of the process, as the system counts them"),
    _used("gradients", "gradients", "gradient evaluations of the full data, warmup included"),
    _phase("import", "seconds, cold; in no total", cold=True),
    _phase("build", "seconds, cold", cold=True),
    _phase("warmup", "seconds, warm", cold=False),
    _phase("sample", "seconds, warm; all iterations of an optimiser or of VI", cold=False),
    _phase("transfer", "seconds, warm", cold=False),
    _of("recovery_rmse_excess", "RMSE above exact", "recovery"),
    _of("elpd", "elpd", "recovery"),
    _of("predictive_mae", "predictive MAE", "recovery"),
    _of("predictive_crps", "predictive CRPS", "recovery"),
    *map(_setting, ("track", "device", "dtype", "chains", "threads", "budget", "started")),
    _setting("backend_digest", "code digest"),
)  # fmt: skip


def page_columns(sections: Sequence[Section]) -> list[Column]:
    """Those of the page with something to show in one of the sections; hidden ones last, by group."""
    wanted = [column for column in PAGE if any(map(column.wanted, sections))]
    return sorted(wanted, key=lambda column: ["", *GROUPS].index(column.group))


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
        most = fmt.count(reps, "rep")
        return f"Truth in 90 %: reps × parameters, {most} at most; a coverage claim needs 200 replicates."
    return ""
