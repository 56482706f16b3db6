"""ChEES or NUTS on what is sufficient for a Gaussian regression: a triangle of QR in the place of all rows.

The residuals of y on a design A are those of p + 1 rows, the triangle of [A y], turned: |y − Aθ|² = |r − Rθ|² for every
θ, without the cancellation of A'A. The factor costs 2n(p + 1)² operations once, inside the warmup's clock, a gradient
p² afterwards, however many rows. It is the posterior of `torch.nuts` to rounding, but a structure that the others are
not told: a row for what it is worth, not a rival of samplers that take any density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from backends.torch import chees, nuts, sampler
from backends.torch.likelihoods import design
from backends.torch.models import Tensors
from backends.torch.sampler import compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, option

__all__ = ["DEVICES", "FAMILIES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
FAMILIES = ("linear",)
DEVICES = ("cpu", "cuda")
NOTE = "structured: a triangle of p + 1 rows stands for the data, as it can where noise is Gaussian"


@dataclass(frozen=True)
class Options:
    """Which sampler, and how it is tuned; all else is the default of that sampler."""

    sampler: Literal["chees", "nuts"] = option("chees", "torch.chees or torch.nuts")
    ensemble: int = option(32, "chains of torch.chees that warm up together; at least as many as the budget has")
    target_accept: float = option(0.8, "target of step-size adaptation")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Nothing to compile; Unsupported where the sampler's own build says so."""
    if options.sampler == "nuts":
        program = nuts.build(data, budget, nuts.Options(target_accept=options.target_accept), place)
    else:
        chosen = chees.Options(ensemble=options.ensemble, target_accept=options.target_accept)
        program = chees.build(data, budget, chosen, place)
    return program._replace(reduce=triangle, notes=(NOTE,))


def triangle(data: Dataset, arrays: Tensors) -> dict[str, Tensor]:
    """The arrays of a regression on p + 1 rows, or on all where they are fewer, with the `count` of observations."""
    y = arrays["y"] - arrays["offset"] if "offset" in arrays else arrays["y"]
    factor = torch.linalg.qr(torch.cat([design(arrays, bias="bias" in data.names), y.unsqueeze(-1)], 1), mode="r").R
    return {"x": arrays["x"][:0], "design": factor[:, :-1], "y": factor[:, -1], "count": y.new_tensor(len(y))}
