"""A framework's log density and gradient against the family's: relative errors, and whether the gate lets them by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.measure.target import GATES, UNIT, roundings
from bench.types import Array, DType
from bench.verify.expected import Expected

REACH: Mapping[DType, float] = {"float64": 1e100, "float32": 1e30}
"""A log density or slope beyond which nothing is compared: the terms of its sums are near the largest number."""
SCATTERS, EXCUSED = 20.0, 100.0
"""How many times the scatter among neighbours is taken for rounding, and how many times the gate that may be."""


@dataclass(frozen=True, slots=True)
class Errors:
    """The largest relative errors of the centred log density and of the gradient, and the groups they lie in.

    inf where something is not finite.
    """

    value: float
    gradient: float
    value_at: str
    gradient_at: str
    gate: float

    @property
    def passed(self) -> bool:
        """Whether both are inside the gate."""
        return self.value <= self.gate and self.gradient <= self.gate

    @property
    def reason(self) -> str:
        """What is off, by how much and where; empty when nothing is."""
        faults = [
            f"{what} {'off by ' + format(error, '.1e') if math.isfinite(error) else 'not finite'} at {where}"
            for what, error, where in (
                ("centred log density", self.value, self.value_at),
                ("gradient", self.gradient, self.gradient_at),
            )
            if not error <= self.gate
        ]
        if not faults:
            return ""
        hint = "; if float64 passes, float32 is too coarse for it" if self.gate == GATES["float32"] else ""
        return f"wrong target: {', '.join(faults)} (gate {printed(self.gate)}){hint}"


def printed(gate: float) -> str:
    """`1e-9`."""
    return f"{gate:.0e}".replace("e-0", "e-")


def compare(wanted: Expected, value: Array, gradient: Array, *, groups: tuple[str, ...], dtype: DType) -> Errors:
    """Errors of `value` (r, m) and `gradient` (r, m, dim) at m points of these groups and at their r − 1 neighbours.

    Every entry is judged by its own size, so that one far-tail point of 1e12 hides nothing elsewhere:

        |gradient − wanted| / (|wanted| + rounding/gate)              per point and component
        |value − wanted − c| / (|wanted − centre| + rounding/gate)    per point

    c, the difference of the two normalising constants, is the mean of value − wanted over all points, each weighted by
    the inverse square of its condition; `centre` is that mean of `wanted`. So a density that is the same up to a
    constant has error 0, and one off by no more than rounding passes, however its terms cancel:

        rounding = k·u·(1 + condition) + 20·scatter

    What enters is rounded to the unit roundoff u and moves an entry by its condition times that (posterior draws,
    data of a large offset: Higham 2002, Accuracy and Stability of Numerical Algorithms, §1.6), k = `roundings` of
    these: 1e-14 of what enters in float64. The scatter is the standard deviation of value − wanted, or gradient −
    wanted, among neighbours, 0 where there are none: intermediate results that cancel (log Γ(x + ½) − log Γ(x) of a
    Student's t) are rough, a wrong density is smooth (Moré & Wild 2011, SIAM J. Sci. Comput. 33:1292). 20 is what
    Student's t of 6 degrees of freedom exceeds once in a million times. It excuses at most a hundred times what the
    gate allows the value, or the steepest component at the point: in float32 a density whose third digit is noise
    fails. Points where the density or a slope is beyond REACH, as where a log link meets a predictor far out, are
    left out.
    """
    largest = np.maximum(np.abs(wanted.value).max(axis=0), np.abs(wanted.gradient).max(axis=(0, -1)))
    within = ~(largest > REACH[dtype])
    finite = within & np.asarray(np.isfinite(value).all(axis=0) & np.isfinite(gradient).all(axis=(0, -1)))
    if not finite.any():
        return Errors(math.inf, math.inf, groups[0], groups[0], GATES[dtype])
    off, slopes_off = (value - wanted.value)[:, finite], (gradient - wanted.gradient)[:, finite]
    condition = 1.0 + wanted.value_condition[finite]
    weights = (condition.min() / condition) ** 2
    centred = np.abs(wanted.value[0, finite] - np.average(wanted.value[0, finite], weights=weights))
    size = _size(centred, condition, off, wanted.terms, dtype)
    slope_condition = 1.0 + wanted.gradient_condition[finite]
    slope_size = _size(np.abs(wanted.gradient[0, finite]), slope_condition, slopes_off, wanted.terms, dtype)
    value_error, slope_error = np.where(within, math.inf, 0.0), np.where(within, math.inf, 0.0)
    value_error[finite] = np.abs(off[0] - np.average(off[0], weights=weights)) / size
    slope_error[finite] = (np.abs(slopes_off[0]) / slope_size).max(axis=-1)
    at, slope_at = int(np.argmax(value_error)), int(np.argmax(slope_error))
    return Errors(float(value_error[at]), float(slope_error[slope_at]), groups[at], groups[slope_at], GATES[dtype])


def _size(own: Array, condition: Array, off: Array, terms: int, dtype: DType) -> Array:
    """What an error is relative to; `off` (r, …) are the differences at a point and its neighbours."""
    size = own + roundings(terms) * UNIT[dtype] / GATES[dtype] * condition
    if len(off) == 1:
        return size
    largest = size if size.ndim == 1 else size.max(axis=-1, keepdims=True)
    return np.asarray(size + np.minimum(SCATTERS / GATES[dtype] * off.std(axis=0, ddof=1), EXCUSED * largest))
