"""The columns of a results table: what each cell says, the same words in every format.

Every format has `COLUMNS`; the page has `PAGE`, of which it hides those with a group at first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.analysis.contender import HOW, MANY, ONCE
from bench.analysis.sections import Row, Section
from bench.analysis.tables import CellTables
from bench.present.cells import (
    NO_ESS,
    NO_REFERENCE,
    NO_TRUTH,
    NO_WARM,
    Cell,
    blank,
    ratio_to_best,
    status_words,
    to_target,
)
from bench.score.catalog import METRICS
from bench.words import format as fmt
from bench.words.clean import clean

GROUPS = {
    "efficiency": "Efficiency",
    "diagnostics": "Diagnostics",
    "resources": "Resources",
    "phases": "Phases",
    "recovery": "Recovery and prediction",
    "configuration": "Configuration",
}
"""Of columns that the page hides at first."""


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


def _number(
    value: Callable[[Row], float | None], show: Callable[[float | None], str], otherwise: str = "not recorded"
) -> Callable[[Row, Section], Cell]:
    """The cell of a plain number, and why it is blank where there is none."""

    def cell(row: Row, section: Section) -> Cell:
        number = value(row)
        return blank(row, otherwise) if number is None else Cell(show(number), "", number)

    return cell


LONGEST = 400
"""Characters of a reason in a table: what every diagnostic says at once has less."""


def _status(row: Row, section: Section) -> Cell:
    reason = clean(row.reason or row.warning).splitlines()
    return Cell(status_words(row), fmt.shortened(reason[0], LONGEST) if reason else "")


def _error(row: Row, section: Section) -> Cell:
    if row.b2_max is None:
        return blank(row, NO_REFERENCE)
    spread = f"{fmt.error(row.b2_interval[0])}–{fmt.error(row.b2_interval[1])}" if row.b2_interval else ""
    certified = row.b2_max >= row.tables.error_floor
    return Cell(row.shown_error, spread if certified else "the reference's own error", row.b2_max)


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


def _coverage(row: Row, section: Section) -> Cell:
    if row.kind == "point" and row.reps:
        return Cell("n/a", "no interval")
    if row.coverage is None:
        return blank(row, NO_TRUTH)
    held, of = row.coverage
    return Cell(f"{round(held * of)}/{of}", "", held)


RATIO = "paired ratio to the leader with its simultaneous 95 % interval"


def _any_to_target(section: Section) -> bool:
    return any(row.to_target for row in section.rows)


COLUMNS = (
    Column("status", "status", "what became of the cell, and why", _status),
    Column("b2_max", "b²_max", "largest over f of the mean over reps of (estimate − reference)²/variance", _error,
           bar=True),
    Column("mass", "mass in 90 %", "posterior probability inside the method's central 90 % interval, median over reps, "
           "of the parameter where it is farthest from 90 %", _mass),
    Column("once", "one fit, to target", f"seconds of {HOW[ONCE]} after which every b² stays below the target: import, "
           "build and compile included", partial(to_target, question=ONCE), _any_to_target, bar=True),
    Column("ratio_once", "× best, one fit", RATIO, partial(ratio_to_best, question=ONCE),
           lambda s: bool(s.answer(ONCE).ratios)),
    Column("target", "each further fit, to target", f"seconds of {HOW[MANY]} after which every b² stays below the "
           "target", partial(to_target, question=MANY), _any_to_target, bar=True),
    Column("ratio", "× best, further fits", RATIO, partial(ratio_to_best, question=MANY),
           lambda s: bool(s.answer(MANY).ratios)),
    Column("cold", "cold", "median seconds of a whole first rep, compile included, import not",
           _number(lambda r: r.cold, fmt.seconds, "no cold seconds"), bar=True),
    Column("warm", "warm", "median seconds of a whole later rep of a child",
           _number(lambda r: r.warm, fmt.seconds, NO_WARM), bar=True),
    Column("compile", "compile", "median compile seconds of a first rep",
           _number(lambda r: r.compile, fmt.seconds), group="phases"),
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


def _prorated(row: Row) -> bool:
    """Whether its warmup and sampling are one compiled program, whose seconds are divided by gradients."""
    return "prorated" in row.tables.texts("split")


def _extra(
    key: str, title: str, help_: str, group: str, number: Number, show: Callable[[float], str], metric: str = "", *,
    modelled: Callable[[Row], bool] = lambda row: False,
) -> Column:  # fmt: skip
    """A column of one number of a cell, where some cell has it; `metric` tells for which kinds it means something."""

    def cell(row: Row, section: Section) -> Cell:
        if (value := number(row.tables)) is not None:
            return Cell(f"{'≈' * modelled(row)}{show(value)}", "", value)
        why = METRICS[metric].not_applicable(row.kind) if metric else ""
        return Cell("n/a", why=why.removeprefix("n/a: ")) if why and row.reps else blank(row, why or "not recorded")

    return Column(key, title, help_, cell, lambda s: any(number(r.tables) is not None for r in s.rows), group)


def _of(
    metric: str, title: str, group: str, show: Callable[[float], str] = fmt.significant, *,
    modelled: Callable[[Row], bool] = lambda row: False,
) -> Column:  # fmt: skip
    number = WORST.get(metric, lambda cell: cell.typical(metric))
    return _extra(metric, title, METRICS[metric].definition, group, number, show, metric, modelled=modelled)


def _counted(metric: str, title: str) -> Column:
    """Of all reps, as the gate counts them; sorted by rate."""

    def cell(row: Row, section: Section) -> Cell:
        gate = next((gate for gate in row.diagnostics if gate.key == metric), None)
        if gate is None:
            return Cell("n/a", why=METRICS[metric].not_applicable(row.kind).removeprefix("n/a: ") or "not recorded")
        return Cell(gate.value.removesuffix(" draws"), "", float(row.tables.scores(metric).value.mean()))

    def wanted(section: Section) -> bool:
        return any(gate.key == metric for row in section.rows for gate in row.diagnostics)

    return Column(metric, title, f"{METRICS[metric].definition} Of all draws.", cell, wanted, "diagnostics")


def _used(column: str, title: str, help_: str) -> Column:
    def show(value: float) -> str:
        return f"{fmt.significant(value / 2**20)} MiB" if column.endswith("_bytes") else f"{value:,.0f}"

    return _extra(column, title, help_, "resources", lambda cell: cell.most(column), show)


def _phase(name: str, help_: str, *, cold: bool) -> Column:
    column = f"seconds_{name}"
    key = f"{column}_{'cold' if cold else 'warm'}"
    modelled = _prorated if name in ("warmup", "sample") else lambda row: False
    number: Number = lambda cell: cell.phase(column, cold=cold)  # noqa: E731
    return _extra(key, name, help_, "phases", number, fmt.seconds, modelled=modelled)


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
    _of("ess_per_second_sampling", "ESS/s, sampling", "efficiency", modelled=_prorated),
    _of("ess_per_second_cold", "ESS/s, cold", "efficiency"),
    _of("ess_per_core_second", "ESS/core-s", "efficiency"),
    _of("ess_per_gradient", "ESS/gradient", "efficiency"),
    _of("seconds_per_gradient", "s/gradient", "efficiency", fmt.seconds),
    _of("roofline", "of the limit of memory", "efficiency"),
    _of("steps_per_second", "steps/s", "efficiency"),
    _of("time_to_accuracy_cold", "to target, cold, without import", "efficiency", fmt.seconds,
        modelled=lambda row: row.prorated),
    _of("gradients_to_accuracy", "gradients to target", "efficiency"),
    _of("b2_after_target", "b² after the target", "efficiency", fmt.error),
    _of("r_hat", "R-hat", "diagnostics", lambda value: f"{value:.3f}"),
    _counted("divergences", "divergences"),
    _counted("treedepth_hits", "depth hits"),
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


def coverage_notes(sections: Sequence[Section]) -> list[str]:
    """What the column of intervals that hold the truth may and may not be taken for, each note once, and of what."""
    of: dict[str, list[str]] = {}
    for section in sections:
        if note := _coverage_note(section):
            of.setdefault(note, []).append(section.title)
    return [note if len(titles) == len(sections) else f"{fmt.listed(titles)}: {note}" for note, titles in of.items()]


def _coverage_note(section: Section) -> str:
    if section.about.fixed_data:
        return "Every rep sees the same data, so the share of intervals that hold the truth is no coverage estimate."
    reps = max((row.reps for row in section.rows), default=0)
    # Below 200 replicates a Wilson interval for 90 % is wider than ±4 points: too wide to call a method calibrated.
    if reps < 200:
        most = fmt.count(reps, "rep")
        return f"Truth in 90 %: reps × parameters, {most} at most; a coverage claim needs 200 replicates."
    return ""
