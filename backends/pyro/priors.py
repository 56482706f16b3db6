"""Each prior as a Pyro distribution."""

from __future__ import annotations

from collections.abc import Callable

import pyro.distributions as dist
import torch
from pyro.distributions import constraints

from backends._shared.pytorch import dtype_of
from bench.types import Parameter, Place, Prior

_DISTRIBUTIONS: dict[str, Callable[..., dist.Distribution]] = {
    "normal": dist.Normal,
    "uniform": dist.Uniform,
    "student_t": dist.StudentT,
    "cauchy": dist.Cauchy,
    "exponential": dist.Exponential,
    "half_normal": dist.HalfNormal,
    "half_cauchy": dist.HalfCauchy,
    "log_normal": dist.LogNormal,
}


def distribution(prior: Prior, parameter: Parameter, place: Place) -> dist.Distribution:
    """The joint prior of all elements of `parameter`; a flat one lives on the parameter's support."""
    event_dims = len(parameter.shape)
    if prior.name == "flat":
        support = constraints.positive if parameter.lower == 0 else constraints.real
        return dist.ImproperUniform(constraints.independent(support, event_dims), (), parameter.shape)
    arguments = [torch.tensor(a, dtype=dtype_of(place), device=place.device) for a in prior.args]
    elementwise = _DISTRIBUTIONS[prior.name](*arguments)
    return elementwise.expand(parameter.shape).to_event(event_dims)
