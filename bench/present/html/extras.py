"""The columns that the results table hides at first, in groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.analysis.sections import Row, Section
from bench.analysis.tables import CellTables
from bench.present.columns import Cell, Column, blank
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
CONFIGURATION = ("track", "device", "dtype", "chains", "threads", "budget", "started", "backend_digest")
Number = Callable[[CellTables], float | None]


class Extra(NamedTuple):
    """A column of one number of a cell; `metric` tells for which kinds it means something."""

    key: str
    title: str
    help: str
    group: str
    number: Number
    show: Callable[[float], str] = fmt.significant
    metric: str = ""


def _bytes(value: float) -> str:
    return f"{fmt.significant(value / 2**20)} MiB"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


NUMBERS: dict[str, Number] = {
    "ess_bulk": lambda cell: cell.least_mean("ess_bulk"),
    "ess_tail": lambda cell: cell.least_mean("ess_tail"),
    "r_hat": lambda cell: max(cell.scores("r_hat").value.tolist(), default=None),
    "e_bfmi": lambda cell: min(cell.scores("e_bfmi").value.tolist(), default=None),
}
"""Of the metrics that have a value per parameter; of the others the median is shown."""


def _of(metric: str, title: str, group: str, show: Callable[[float], str] = fmt.significant) -> Extra:
    number = NUMBERS.get(metric, lambda cell: cell.typical(metric))
    return Extra(metric, title, METRICS[metric].definition, group, number, show, metric)


def _used(column: str, title: str, help_: str, show: Callable[[float], str]) -> Extra:
    return Extra(column, title, help_, "resources", lambda cell: cell.most(column), show)


def _phase(name: str, help_: str, *, cold: bool) -> Extra:
    column = f"seconds_{name}"
    key = f"{column}_{'cold' if cold else 'warm'}"
    return Extra(key, name, help_, "phases", lambda cell: cell.phase(column, cold=cold), fmt.seconds)


EXTRAS = (
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
    _used("peak_rss_bytes", "peak memory", "largest resident memory of the child, framework included", _bytes),
    _used("peak_device_bytes", "device memory", "largest memory of the device, if there is one", _bytes),
    _used("os_threads", "threads seen", "threads of the process, as the system counts them", _whole),
    _used("gradients", "gradients", "gradient evaluations of the full data, warmup included", _whole),
    _phase("import", "seconds, cold; in no total", cold=True),
    _phase("build", "seconds, cold", cold=True),
    _phase("warmup", "seconds, warm", cold=False),
    _phase("sample", "seconds, warm; all iterations of an optimiser or of VI", cold=False),
    _phase("transfer", "seconds, warm", cold=False),
    _of("recovery_rmse_excess", "RMSE above exact", "recovery"),
    _of("elpd", "elpd", "recovery"),
    _of("predictive_mae", "predictive MAE", "recovery"),
    _of("predictive_crps", "predictive CRPS", "recovery"),
)  # fmt: skip


def columns(rows: Sequence[Row]) -> list[Column]:
    """Those that at least one cell has something for, and what was recorded of its configuration."""
    shown = []
    for extra in EXTRAS:
        numbers = {row.cell: extra.number(row.tables) for row in rows}
        if any(number is not None for number in numbers.values()):
            shown.append(Column(extra.key, extra.title, extra.help, _cell(extra, numbers), group=extra.group))
    return [*shown, *map(_setting, CONFIGURATION)]


def _cell(extra: Extra, numbers: dict[str, float | None]) -> Callable[[Row, Section], Cell]:
    def cell(row: Row, section: Section) -> Cell:
        if (value := numbers[row.cell]) is not None:
            return Cell(extra.show(value), "", value)
        why = METRICS[extra.metric].not_applicable(row.kind) if extra.metric else ""
        return Cell("n/a", why=why.removeprefix("n/a: ")) if why and row.reps else blank(row, why or "not recorded")

    return cell


def _setting(name: str) -> Column:
    def cell(row: Row, section: Section) -> Cell:
        text = row.tables.texts(name)
        return Cell(clean(text)) if text else blank(row)

    title = {"backend_digest": "code digest"}.get(name, name)
    return Column(name, title, "as recorded with the fits", cell, group="configuration")
