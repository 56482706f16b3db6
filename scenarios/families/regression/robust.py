"""Robust regression: y = X·weights + bias + sigma·ε, ε Student's t of `df` degrees of freedom; priors independent."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy

from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset
from scenarios.families.common import transforms
from scenarios.families.common.direct import (
    constrain,
    coordinates,
    from_sites,
    prior_draw,
    prior_variance,
    to_sites,
    unconstrain,
)
from scenarios.families.posteriors import importance
from scenarios.families.regression import linear_optimum, regression
from scenarios.families.regression.regression import predictor as predict
from scenarios.families.regression.regression import scale_of
from scenarios.families.regression.robust_data import parameters, simulate, start
from scenarios.families.regression.robust_settings import KEYS, PRIOR_DEFAULTS, PRIORS, check, notes, settings

__all__ = [
    "KEYS", "PRIORS", "PRIOR_DEFAULTS", "check", "constrain", "coordinates", "derived", "from_sites", "log_density",
    "log_likelihood", "notes", "objective", "observation_cdf", "optimum", "parameters", "predict", "prior_predictive",
    "prior_variance", "reference", "settings", "simulate", "start", "to_sites", "unconstrain",
]  # fmt: skip


def log_likelihood(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Pointwise log p(y_i | draw) at `arrays` x (n, J), y (n,): (..., n)."""
    sigma, df = scale_of(data, draws, "sigma")[..., None], scale_of(data, draws, "df")[..., None]
    ratio = (arrays["y"] - predict(data, draws, arrays)) / sigma
    return np.asarray(_constant(df) - np.log(sigma) - 0.5 * (df + 1.0) * np.log1p(np.square(ratio) / df))


def observation_cdf(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y_i ≤ y_i | draw) at `arrays` x (n, J), y (n,): (..., n)."""
    sigma, df = scale_of(data, draws, "sigma")[..., None], scale_of(data, draws, "df")[..., None]
    return np.asarray(scipy.special.stdtr(df, (arrays["y"] - predict(data, draws, arrays)) / sigma))


def derived(data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """`prediction`: the centre of an observation at the scenario's new inputs (m, J), (..., m); empty without them."""
    return regression.derived(data, draws, predict)


def prior_predictive(data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """A truth from the priors and observations of it at the features of `data`; NoReference for a flat prior."""
    truth, x = prior_draw(data, rng), data.arrays["x"]
    noise = rng.standard_t(float(scale_of(data, truth, "df")), len(x))
    return truth, {**data.arrays, "y": predict(data, truth, {"x": x}) + scale_of(data, truth, "sigma") * noise}


def log_density(data: Dataset, z: Array) -> tuple[Array, Array]:
    """Log joint density of data and z, with Jacobian, and its gradient, (...) and (..., dim)."""

    def likelihood(y: Array, mean: Array, params: Arrays) -> tuple[Array, Array, Arrays]:
        sigma = np.broadcast_to(scale_of(data, params, "sigma"), mean.shape[:1])
        df = np.broadcast_to(scale_of(data, params, "df"), mean.shape[:1])
        ratio = (y - mean) / sigma[:, None]
        logs = np.log1p(np.square(ratio) / df[:, None])
        pull = (df[:, None] + 1.0) * ratio / (df[:, None] + np.square(ratio))
        weighted, total = (pull * ratio).sum(axis=-1), logs.sum(axis=-1)
        value = len(y) * (_constant(df) - np.log(sigma)) - 0.5 * (df + 1.0) * total
        slopes = {"sigma": (weighted - len(y)) / sigma}
        if "df" in data.names:
            digammas = scipy.special.digamma(0.5 * (df + 1.0)) - scipy.special.digamma(0.5 * df)
            slopes["df"] = 0.5 * (len(y) * (digammas - 1.0 / df) - total + weighted / df)
        return value, pull / sigma[:, None], slopes

    return regression.log_density(data, z, likelihood)


def _constant(df: Array) -> Array:
    return np.asarray(
        scipy.special.gammaln(0.5 * (df + 1.0)) - scipy.special.gammaln(0.5 * df) - 0.5 * np.log(df * math.pi)
    )


def reference(data: Dataset) -> Reference:
    """The posterior by importance sampling, with its own errors; NoReference where they are not to be trusted."""
    return importance.posterior(data, log_density, constrain, _begin(data))


def objective(data: Dataset, name: str, params: Arrays) -> float:
    """`map` (natural scale) or `map_unconstrained` (with Jacobian), to be minimised, in nats; else ValueError."""
    return regression.objective(data, name, params, log_density)


def optimum(data: Dataset, name: str) -> tuple[dict[str, Array], float]:
    """The minimiser and least value of `objective`; ValueError for another name, NoReference where there is none."""
    return regression.optimum(data, name, log_density, _begin(data))


def _begin(data: Dataset) -> Array:
    """Least squares, sigma by the median absolute residual, and 4 degrees of freedom, drawn inside the supports."""
    design, y = linear_optimum.design(data), data.arrays["y"]
    coefficients = scipy.linalg.lstsq(design, y, lapack_driver="gelsd")[0]
    spread = float(np.median(np.abs(y - design @ coefficients)))
    located = [p for p in data.parameters if p.name in ("weights", "bias")]
    begun = transforms.unflatten(located, coefficients) | {"sigma": np.array(1.5 * spread or 1.0), "df": np.array(4.0)}
    for p in data.parameters:
        if math.isfinite(p.upper):
            margin = 0.01 * (p.upper - p.lower)
            begun[p.name] = np.clip(begun[p.name], p.lower + margin, p.upper - margin)
    return transforms.unconstrain(data.parameters, begun)
