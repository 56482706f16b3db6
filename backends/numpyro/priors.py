"""Each prior as a NumPyro distribution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints

from bench.types import Parameter, Prior

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


def distribution(prior: Prior, parameter: Parameter) -> dist.Distribution:
    """The joint prior of all elements of `parameter`; a flat one lives on the parameter's support."""
    event_dims = len(parameter.shape)
    if prior.name == "flat":
        return flat(parameter)
    arguments = (np.array(a) if isinstance(a, tuple) else a for a in prior.args)
    elementwise = _DISTRIBUTIONS[prior.name](*arguments)
    return elementwise.expand(parameter.shape).to_event(event_dims) if event_dims else elementwise


def flat(parameter: Parameter) -> dist.Distribution:
    """Density 1 on the parameter's support."""
    low, high = parameter.lower, parameter.upper
    if np.isfinite(high):
        support = constraints.interval(low, high)
    elif np.isfinite(low):
        support = constraints.greater_than(low) if low else constraints.positive
    else:
        support = constraints.real
    return dist.ImproperUniform(support, (), parameter.shape)
