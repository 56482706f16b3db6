"""Adam on one vector of parameters: the loop of `torch.adam` and `torch.map`; one step is one full-data gradient.

Objective, start and looks are those of `torch.lbfgs`, too.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from backends._shared import point, stream
from backends.torch import batches, models
from backends.torch.batches import Evaluation
from backends.torch.gradients import by_autograd
from bench.data import family
from bench.types import Array, Arrays, Budget, Clock, Dataset, Diverged, Estimate, Fit, Place, Unsupported

Objective = Literal["map", "map_unconstrained", "least_squares"]
Trail = list[tuple[int, float]]
DESCENDING = 1e-3
"""Nats over the last tenth of the steps: a MAP whose objective falls by more has not arrived."""


class Program(NamedTuple):
    """What `fit` needs beside the data."""

    objective: Objective
    lr: float
    steps: int
    place: Place
    gradient: models.Choice
    lr_decay: float = 1.0
    batch_size: int = 0
    """Rows per step; 0: all."""


class State(NamedTuple):
    """The last iterate, with a note where it has not arrived at the optimum."""

    estimate: Estimate
    steps: int
    gradients: float
    objective: Objective
    notes: tuple[str, ...]


def build(
    data: Dataset, budget: Budget, place: Place, *, objective: Objective, lr: float, gradient: models.Choice,
    lr_decay: float = 1.0, batch_size: int = 0,
) -> Program:  # fmt: skip
    """Nothing to compile; Unsupported for least squares or mini-batches without a regression."""
    if objective == "least_squares" and data.family != "linear":
        raise Unsupported(f"least squares needs a regression, and {data.family} is none")
    if batch_size:
        stream.check(data, batch_size)
    if not 0 < lr_decay <= 1:
        raise Unsupported(f"lr_decay={lr_decay:g}: it must be above 0 and at most 1")
    return Program(objective, lr, budget.steps, place, gradient, lr_decay, batch_size)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Minimise from the scenario's start; Diverged when a parameter leaves its support or the finite numbers."""
    objective, lr, steps, place, *_ = program
    first, rows = vector(data, objective, point.start(data, seed)), program.batch_size
    share = rows / len(data.arrays["y"]) if rows else 1.0
    with clock("transfer"):
        arrays = {} if rows else models.to_tensors(data.arrays, place)
        theta = models.to_tensors({"theta": first}, place)["theta"]
    make = partial(evaluation, objective, data, choice=program.gradient)
    evaluate = batches.of_all(data, objective) if rows else make(arrays)
    by_batch = batches.gradients(make, data, place, rows, seed) if rows else None
    trail: Trail = []
    with clock("sample"):
        optimiser = torch.optim.Adam([theta], lr=lr, fused=True)
        for step in range(1, steps + 1):
            theta.grad = evaluate(theta)[1] if by_batch is None else next(by_batch)(theta)
            optimiser.param_groups[0]["lr"] = lr * program.lr_decay ** max(0.0, 2.0 * step / steps - 1.0)
            optimiser.step()
            glance = partial(_look_and_note, trail, data, evaluate, step, theta, objective)
            if clock.checkpoint(step, glance, gradients=step * share):
                steps = step
                break
    last = look(data, evaluate, steps, theta, objective)
    notes = () if rows else _unfinished(trail, last, steps, optimiser, objective)
    return State(last, steps, steps * share, objective, notes)


def draw(state: State) -> Fit:
    """The last iterate; sigma is plugged in where the objective has none."""
    if state.objective == "least_squares":
        return point.draw(point.State(state.estimate, state.steps, state.gradients))
    draws = {name: value[None, None] for name, value in state.estimate.mean.items()}
    stats = {"objective": state.objective, "steps": state.steps, "gradients": state.gradients}
    return Fit("point", draws, stats=stats, notes=state.notes)


