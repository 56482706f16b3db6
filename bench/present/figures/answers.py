"""Each parameter of one data set as the reference, the truth and every backend have it, in reference sds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.analysis.sections import Row

NORMAL = (-1.6448536269514722, -0.6744897501960817, 0.6744897501960817, 1.6448536269514722)
LEVELS = ("q05", "q25", "q75", "q95")
STORED = {whose: [f"{whose}{level}_sd" for level in LEVELS] for whose in ("", "reference_")}
METRICS = ("mean_error_sd", "sd_ratio_log", "recovery_error", "sd", *STORED[""], *STORED["reference_"])
Edges = tuple[float, ...]


@dataclass
class Part:
    """A scalar parameter: the truth, the reference's quantiles and every backend's (centre, quantiles or None)."""

    name: str
    truth: float | None = None
    reference: Edges = NORMAL
    exact: bool = False
    backends: dict[str, tuple[float, Edges | None]] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """The largest distance of a backend's mean from the reference mean."""
        return max(abs(centre) for centre, _ in self.backends.values())


def parts(rows: Sequence[Row], rep: int) -> list[Part]:
    """What is stored of that rep, from each backend's errors in reference sds."""
    scalars: dict[str, Part] = {}
    for row in rows:
        values = _of(row, rep)
        for name, centre in values["mean_error_sd"].items():
            part = scalars.setdefault(name, Part(name))
            part.backends[row.label] = (centre, _edges(values, name, centre, "")[0])
            reference, stored = _edges(values, name, 0.0, "reference_")
            if stored and reference is not None:
                part.reference, part.exact = reference, True
            scale = values["sd"].get(name, 0.0) / math.exp(values["sd_ratio_log"].get(name, 0.0))
            if name in values["recovery_error"] and scale > 0.0 and name in values["sd_ratio_log"]:
                part.truth = centre - values["recovery_error"][name] / scale
    return list(scalars.values())


def _edges(
    values: Mapping[str, Mapping[str, float]], name: str, centre: float, whose: str
) -> tuple[Edges | None, bool]:
    """Quantiles, and whether they are stored ones; None for a point."""
    stored = [values[metric].get(name) for metric in STORED[whose]]
    if all(v is not None for v in stored):
        return tuple(float(v) for v in stored if v is not None), True
    if name not in values["sd_ratio_log"]:
        return None, False
    return tuple(centre + math.exp(values["sd_ratio_log"][name]) * z for z in NORMAL), False


def _of(row: Row, rep: int) -> dict[str, dict[str, float]]:
    """{metric: {part: value}} of what is drawn of that rep."""
    rows = row.tables.metrics
    rows = rows[(rows["rep"] == rep).to_numpy() & rows["metric"].isin(METRICS).to_numpy()]
    values: dict[str, dict[str, float]] = {metric: {} for metric in METRICS}
    for metric, part, value in zip(rows["metric"], rows["part"], rows["value"], strict=True):
        values[str(metric)][str(part)] = float(value)
    return values
