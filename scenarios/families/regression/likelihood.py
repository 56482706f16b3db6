"""The law of an observation around the linear predictor: all that one regression has and another has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from bench.types import Array, Arrays


class Scale(NamedTuple):
    """A positive parameter of a law beside the predictor, and what a scenario file may say about it."""

    name: str
    key: str
    """The key that gives its true value."""
    meaning: str
    """Help on that key."""
    noun: str
    """What it is, as in `low must be at least 0: sigma is a standard deviation`."""
    priors: tuple[str, ...]
    default: float | None = None
    """Its true value, and the value the model takes as known, where the scenario says nothing; None: it must."""


class Likelihood:
    """A law of observations y given their linear predictor eta and the law's own `scales` {name: value}.

    All are arrays that broadcast. A law states `log_prob`, `cdf`, `sample`, and either `slope` and `scale_slopes` or,
    where more can be had for less, `sums`.
    """

    LINKS: ClassVar[tuple[str, ...]] = ()
    """Functions of the mean that the predictor can be, the usual one first; none where there is no choice to name."""
    COLUMNS: ClassVar[tuple[str, ...]] = ()
    """What a row may have beside x and y: `offset`, added to its predictor, and `trials`."""

    SCALES: ClassVar[tuple[Scale, ...]] = ()
    COEFFICIENT_PRIORS: ClassVar[tuple[str, ...]] = ("flat", "normal", "uniform", "student_t", "cauchy")
    """Priors of weights and bias."""
    DISCRETE: ClassVar[bool] = False

    def at(self, link: str, arrays: Arrays) -> Likelihood:
        """This law with that link ("" for the usual one) for rows of these arrays, which hold its columns."""
        return self

    def invalid(self, y: Array) -> str:
        """What the observations of a data file must be where these are not; empty where they are."""
        return ""

    def mean(self, eta: Array) -> Array:
        """Expected observation."""
        return eta

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        """Log density, or log probability, of each observation."""
        raise NotImplementedError

    def slope(self, y: Array, eta: Array, scales: Arrays) -> Array:
        """d log_prob / d eta of each observation."""
        raise NotImplementedError

    def scale_slopes(self, y: Array, eta: Array, scales: Arrays) -> Mapping[str, Array]:
        """d log_prob / d scale of each observation, for every scale."""
        return {}

    def sums(self, y: Array, eta: Array, scales: Arrays) -> tuple[Array, Array, Mapping[str, Array]]:
        """Of y (n,) at eta (m, n) and scales (m,): Σ log_prob (m,), its slope in eta (m, n) and in each scale (m,)."""
        per_draw = {name: np.expand_dims(value, -1) for name, value in scales.items()}
        slopes = {name: slope.sum(axis=-1) for name, slope in self.scale_slopes(y, eta, per_draw).items()}
        return self.log_prob(y, eta, per_draw).sum(axis=-1), self.slope(y, eta, per_draw), slopes

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        """P(Y ≤ y) of each observation."""
        raise NotImplementedError

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        """One observation at each eta (n,), scales ()."""
        raise NotImplementedError
