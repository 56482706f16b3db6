"""Whether a fit's answer can be used at all: names, shapes, types, finite numbers, inside the support."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import printable
from bench.types import Budget, Checkpoint, Dataset, Fit, Kind


def complaint(fit: Fit, data: Dataset, kind: Kind, budget: Budget | None = None) -> str:
    """One sentence on the first thing wrong with draws and moments; empty when nothing is.

    Of MCMC and exact draws `budget` says how many chains and draws there must be; a point is one draw of one chain, VI
    may have any number.
    """
    if fit.kind != kind:
        return f"the fit says it is {fit.kind}, its file declares {kind}"
    if set(fit.draws) != set(data.names):
        names = printable(", ".join(sorted(map(str, fit.draws))), 200)
        return f"parameters {names} instead of {', '.join(sorted(data.names))}"
    for parameter in data.parameters:
        try:
            draws = real(fit.draws[parameter.name])
        except ValueError as why:
            return f"{parameter.name} {why}"
        if draws.shape[2:] != parameter.shape or draws.ndim != 2 + len(parameter.shape):
            return f"{parameter.name} has shape {draws.shape}, not (chain, draw, *{parameter.shape})"
        wrong = ~np.isfinite(draws)
        if wrong.any():
            return f"{parameter.name} has {int(wrong.sum())} non-finite values of {draws.size} (NaN or infinite)"
        outside = (draws < parameter.lower) | (draws > parameter.upper)
        if outside.any():
            return (
                f"{parameter.name} has {int(outside.sum())} of {draws.size} values outside its support "
                f"({parameter.lower:g}, {parameter.upper:g})"
            )
    leading = {np.shape(draws)[:2] for draws in fit.draws.values()}
    if len(leading) != 1 or 0 in next(iter(leading)):
        return f"parameters differ in (chain, draw) or have none: {sorted(leading)}"
    return _axes(next(iter(leading)), fit, kind, budget) or _moments(fit.moments, data)


def real(values: Any) -> npt.NDArray[Any]:
    """An array of real numbers, of float32 or float64; ValueError with what it is instead."""
    if is_masked(values):
        raise ValueError("is a masked array: draws have no gaps")
    try:
        array = np.asarray(values)
    except Exception as error:  # noqa: BLE001 -- what a contender calls draws may raise anything
        raise ValueError(f"is no array of numbers ({type(error).__name__})") from None
    if array.dtype.kind not in "fiu":
        raise ValueError(f"has values of type {array.dtype}: real numbers are allowed")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def is_masked(values: Any) -> bool:
    """Whether this is a masked array; where there is one NumPy's module of them is imported, which takes 7 ms."""
    module = sys.modules.get("numpy.ma")
    return module is not None and isinstance(values, module.MaskedArray)


def _axes(shape: tuple[int, ...], fit: Fit, kind: Kind, budget: Budget | None) -> str:
    """Complaint on the numbers of chains and draws."""
    if kind == "point":
        return "" if shape == (1, 1) else f"a point is one chain of one draw, these are (chain, draw) = {shape}"
    if kind == "vi" or budget is None:
        return ""
    if budget.until and shape[0] == budget.chains:
        return ""
    every = fit.stats.get("thinning", 1)
    every = every if isinstance(every, int) and every > 0 else 1
    if shape == (budget.chains, budget.draws // every):
        return ""
    kept = f", every {every}th kept" if every > 1 else ""
    return f"(chain, draw) is {shape}; the budget asks for {budget.chains} chains of {budget.draws} draws{kept}"


def _moments(moments: Mapping[str, Any], data: Dataset) -> str:
    """Complaint on the mean and sd that VI states of a parameter."""
    shapes = {p.name: p.shape for p in data.parameters}
    for name, pair in moments.items():
        try:
            mean, sd = map(real, pair)
        except (TypeError, ValueError):
            return f"moments of {printable(str(name), 100)} are no pair of a mean and an sd"
        if name not in shapes or mean.shape != shapes[name] or sd.shape != shapes[name]:
            return f"moments of {printable(str(name), 100)} have shapes {mean.shape} and {sd.shape}"
        if not np.isfinite(mean).all() or not (np.isfinite(sd) & (sd >= 0)).all():
            return f"moments of {name} are not finite, or an sd is below 0"
    return ""


def checkpoints(points: Sequence[Checkpoint], data: Dataset) -> str:
    """Complaint on intermediate answers: their names, shapes and numbers."""
    shapes = {p.name: p.shape for p in data.parameters}
    for point in points:
        mean, sd = point.estimate.mean, point.estimate.sd
        objective: Any = point.estimate.objective
        where = f"the checkpoint of step {point.step}"
        for part in [mean] if sd is None else [mean, sd]:
            if {name: np.shape(value) for name, value in part.items()} != shapes:
                return f"{where} has other names or shapes than the draws"
            if not all(np.asarray(v).dtype.kind in "fiu" and np.isfinite(v).all() for v in part.values()):
                return f"{where} is not finite"
        if (sd is None) != (points[0].estimate.sd is None):
            return f"{where} has an sd where others have none"
        if (objective is None) != (points[0].estimate.objective is None):
            return f"{where} has an objective where others have none"
        if not isinstance(objective, int | float | np.number | None):
            return f"{where} has an objective that is no number ({type(objective).__name__})"
    return ""
