"""J schools' effects with known errors: y_j ~ Normal(theta_j, s_j), theta_j ~ Normal(mu, tau) (Rubin 1981).

The parameters are mu, tau and theta whatever the model samples: see `hierarchy` for the two parametrisations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy

from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset
from scenarios.families.hierarchy import hierarchy, hierarchy_optimum
from scenarios.families.hierarchy.eight_schools_data import coordinates, parameters, simulate, start
from scenarios.families.hierarchy.eight_schools_settings import KEYS, PRIORS, check, notes, settings
from scenarios.families.hierarchy.hierarchy import (
    constrain,
    from_sites,
    prior_draw,
    prior_variance,
    to_sites,
    unconstrain,
)
from scenarios.families.posteriors.known_errors import EightSchoolsPosterior, GivenTau

__all__ = [
    "KEYS", "PRIORS", "check", "constrain", "coordinates", "derived", "from_sites", "log_density", "log_likelihood",
    "notes", "objective", "observation_cdf", "optimum", "parameters", "predict", "prior_predictive", "prior_variance",
    "reference", "settings", "simulate", "start", "to_sites", "unconstrain",
]  # fmt: skip

_LOG_2PI = math.log(2.0 * math.pi)


def predict(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Expected estimate of every row: theta (..., J) at `school` (n,), the data's own where absent: (..., n)."""
    theta = np.asarray(draws["theta"], dtype=float)
    return theta[..., arrays["school"].astype(np.intp)] if "school" in arrays else theta


def log_likelihood(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Pointwise log p(y_i | draw) at `arrays` y and errors (n,), and `school` (n,) of new rows: (..., n)."""
    standard = (arrays["y"] - predict(data, draws, arrays)) / arrays["errors"]
    return np.asarray(-0.5 * standard**2 - np.log(arrays["errors"]) - 0.5 * _LOG_2PI)


def observation_cdf(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y_i ≤ y_i | draw) at `arrays` as for `log_likelihood`: (..., n)."""
    return np.asarray(scipy.special.ndtr((arrays["y"] - predict(data, draws, arrays)) / arrays["errors"]))


def derived(data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """`largest`: the events that theta_j is the largest of all, (..., J)."""
    theta = np.asarray(draws["theta"], dtype=float)
    return {"largest": theta == theta.max(axis=-1, keepdims=True)}


def prior_predictive(data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """A truth from the priors and estimates of it with the errors of `data`; NoReference for a flat prior."""
    truth, errors = prior_draw(data, rng), data.arrays["errors"]
    return truth, {**data.arrays, "y": truth["theta"] + errors * rng.standard_normal(len(errors))}


def _likelihood(data: Dataset, draws: Arrays) -> tuple[Array, dict[str, Array]]:
    residual = data.arrays["y"] - draws["theta"]
    slope = residual / np.square(data.arrays["errors"])
    return log_likelihood(data, draws, data.arrays).sum(axis=-1), {"theta": slope}


def log_density(data: Dataset, z: Array) -> tuple[Array, Array]:
    """Log joint density of data and z with Jacobian, and its gradient: (...), (..., dim)."""
    return hierarchy.log_density(data, z, _likelihood)


def reference(data: Dataset) -> Reference:
    """The exact posterior; NoReference where tau has no fourth moment."""
    return EightSchoolsPosterior(data)


def objective(data: Dataset, name: str, params: Arrays) -> float:
    """`map` or `map_unconstrained` of the sites, in nats, to be minimised; ValueError for another name."""
    return hierarchy.objective(data, name, params, _likelihood)


def optimum(data: Dataset, name: str) -> tuple[dict[str, Array], float]:
    """The minimiser and least value of `objective`; NoReference for a centred model whose density is unbounded."""
    given = GivenTau(data)

    def mode(scales: Mapping[str, float]) -> dict[str, Array]:
        means = given.moments(np.array([scales["tau"]]))[0][0]
        return {"mu": means[0], "theta": means[1:]}

    return hierarchy_optimum.optimum(data, name, {"tau": float(np.median(data.arrays["errors"]))}, mode, _likelihood)
