"""What can be compared between two runs: where its values come from, which way is worse, how much counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.score.catalog import METRICS, Metric

Scale = Literal["ratio", "difference"]
Unit = Literal["round", "fit"]
Reps = Literal["warm", "cold", "all"]

STATUS = "status"
MISSING = "missing"
DEFAULT = (STATUS, "seconds_total", "seconds_cold", "ess_per_second", "b2_avg", "b2_max", "peak_rss_bytes")
"""What is compared unless the user names metrics."""

MACHINE_UNITS = ("s", "1/s", "bytes")
TIME, MEMORY, ERROR, DRAWS, OTHER = 1.05, 1.10, 2.0, 1.10, 1.05
RATIOS: Mapping[str, float] = {"r_hat_max": 1.01, "mean_loss_gap": ERROR}
DIFFERENCES: Mapping[str, float] = {
    "divergences": 1.0, "treedepth_hits": 10.0, "stuck_parameters": 0.5, "optimality_gap": 0.1, "k_hat": 0.1,
    "optimum_distance_sd": 0.1,
}  # fmt: skip
"""Metrics that may be 0 or negative, so that a ratio says nothing, and how much of their unit counts."""
NATS = 1.0


@dataclass(frozen=True, slots=True)
class Measure:
    """A number per fit or per round, and what a change of it means.

    `column` names the column of fits it is read from, empty for a row of metrics; `inverse` that its reciprocal is
    compared. `per` is the unit that repeats: what depends on the machine varies between children, a score between
    fits. `scale` says whether B/A or B − A is compared; `limit` is how large a change counts, as |log(B/A)| or in
    its unit, and `threshold` the same as the user reads it.
    """

    name: str
    unit: str
    lower_is_better: bool
    scale: Scale
    per: Unit
    reps: Reps
    limit: float
    column: str = ""
    metric: str = ""
    inverse: bool = False
    largest: bool = False
    """Whether a round is its largest value, not its median: a peak."""

    @property
    def machine_bound(self) -> bool:
        """Whether it says something only on the same machine with the same threads."""
        return self.unit in MACHINE_UNITS

    @property
    def trimmed(self) -> bool:
        """Whether extreme rounds count less: those of seconds, which a machine disturbs in bursts."""
        return self.unit in ("s", "1/s")

    @property
    def threshold(self) -> str:
        """`5 %`, `2×`, `1 nats`."""
        return worded(self.limit, self.scale, self.unit)

    def compared(self, value: float) -> float:
        """The value on the scale compared: its logarithm where ratios are."""
        return math.log(value) if self.scale == "ratio" else value

    def shown(self, compared: float) -> float:
        """A number on the scale compared as the user reads it; infinite where it is too large a ratio."""
        if self.scale == "difference":
            return compared
        return math.exp(compared) if compared < 700 else math.inf

    def worsening(self, change: float) -> float:
        """A change on the scale compared, positive where it is for the worse."""
        return change if self.lower_is_better else -change


def worded(limit: float, scale: Scale, unit: str) -> str:
    """A limit as the user reads it."""
    if scale == "difference":
        return f"{limit:g} {unit}".strip()
    factor = math.exp(limit)
    return f"{factor:.3g}×" if factor >= 1.995 else f"{100 * (factor - 1):.3g} %"


_COLUMNS: tuple[tuple[str, str, str, Unit, Reps], ...] = (
    ("seconds_total", "seconds_total", "s", "round", "warm"),
    ("seconds_cold", "seconds_total", "s", "round", "cold"),
    ("seconds_import", "seconds_import", "s", "round", "cold"),
    ("seconds_build", "seconds_build", "s", "round", "cold"),
    ("seconds_compile", "seconds_compile", "s", "round", "cold"),
    ("seconds_warmup", "seconds_warmup", "s", "round", "warm"),
    ("seconds_sample", "seconds_sample", "s", "round", "warm"),
    ("gradients", "gradients", "gradients", "fit", "all"),
    ("peak_rss_bytes", "peak_rss_bytes", "bytes", "round", "all"),
    ("peak_device_bytes", "peak_device_bytes", "bytes", "round", "all"),
)


COLUMNS = tuple(dict.fromkeys(row[1] for row in _COLUMNS))
"""Columns of fits that some measure reads."""


def _column(name: str, column: str, unit: str, per: Unit, reps: Reps) -> Measure:
    peak = unit == "bytes"
    limit = math.log(MEMORY if peak else TIME)
    return Measure(name, unit, True, "ratio", per, reps, limit, column=column, largest=peak)


def _scored(metric: Metric) -> Measure:
    difference = metric.name in DIFFERENCES or metric.unit == "nats"
    limit = DIFFERENCES.get(metric.name, NATS) if difference else math.log(_factor(metric))
    return Measure(
        metric.name,
        metric.unit,
        metric.direction == "lower",
        "difference" if difference else "ratio",
        "round" if metric.unit in MACHINE_UNITS else "fit",
        "all",
        limit,
        metric="b2_max" if metric.name == "n_eq" else metric.name,
        inverse=metric.name == "n_eq",
    )


def _factor(metric: Metric) -> float:
    if metric.name in RATIOS:
        return RATIOS[metric.name]
    if metric.unit in ("s", "1/s"):
        return TIME
    if metric.name.startswith(("b2", "n_eq")):
        return ERROR
    return DRAWS if metric.unit == "draws" or metric.name.startswith("ess") else OTHER


PER_FIT = ("time_to_accuracy", "n_eq")
"""Metrics over reps that have a value per rep too; n_eq is compared per rep as 1 / b2_max."""

MEASURES: Mapping[str, Measure] = {
    **{row[0]: _column(*row) for row in _COLUMNS},
    **{m.name: _scored(m) for m in METRICS.values()
       if m.direction != "none" and (m.scope == "fit" or m.name in PER_FIT)},
}  # fmt: skip
"""Everything that can be compared but `status`, by name."""
