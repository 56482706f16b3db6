"""What point methods of every framework share: where they start, plug-in sigma, the step-size limit, their `Fit`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

from bench.types import Array, Budget, Dataset, Diverged, Estimate, Fit, Place
from scenarios.families.posteriors.design import rows

Loss = Literal["sum", "mean"]


class Program(NamedTuple):
    """What a point method needs beside the data."""

    options: Any
    steps: int
    place: Place


class State(NamedTuple):
    """The last iterate of a least-squares method, its cost in gradients of all data, and statistics of its own."""

    estimate: Estimate
    steps: int
    gradients: float
    stats: Mapping[str, Any] = MappingProxyType({})


def build(data: Dataset, budget: Budget, options: Any, place: Place) -> Program:
    """Nothing to compile."""
    return Program(options, budget.steps, place)


def start(data: Dataset, seed: int) -> dict[str, Array]:
    """A start per site: the scenario's, or U(−2, 2), its exponential above a bound, its logit in an interval."""
    rng = np.random.default_rng(seed)
    values = {}
    for p in data.sites:
        u = rng.uniform(-2, 2, p.shape)
        if p.lower < -2 and p.upper > 2:
            drawn = u
        elif p.lower + np.exp(2) < p.upper:
            drawn = p.lower + np.exp(u)
        else:
            drawn = p.lower + (p.upper - p.lower) / (1 + np.exp(-u))
        values[p.name] = np.asarray(data.start.get(p.name, drawn), np.float64)
    return values


def with_plug_in(data: Dataset, weights: Array, bias: Array | float, loss: float) -> dict[str, Array]:
    """Every parameter of the model at a least-squares point of that loss; sigma, if it is one, is √(RSS/N)."""
    point = {"weights": weights, "bias": np.asarray(bias, np.float64), "sigma": np.sqrt(loss)}
    return {name: point[name] for name in data.names}


def mean_squared_error(data: Dataset, weights: Array, bias: Array | float) -> float:
    """Mean of the squared residuals, in float64 whatever the fit computed in."""
    if data.chunk_rows:  # few rows stand for all, which are read for the first look only
        a, y, n = rows(data)
        residual = y - a @ (np.append(weights, bias) if "bias" in data.names else weights)
    else:
        n, residual = len(data.arrays["y"]), data.arrays["y"] - data.arrays["x"] @ weights - bias
    return float(np.sum(residual**2)) / n


def look(data: Dataset, step: int, weights: Array, bias: Array | float, *, limit: float | None = None) -> Estimate:
    """The estimate at a checkpoint, with the mean squared error; Diverged if anything in it is not finite."""
    weights = np.asarray(weights, np.float64)
    with np.errstate(all="ignore"):  # an overflow here is the divergence that the next line reports
        loss = mean_squared_error(data, weights, bias)
        point = with_plug_in(data, weights, bias, loss)
    if not np.isfinite(loss):
        reason = "" if limit is None or limit < 1 else f"; lr·λmax/2 = {limit:.3g} exceeds 1"
        raise Diverged(f"loss is {loss:g} at step {step}{reason}")
    return Estimate(point, objective=loss)


def step_limit(data: Dataset, lr: float, loss: Loss) -> float:
    """lr·λmax/2 of the least-squares Hessian on these data: gradient descent is stable below 1."""
    design = data.arrays["x"]
    if "bias" in data.names:
        design = np.column_stack([design, np.ones(len(design))])
    curvature = float(np.linalg.norm(design, 2)) ** 2
    return lr * curvature / (len(design) if loss == "mean" else 1)


def draw(state: State) -> Fit:
    """One chain of one draw; sigma, where it is a parameter, is plugged in and marked so."""
    point = state.estimate.mean
    stats: dict[str, Any] = {"objective": "least_squares", "steps": state.steps, "gradients": state.gradients}
    stats |= state.stats
    notes: tuple[str, ...] = ()
    if "sigma" in point:
        stats["plug_in"] = ("sigma",)
        notes = ("sigma is plugged in as √(RSS/N): this method does not estimate it",)
    if "lr_limit" in stats:
        notes += (f"lr·λmax/2 = {stats['lr_limit']:.3g} on these data; the iteration is stable below 1",)
    draws = {name: np.asarray(value)[None, None] for name, value in point.items()}
    return Fit("point", draws, stats=stats, notes=notes)
