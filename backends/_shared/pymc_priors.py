"""Each prior as a PyMC variable, on the unconstrained scale that every framework here shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pymc as pm
from pymc.distributions import transforms
from pymc.logprob.transforms import Transform
from pytensor.tensor import TensorVariable

from bench.types import Parameter, Prior

_DISTRIBUTIONS: dict[str, Callable[..., TensorVariable]] = {
    "normal": pm.Normal,
    "uniform": pm.Uniform,
    "student_t": lambda name, df, loc, scale, **how: pm.StudentT(name, nu=df, mu=loc, sigma=scale, **how),
    "cauchy": pm.Cauchy,
    "exponential": pm.Exponential,
    "half_normal": pm.HalfNormal,
    "half_cauchy": pm.HalfCauchy,
    "log_normal": pm.LogNormal,
}
"""By name, called with arguments in the order of `bench.types.PRIORS`."""


def sample(prior: Prior, parameter: Parameter) -> TensorVariable:
    """The variable of `parameter`, of its name and shape, in the model that is being written."""
    shape, transform = parameter.shape, transform_of(parameter)
    if prior.name == "flat":
        flat = pm.HalfFlat if parameter.lower == 0 else pm.Flat
        return flat(parameter.name, shape=shape, default_transform=transform)
    arguments = (np.array(a) if isinstance(a, tuple) else a for a in prior.args)
    return _DISTRIBUTIONS[prior.name](parameter.name, *arguments, shape=shape, default_transform=transform)


def transform_of(parameter: Parameter) -> Transform | None:
    """Identity, the logarithm of the distance to a lower bound, or the logit of an interval; stated, never left to
    PyMC's default for a distribution.
    """
    if np.isfinite(parameter.upper):
        return transforms.Interval(parameter.lower, parameter.upper)
    if parameter.lower == 0:
        return transforms.log
    return transforms.Interval(parameter.lower, None) if np.isfinite(parameter.lower) else None
