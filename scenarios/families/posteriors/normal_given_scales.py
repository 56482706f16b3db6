"""Exact posteriors whose locations are normal given a few scales, so that their marginals are mixtures of normals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from bench.types import Array, Arrays, Parameter
from scenarios.families.common import transforms
from scenarios.families.posteriors.mixtures import NormalMixture


class ScaleMarginal(Protocol):
    """The marginal posterior of one standard deviation."""

    @property
    def mean(self) -> float:
        """Posterior mean."""
        ...

    def central_moment(self, order: int) -> float:
        """E[(x − E x)^order | y]."""
        ...

    def cdf(self, x: Array) -> Array:
        """Distribution function, elementwise."""
        ...

    def quantile(self, p: Array) -> Array:
        """Its inverse, elementwise."""
        ...


class NormalGivenScales:
    """All of a `Reference` but `draw` and `method`, exact to rounding (see `bench.protocols.Reference`).

    `locations` is the mixture of all parameters that are no scale, in order, over nodes of the scales; `centred` its
    mean and the components' means less that, (P,) and (K, P), where they are known without the rounding of a sum.
    """

    n_effective = math.inf
    log_evidence_se = 0.0
    method: str
    mean: Arrays
    sd: Arrays
    centred_square_variance: Arrays

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        locations: NormalMixture,
        scales: Mapping[str, ScaleMarginal],
        log_evidence: float,
        centred: tuple[Array, Array] | None = None,
    ) -> None:
        self.log_evidence, self._locations, self._scales = log_evidence, locations, scales
        self._blocks = tuple(p for p in parameters if p.name not in scales)
        w, variances = locations.weights, np.square(locations.sds)
        mean = w @ locations.means if centred is None else centred[0]
        offsets = locations.means - mean if centred is None else centred[1]
        variance = w @ (variances + offsets**2)
        fourth = w @ (3.0 * variances**2 + 6.0 * variances * offsets**2 + offsets**4)
        second = {name: s.central_moment(2) for name, s in scales.items()}
        self.mean = self._all(parameters, mean, {n: s.mean for n, s in scales.items()})
        self.sd = self._all(parameters, np.sqrt(variance), {n: math.sqrt(v) for n, v in second.items()})
        squares = {n: s.central_moment(4) - second[n] ** 2 for n, s in scales.items()}
        self.centred_square_variance = self._all(parameters, fourth - variance**2, squares)

    def _all(self, parameters: tuple[Parameter, ...], vector: Array, scales: Mapping[str, float]) -> dict[str, Array]:
        values = self._named(vector) | {name: np.array(value) for name, value in scales.items()}
        return {p.name: values[p.name] for p in parameters}

    def _named(self, vector: Array) -> dict[str, Array]:
        return transforms.unflatten(self._blocks, vector)

    def _of(self, name: str) -> NormalMixture:
        part, mixture = transforms.columns(self._blocks, name), self._locations
        return NormalMixture(mixture.weights, mixture.means[:, part], mixture.sds[:, part])

    def cdf(self, name: str, x: Array) -> Array:
        """Marginal distribution function at x (..., *shape), same shape."""
        x = np.asarray(x, dtype=float)
        if name in self._scales:
            return self._scales[name].cdf(x)
        mixture = self._of(name)
        return mixture.cdf(x.reshape(-1, mixture.means.shape[1])).reshape(x.shape)

    def quantile(self, name: str, p: Array) -> Array:
        """Marginal quantiles at p (k,) in (0, 1): (k, *shape)."""
        p = np.asarray(p, dtype=float)
        if name in self._scales:
            return self._scales[name].quantile(p)
        return self._of(name).quantile(p).reshape(*p.shape, *self.mean[name].shape)
