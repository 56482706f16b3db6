"""A problem whose exact posterior has independent normal marginals, and fits of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from scipy import stats

from bench.data import flatten
from bench.errors import NoReference
from bench.protocols import Family
from bench.score.problem import Problem, Row, Scored
from bench.types import Array, Arrays, Checkpoint, Dataset, Fit, Kind, Parameter

PARAMETERS = (Parameter("weights", (2,)), Parameter("bias"), Parameter("sigma", (), 0.0))
PRIOR_VARIANCE_SIGMA = 25.0
SIZES = {"weights": 2, "bias": 1, "sigma": 1}
TRUTH = {"weights": np.array([1.5, -2.8]), "bias": np.array(0.5), "sigma": np.array(0.7)}
WARM = {"build": 1.0, "compile": 10.0, "warmup": 2.0, "sample": 3.0, "transfer": 0.5}


class NormalReference:
    """Independent normal marginals; the variance of a squared N(0, s) is 2 s⁴."""

    method = "closed form"
    log_evidence = 0.0

    def __init__(self, mean: Arrays, sd: Arrays, n_effective: float = np.inf) -> None:
        self.log_evidence_se = 0.0
        self.mean, self.sd, self.n_effective = mean, sd, n_effective
        self.centred_square_variance = {name: 2.0 * s**4 for name, s in sd.items()}

    def cdf(self, name: str, x: Array) -> Array:
        return np.asarray(stats.norm.cdf(x, self.mean[name], self.sd[name]))

    def quantile(self, name: str, p: Array) -> Array:
        z = np.reshape(stats.norm.ppf(p), (-1, *[1] * self.mean[name].ndim))
        return np.asarray(self.mean[name] + self.sd[name] * z)

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        return {k: m + self.sd[k] * rng.standard_normal((n, *m.shape)) for k, m in self.mean.items()}


class Line:
    """The parts of a family that metrics use: y ~ N(x·weights + bias, sigma); p(θ | y) is `reference`, evidence 1."""

    OPAQUE = False

    def __init__(self, reference: NormalReference) -> None:
        self.reference_ = reference

    def discrete(self, data: Dataset) -> bool:
        return False

    def unconstrain(self, data: Dataset, draws: Arrays) -> Array:
        return flatten(PARAMETERS, draws)

    def log_density(self, data: Dataset, z: Array) -> tuple[Array, Array]:
        mean, sd = (flatten(PARAMETERS, x) for x in (self.reference_.mean, self.reference_.sd))
        return stats.norm.logpdf(z, mean, sd).sum(axis=-1), -(z - mean) / sd**2

    def prior_variance(self, data: Dataset) -> dict[str, Array]:
        return {"weights": np.array([4.0, 4.0]), "bias": np.array(16.0), "sigma": np.array(PRIOR_VARIANCE_SIGMA)}

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return np.asarray(draws["weights"] @ arrays["x"].T + np.asarray(draws["bias"])[..., None])

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        scale = np.asarray(draws["sigma"])[..., None]
        return np.asarray(stats.norm.logpdf(arrays["y"], self.predict(data, draws, arrays), scale))

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        scale = np.asarray(draws["sigma"])[..., None]
        return np.asarray(stats.norm.cdf(arrays["y"], self.predict(data, draws, arrays), scale))

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array]:
        return {"prediction": self.predict(data, draws, data.predict)} if data.predict else {}

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        residual = data.arrays["y"] - self.predict(data, params, data.arrays)
        return 0.5 * float(residual @ residual)

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        if name != "least_squares":
            raise NoReference(f"{name} has no closed form here")
        design = np.column_stack([data.arrays["x"], np.ones(len(data.arrays["y"]))])
        found = np.linalg.lstsq(design, data.arrays["y"])[0]
        best = {"weights": found[:2], "bias": found[2]}
        return best, self.objective(data, name, best)


def make_problem(
    *, loc: float = 0.0, sd: float = 1.0, holdout: Arrays | None = None, n_effective: float = np.inf, exact: bool = True
) -> Problem:
    """A problem with posterior N(TRUTH + loc, sd) in every scalar, 20 rows of data and the hold-out given."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((20, 2))
    data = Dataset(
        family="line",
        parameters=PARAMETERS,
        arrays={"x": x, "y": x @ TRUTH["weights"] + 0.5 + 0.7 * rng.standard_normal(20)},
        priors={},
        truth=TRUTH,
        holdout=holdout or {},
    )
    spread = {name: np.full_like(value, sd) for name, value in TRUTH.items()}
    reference = NormalReference({name: v + loc for name, v in TRUTH.items()}, spread, n_effective)
    return Problem(data, cast(Family, Line(reference)), reference if exact else None)


def as_draws(scalars: Array) -> dict[str, Array]:
    """(chain, draw, 4) → {parameter: (chain, draw, *shape)}."""
    return {"weights": scalars[..., :2], "bias": scalars[..., 2], "sigma": scalars[..., 3]}


def of_posterior(problem: Problem, z: Array, *, shift: float = 0.0, scale: float = 1.0) -> dict[str, Array]:
    """Draws at posterior mean + sd·(shift + scale·z), z (chain, draw, 4)."""
    mean, sd, _ = problem.moments
    return as_draws(mean + sd * (shift + scale * z))


READING = 2e-4
"""Seconds in which the machine of a fit reads the data once."""


def make_scored(
    problem: Problem,
    kind: Kind,
    draws: Arrays,
    *,
    seconds: Mapping[str, float] | None = None,
    cold: bool = False,
    checkpoints: Sequence[Checkpoint] = (),
    moments: Mapping[str, tuple[Array, Array]] | None = None,
    **stats: Any,
) -> Scored:
    fit = Fit(kind, draws, stats=stats, moments=moments or {})
    return Scored(problem, fit, WARM if seconds is None else seconds, cold, checkpoints, threads=2, reading=READING)


def table(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """{metric: {part: value}}; fails on a duplicate."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        assert row.part not in found.setdefault(row.metric, {}), row
        found[row.metric][row.part] = row.value
    return found