def evaluation(objective: Objective, data: Dataset, arrays: models.Tensors, choice: models.Choice) -> Evaluation:
    """The objective (), and its gradient (dim,)."""
    if objective == "least_squares":
        return by_autograd(partial(_sum_of_squares, data, arrays))
    log_density = models.value_and_slope(data, arrays, choice, natural=objective == "map")

    def negative(theta: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = log_density(theta.unsqueeze(0))
        return -value[0], -slope[0]

    return negative


def _sum_of_squares(data: Dataset, arrays: models.Tensors, theta: Tensor) -> Tensor:
    features = arrays["x"].shape[1]
    mean = arrays["x"] @ theta[:features]
    return (arrays["y"] - (mean + theta[features] if "bias" in data.names else mean)).square().sum()


def vector(data: Dataset, objective: Objective, start: Arrays) -> Array:
    """What is optimised: all parameters, all of them unconstrained, or weights and bias alone."""
    if objective == "map_unconstrained":
        fam = family(data.family)
        return fam.unconstrain(data, fam.from_sites(data, start))
    names = [p.name for p in data.sites if objective == "map" or p.name in ("weights", "bias")]
    return np.concatenate([np.ravel(start[n]) for n in names])


@torch.no_grad()
def look(data: Dataset, evaluate: Evaluation, step: int, theta: Tensor, objective: Objective) -> Estimate:
    """What stands in theta (dim,), on the natural scale, with its objective; Diverged where that is not finite."""
    if objective == "least_squares":
        weights, bias = np.split(theta.double().cpu().numpy().copy(), [data.parameter("weights").size])
        return point.look(data, step, weights, bias[0] if bias.size else 0.0)
    params = models.split(data, theta) if objective == "map" else models.constrain(data, theta)[0]
    loss = float(evaluate(theta)[0])
    values = {name: value.double().cpu().numpy().copy() for name, value in params.items()}
    if not np.isfinite(loss):
        raise Diverged(f"loss is {loss:g} at step {step}: {_culprit(data, values)}")
    return Estimate(family(data.family).from_sites(data, values), objective=loss)


def _look_and_note(trail: Trail, data: Dataset, evaluate: Evaluation, step: int, *rest: Any) -> Estimate:
    """`_look`, with its objective appended to the trail."""
    estimate = look(data, evaluate, step, *rest)
    trail.append((step, estimate.objective or 0.0))
    return estimate


def _unfinished(
    trail: Trail, last: Estimate, steps: int, optimiser: torch.optim.Adam, objective: Objective
) -> tuple[str, ...]:
    """A note on a MAP that still descends: Adam scales by squared gradients averaged over about a thousand steps."""
    before = [point for point in trail if point[0] <= 0.9 * steps]
    if objective == "least_squares" or not before or last.objective is None:
        return ()
    step, value = before[-1]
    if (fell := value - last.objective) < DESCENDING:
        return ()
    (theta,) = optimiser.param_groups[0]["params"]
    remembered = optimiser.state[theta]["exp_avg_sq"].sqrt()
    worst = int(remembered.argmax())
    now = float(theta.grad[worst].abs())
    return (
        f"not at its optimum: the objective fell by {fell:.2g} nats from step {step} to {steps}; Adam still scales by "
        f"earlier gradients (root mean square {float(remembered[worst]):.3g} where the last is {now:.3g}), so its "
        "steps are short",
    )


def _culprit(data: Dataset, values: Arrays) -> str:
    """The parameter outside its support, or the ones that are no longer numbers."""
    for p in data.sites:
        outside = values[p.name][(values[p.name] <= p.lower) | (values[p.name] >= p.upper)]
        if outside.size:
            return f"{p.name} = {outside[0]:.4g} left ({p.lower:g}, {p.upper:g}), as it can on its natural scale"
    lost = [name for name in values if not np.isfinite(values[name]).all()]
    return f"{', '.join(lost) or 'the log density'} is not finite: a step left the support, or lr is too large"
