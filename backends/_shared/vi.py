"""What SVI of every framework shares: options that mean something, what a fit leaves, and draws of q as a `Fit`."""

from __future__ import annotations

from typing import Any, NamedTuple

from backends._shared.search import Outcome
from bench.data import family
from bench.types import Array, Dataset, Estimate, Fit, Unsupported

DRAWS = 4000
MOMENT_DRAWS, MOMENT_DRAWS_AT_CHECKPOINTS = 100_000, 10_000
"""Draws of q behind its moments where these have no quadrature; the clock stands still meanwhile."""

UNFINISHED = 1.0
"""Nats that a q which has arrived does not gain by a lower rate."""


class State(NamedTuple):
    """Moments of q, draws z of it with the log density of q there, and the cost."""

    data: Dataset
    estimate: Estimate
    z: Array
    log_q: Array
    stats: dict[str, Any]


def check(options: Any) -> None:
    """Unsupported for settings without a meaning."""
    if options.restarts < 1 or options.particles < 1 or options.window < 0 or not 0 < options.lr_decay <= 1:
        raise Unsupported(
            f"restarts={options.restarts}, particles={options.particles}, window={options.window}, lr_decay="
            f"{options.lr_decay:g}: allowed are 1 or more, 1 or more, 0 or more, and above 0 to 1"
        )


def statistics(outcome: Outcome, gradients: float) -> dict[str, Any]:
    """Those of a search whose steps are so many gradients of all data each."""
    return {
        **{"steps": outcome.steps, "gradients": outcome.steps * gradients, "stop": outcome.stop},
        "late_gain": outcome.late_gain,
    }


def draw(state: State) -> Fit:
    """4000 independent draws of q as one chain with their log density, and its moments.

    A note where the rate was lowered too early: q was on its way yet.
    """
    draws = family(state.data.family).constrain(state.data, state.z)
    of_q = {name: (state.estimate.mean[name], state.estimate.sd[name]) for name in draws} if state.estimate.sd else {}
    stats = {**state.stats, "log_q": state.log_q[None]}
    gain, steps, notes = stats["late_gain"], stats["steps"], ()
    if gain > UNFINISHED:
        notes = (f"{steps} steps were too few: the ELBO still rose by {gain:.2g} nats while the rate was lowered",)
    return Fit("vi", {name: value[None] for name, value in draws.items()}, stats=stats, notes=notes, moments=of_q)
