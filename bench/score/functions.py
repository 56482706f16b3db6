"""The functions of θ that an answer is judged by beside means and squares, each with what the reference expects of it.

All are functions of normal scores under the reference (`bench.score.marginals`), in units of their own posterior
standard deviation: expectation 0, variance 1 where draws are the reference's. Four groups:

- mean: w; spread: w² of every scalar, whose moments are known exactly;
- shape: Neyman's smooth components, orthonormal Legendre polynomials of Φ(w), degrees 3 to 6 (Neyman 1937,
  doi:10.1080/03461238.1937.10404821): bounded, so that no single draw rules them;
- joint: products of the pairs of scalars that the reference correlates most, the mean and square of fixed random
  directions in the whitened space, and of the log likelihood. Their moments come from reference draws of a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.data import flatten
from bench.protocols import Family, Reference
from bench.score.likelihood import joint_log_likelihood
from bench.score.marginals import KNOTS, TAIL, NormalScores, levels
from bench.types import Array, Arrays, Dataset, derive_seed

Places = npt.NDArray[np.intp]
GROUPS = ("mean", "spread", "shape", "joint")
DEGREES = (3, 4, 5, 6)
PAIRS = 50
"""Pairs of scalars judged at most; up to ten scalars all are."""
DIRECTIONS = 10
MOST, MOST_NUMBERS, MOST_LIKELIHOODS = 20_000, 1_000_000, 10_000_000
"""Reference draws, scalars in them, and pointwise log likelihoods of them, at most: a third of a second."""
FEWEST = 5_000
"""Reference draws that the log likelihood needs; above 2 000 observations it is not judged."""
TOGETHER = 2_000_000
"""Values of functions held at once: 16 MB of float64."""


class Block(NamedTuple):
    """Consecutive functions evaluated at draws: (…, function)."""

    first: int
    values: Array


class Moments(NamedTuple):
    """Of every function, (function,), under the reference.

    `group` is a place in GROUPS; `reference` and `scale` turn a mean of the standardised function into the number
    that is shown, squared where `square`; `own_error` is the variance of the reference's own expectation, of unit 1.
    """

    group: Array
    reference: Array
    scale: Array
    square: Array
    skewness: Array
    own_error: Array


class Functions:
    """The judged functions of one data set.

    `names` are the same for every data set of a scenario; `labels` say which pair of scalars is meant.
    """

    def __init__(self, data: Dataset, family: Family, reference: Reference, quantiles: Array) -> None:
        """`quantiles` are the reference's at LEVELS, (level, scalar)."""
        self._data, self._family, self._parts = data, family, data.parts
        tails = levels(np.concatenate([-TAIL[::-1], TAIL]))
        outer = {name: reference.quantile(name, tails) for name in data.names}
        low, high = np.split(flatten(data.parameters, outer), 2)
        self.marginals = NormalScores(KNOTS, np.concatenate([low, quantiles[1:-1], high]))
        drawn = reference.draw(self._number(), np.random.default_rng(_seed(data)))
        w = self.marginals(flatten(data.parameters, drawn))
        likely = self._log_likelihood(drawn)
        self._likely = self._likelihood_scores(likely)
        # Functions are chosen by some draws and their moments taken from the others: in the draws that whitened it a
        # direction varies less than in any others.
        first = len(w) // 4
        self._choose(w[:first])
        joint = self._joint(w[first:], self._likely_scores(None if likely is None else likely[first:]))
        self._expectation, self._sd = joint.mean(axis=0), np.maximum(joint.std(axis=0), 1e-300)
        joint -= self._expectation
        joint /= self._sd
        third = np.einsum("sf,sf,sf->f", joint, joint, joint) / len(joint)  # a power takes ten times as long
        self.own_draws = 1.0 / (1.0 / len(joint) + 1.0 / reference.n_effective)
        self._name()
        self.moments = self._moments(third, 1.0 / reference.n_effective, 1.0 / self.own_draws)

    def __len__(self) -> int:
        return len(self.names)

    def blocks(self, draws: Arrays) -> Iterator[Block]:
        """Every function at draws {parameter: (…, *shape)}, standardised, a bounded number at a time."""
        w = self.marginals(flatten(self._data.parameters, draws))
        size, step = w.shape[-1], max(1, TOGETHER // max(w[..., 0].size * len(DEGREES), 1))
        for at in range(0, size, step):
            some = w[..., at : at + step]
            yield Block(at, some)
            yield Block(size + at, (some**2 - 1.0) / math.sqrt(2.0))
            yield Block(2 * size + at * len(DEGREES), legendre(special.ndtr(some)))
        if len(self._expectation):
            likely = None if self._likely is None else self._log_likelihood(draws)
            values = (self._joint(w, self._likely_scores(likely)) - self._expectation) / self._sd
            yield Block((2 + len(DEGREES)) * size, values)

    @property
    def shape(self) -> slice:
        """The places of the shape group: scalar by scalar, its degrees in order."""
        size = len(self._parts)
        return slice(2 * size, (2 + len(DEGREES)) * size)

    @property
    def joint(self) -> slice:
        """The places of the joint group."""
        return slice((2 + len(DEGREES)) * len(self._parts), len(self))

    def _number(self) -> int:
        most = min(MOST, MOST_NUMBERS // max(len(self._parts), 1))
        judged = MOST_LIKELIHOODS // self._data.rows
        return max(1000, min(most, judged) if judged >= FEWEST else most)

    def _log_likelihood(self, draws: Arrays) -> Array | None:
        """That of draws {parameter: (…, *shape)}: (…); None where it takes too long or is not known."""
        if MOST_LIKELIHOODS // self._data.rows < FEWEST or self._family.OPAQUE:
            return None
        with np.errstate(all="ignore"):  # a draw far out may have none: its score is the lowest
            return joint_log_likelihood(draws, self._data, self._family)

    def _likelihood_scores(self, likely: Array | None) -> NormalScores | None:
        """The map of the log likelihood (draw,); None where that hardly varies or is not known."""
        if likely is None:
            return None
        edge = -float(special.ndtri(10.0 / len(likely)))
        knots = KNOTS[np.abs(KNOTS) <= edge]
        if not np.isfinite(likely).all() or np.ptp(likely) <= 1e-9 * np.abs(likely).max():
            return None
        return NormalScores(knots, np.quantile(likely, levels(knots))[:, None])

    def _likely_scores(self, likely: Array | None) -> Array | None:
        """The normal scores (…) of log likelihoods (…)."""
        return None if likely is None or self._likely is None else self._likely(likely[..., None])[..., 0]

    def _choose(self, w: Array) -> None:
        """Pairs of largest reference correlation; directions of the symmetric whitening, the same for all data."""
        size = w.shape[1]
        centred = w - w.mean(axis=0)
        self._pairs, correlation = _correlated(centred)
        self._signs = np.where(correlation < 0.0, -1.0, 1.0)
        unit = np.random.default_rng(0).standard_normal((size, DIRECTIONS))
        self._directions = _whitened(centred, unit / np.linalg.norm(unit, axis=0)) if size > 1 else np.empty((size, 0))

    def _joint(self, w: Array, likely: Array | None) -> Array:
        """Products, directions, their squares, the log likelihood's score and its square: (…, function)."""
        rows, columns = self._pairs
        along = w @ self._directions
        values = [w[..., rows] * w[..., columns] * self._signs, along, along**2]
        if likely is not None:
            values.append(np.stack([likely, likely**2], axis=-1))
        return np.concatenate(values, axis=-1)

    def _name(self) -> None:
        """Names and labels of all functions, in their order."""
        each = [f"direction {i + 1}" for i in range(self._directions.shape[1])]
        rest = [*each, *(f"spread of {name}" for name in each)]
        if self._likely is not None:
            rest += ["log likelihood", "spread of log likelihood"]
        pairs = [f"correlation of {self._parts[i]} and {self._parts[j]}" for i, j in zip(*self._pairs, strict=True)]
        all_pairs = len(pairs) == len(self._parts) * (len(self._parts) - 1) // 2
        stable = pairs if all_pairs else [f"correlation {i + 1} by size" for i in range(len(pairs))]
        single = [f"{what} of {part}" for what in ("mean", "spread") for part in self._parts]
        single += [f"shape of {part}, degree {k}" for part in self._parts for k in DEGREES]
        self.names, self.labels = [*single, *stable, *rest], [*single, *pairs, *rest]

    def _moments(self, third: Array, marginal_error: float, joint_error: float) -> Moments:
        size, pairs = len(self._parts), len(self._signs)
        sizes = [size, size, len(DEGREES) * size, len(third)]
        group = np.repeat(np.arange(4.0), sizes)
        sign = np.concatenate([self._signs, np.ones(len(third) - pairs)])
        square = np.array([name.startswith("spread") for name in self.names])
        shape = np.tile(_SKEWNESS, size)
        return Moments(
            group=group,
            reference=np.concatenate([np.zeros(size), np.ones(size), np.zeros(len(shape)), sign * self._expectation]),
            scale=np.concatenate([np.ones(size), np.full(size, math.sqrt(2.0)), np.ones(len(shape)), sign * self._sd]),
            square=square.astype(float),
            skewness=np.concatenate([np.zeros(size), np.full(size, math.sqrt(8.0)), shape, third]),
            own_error=np.repeat([marginal_error] * 3 + [joint_error], sizes),
        )


def _correlated(centred: Array) -> tuple[tuple[Places, Places], Array]:
    """The pairs of scalars of largest correlation, in its order, or all where there are few; and the correlations.

    Of draws (draw, scalar) of mean 0. So many rows of the correlation matrix are held at once as it has columns for.
    """
    size = centred.shape[1]
    sd = np.sqrt(np.maximum(np.square(centred).mean(axis=0), 1e-300))
    step = max(1, TOGETHER // max(size, 1))
    rows, columns, found, least = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0), -1.0
    for at in range(0, size, step):
        block = (centred[:, at : at + step].T @ centred / len(centred)) / np.outer(sd[at : at + step], sd)
        above = np.arange(at, at + len(block))[:, None] < np.arange(size)
        i, j = np.nonzero(above & (np.abs(block) > least))
        rows, columns = np.append(rows, i + at), np.append(columns, j)
        found = np.append(found, block[i, j])
        if size * (size - 1) // 2 > PAIRS:
            kept = np.argsort(-np.abs(found), kind="stable")[:PAIRS]
            rows, columns, found = rows[kept], columns[kept], found[kept]
            least = abs(found[-1]) if len(found) == PAIRS else least
    return (rows, columns), found


def _whitened(centred: Array, unit: Array) -> Array:
    """The symmetric inverse root of the covariance of draws (draw, scalar) of mean 0, times unit (scalar, direction).

    Directions in which they hardly vary are left out. Of fewer draws than scalars by their singular values: the matrix
    of so many scalars would have as many rows.
    """
    if len(centred) < centred.shape[1]:
        _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
        values, vectors = np.square(singular[::-1]) / len(centred), vectors[::-1].T
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > 1e-10 * values[-1]
    return np.asarray((vectors[:, kept] / np.sqrt(values[kept])) @ (vectors[:, kept].T @ unit))


def legendre(u: Array) -> Array:
    """Orthonormal Legendre polynomials on [0, 1] of DEGREES at u (…, scalar): (…, scalar · degree)."""
    x = 2.0 * u - 1.0
    before, now = np.ones_like(x), x
    values = np.empty((*x.shape, len(DEGREES)))
    for k in range(1, DEGREES[-1]):
        before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
        if k + 1 in DEGREES:
            values[..., DEGREES.index(k + 1)] = math.sqrt(2 * k + 3) * now
    return values.reshape(*x.shape[:-1], -1)


def _skewness() -> Array:
    """Third moments of the shape functions at uniform u, by Gauss–Legendre quadrature, which is exact here."""
    nodes, weights = np.polynomial.legendre.leggauss(10)
    return np.asarray(weights / 2.0 @ legendre((nodes[:, None] + 1.0) / 2.0) ** 3)


_SKEWNESS = _skewness()


def _seed(data: Dataset) -> int:
    """Of the data, so that the errors of two data sets are independent, and those of one the same."""
    return derive_seed(0, "judged functions", data.digest)
