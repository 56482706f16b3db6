"""Each family as a PyMC model, and the log density PyMC makes of it."""

from __future__ import annotations

import pymc as pm

from backends._shared import pymc_laws as laws
from backends._shared import pymc_models as shared
from bench.types import Array, Dataset, Place

MODELS: dict[str, shared.Write] = {
    "linear": shared.regression(laws.normal),
    "two_groups": shared.two_groups,
    "logistic": shared.regression(laws.bernoulli),
    "robust": shared.regression(laws.student_t),
    "binomial": shared.regression(laws.binomial),
    "poisson": shared.regression(laws.poisson),
    "negative_binomial": shared.regression(laws.negative_binomial),
    "gamma": shared.regression(laws.gamma),
    "eight_schools": shared.eight_schools,
    "varying_intercept": shared.regression(laws.normal),
    "grouped_regression": lambda data, arrays: MODELS[data.law](data, arrays),
    "model": shared.own,
}


def model(data: Dataset) -> pm.Model:
    """The model of the data's family, with the arrays of `data` for a start."""
    return shared.model(MODELS[data.family], data)


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    return shared.log_density(MODELS[data.family], data, z, place)
