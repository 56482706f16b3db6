"""What MAP by a delta guide shares between frameworks: an iterate as the answer, and as a `Fit`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.data import family
from bench.types import Arrays, Dataset, Diverged, Estimate, Fit


class State(NamedTuple):
    """The last iterate."""

    estimate: Estimate
    steps: int


def look(data: Dataset, sites: Arrays, loss: float, step: int) -> Estimate:
    """The parameters after this step, and the loss there; Diverged where one of them is not finite."""
    params = family(data.family).from_sites(data, sites)
    if not (np.isfinite(loss) and all(np.isfinite(x).all() for x in params.values())):
        raise Diverged(f"loss is {loss:g} at step {step}; a smaller lr may help")
    return Estimate({name: params[name] for name in data.names}, objective=loss)


def draw(state: State) -> Fit:
    """The last iterate."""
    draws = {name: value[None, None] for name, value in state.estimate.mean.items()}
    return Fit("point", draws, stats={"objective": "map", "steps": state.steps, "gradients": state.steps})
