"""A posterior known by weighted draws: moments with their own standard errors, quantiles, and draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.types import Array, Arrays, Dataset
from scenarios.families.common import transforms

STORED = 32_768
"""Draws kept to draw from."""
LEVELS = np.concatenate(
    [
        np.geomspace(1e-5, 1e-3, 60, endpoint=False),
        np.linspace(1e-3, 0.999, 2000),
        1.0 - np.geomspace(1e-3, 1e-5, 61)[1:],
    ]
)
"""Where quantiles are kept: between two of them the distribution function is off by less than 5e-4, its own error."""


class WeightedPosterior:
    """A `Reference` with a Monte-Carlo error of its own (see `bench.types.Reference`), which `n_effective` states.

    `n_effective` is the least, over parameters θ and centred squares (θ − Eθ)², of variance / (standard error)².
    """

    method: str
    mean: Arrays
    sd: Arrays
    centred_square_variance: Arrays

    def __init__(self, data: Dataset, state: Mapping[str, Array]) -> None:
        """From a `state`, as `summarise` or an earlier `WeightedPosterior.state` gave it."""
        self._parameters, self._state = data.parameters, dict(state)
        self.method = str(state["method"])
        self.log_evidence, self.log_evidence_se = float(state["log_evidence"]), float(state["log_evidence_se"])
        self.n_effective, self.k_hat = float(state["n_effective"]), float(state["k_hat"])
        self.mean, self.sd = self._named(state["mean"]), self._named(state["sd"])
        self.centred_square_variance = self._named(state["centred_square_variance"])

    def _named(self, vector: Array) -> dict[str, Array]:
        return transforms.unflatten(self._parameters, vector)

    def state(self) -> dict[str, Any]:
        """Arrays from which `WeightedPosterior(data, state)` is made again."""
        return dict(self._state)

    def _quantiles(self, name: str) -> Array:
        """Of a parameter at LEVELS, a column per scalar."""
        return np.asarray(self._state["quantiles"][:, transforms.columns(self._parameters, name)])

    def cdf(self, name: str, x: Array) -> Array:
        """Marginal distribution function at x (..., *shape), same shape; 0 and 1 beyond the outermost levels."""
        x, kept = np.asarray(x, dtype=float), self._quantiles(name)
        flat = x.reshape(-1, kept.shape[1])
        columns = [np.interp(flat[:, i], kept[:, i], LEVELS, left=0.0, right=1.0) for i in range(kept.shape[1])]
        return np.asarray(np.stack(columns, axis=1).reshape(x.shape))

    def quantile(self, name: str, p: Array) -> Array:
        """Marginal quantiles at p (k,) in (0, 1): (k, *shape); those of the outermost levels beyond them."""
        p, kept = np.asarray(p, dtype=float), self._quantiles(name)
        shape = {q.name: q.shape for q in self._parameters}[name]
        columns = [np.interp(p, LEVELS, kept[:, i]) for i in range(kept.shape[1])]
        return np.asarray(np.stack(columns, axis=-1).reshape(*p.shape, *shape))

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draws {name: (n, *shape)}: distinct ones of those kept while they last, then again."""
        kept = self._state["draws"]
        rounds = [rng.permutation(len(kept)) for _ in range(math.ceil(n / len(kept)))]
        chosen = np.concatenate(rounds)[:n] if rounds else np.empty(0, dtype=int)
        return self._named(kept[chosen])


def standard_error(values: Array, weights: Array) -> Array:
    """Of the self-normalised mean Σ w·f (delta method): values (n, k), weights (n,) of sum 1 → (k,)."""
    centred = values - weights @ values
    return np.asarray(np.sqrt(np.square(weights) @ np.square(centred)))


def summarise(values: Array, weights: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Moments, quantiles and kept draws of weighted draws: values (n, scalar), weights (n,) of sum 1."""
    mean = weights @ values
    squares = np.square(values - mean)
    variance = weights @ squares
    square_variance = weights @ np.square(squares - variance)
    worth = np.concatenate(
        [
            variance / np.square(standard_error(values, weights)),
            square_variance / np.square(standard_error(squares, weights)),
        ]
    )
    kept = rng.choice(len(weights), size=STORED, p=weights)
    return {
        "mean": mean,
        "sd": np.sqrt(variance),
        "centred_square_variance": square_variance,
        "n_effective": worth.min(),
        "quantiles": np.stack([_quantiles(column, weights) for column in values.T], axis=1),
        "draws": values[kept],
    }


def _quantiles(values: Array, weights: Array) -> Array:
    """At LEVELS, of the distribution function that is piecewise linear between the middles of its steps."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(LEVELS, below, values[order]))
