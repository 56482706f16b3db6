"""What a score is computed from, and what it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bench.data import blocks, flatten, moments
from bench.protocols import Family, Reference
from bench.score import chains
from bench.score.functions import Functions
from bench.score.judged import Deviations, Judged, judge
from bench.score.marginals import LEVELS
from bench.types import Array, Arrays, Checkpoint, Dataset, Fit

EDGES = np.array([0.05, 0.25, 0.75, 0.95])


class Row(NamedTuple):
    """One value; `part` names a scalar (`weights[0]`), a centred square (`(weights[0])²`) or is empty for the fit."""

    metric: str
    part: str
    value: float


def rows(metric: str, parts: Iterable[str], values: Array) -> Iterator[Row]:
    """A row per part, of values (part,) or of any shape with as many numbers."""
    for part, value in zip(parts, np.ravel(values), strict=True):
        yield Row(metric, part, float(value))


@dataclass(frozen=True)
class Problem:
    """One data set with its family and, where there is one, its exact posterior (else the reason)."""

    data: Dataset
    family: Family
    reference: Reference | None
    no_reference: str = ""
    _iid: dict[int, Array] = field(default_factory=dict, init=False, repr=False)
    _optima: dict[str, tuple[dict[str, Array], float]] = field(default_factory=dict, init=False, repr=False)

    @property
    def parts(self) -> list[str]:
        """Names of all scalars, parameters in order."""
        return self.data.parts

    def flat(self, arrays: Arrays) -> Array:
        """{name: (…, *shape)} → (…, scalar)."""
        return flatten(self.data.parameters, arrays)

    @cached_property
    def moments(self) -> tuple[Array, Array, Array]:
        """Reference mean, sd and variance of the centred square, each (scalar,)."""
        assert self.reference is not None
        r = self.reference
        return self.flat(r.mean), self.flat(r.sd), self.flat(r.centred_square_variance)

    @cached_property
    def functions(self) -> Functions:
        """The functions of θ, beside means and squares, that an answer is judged by."""
        assert self.reference is not None
        return Functions(self.data, self.family, self.reference, self.quantiles)

    @cached_property
    def quantiles(self) -> Array:
        """Reference quantiles at LEVELS: (level, scalar)."""
        return self._quantiles(LEVELS)

    @cached_property
    def edges(self) -> Array:
        """Reference quantiles at EDGES: (edge, scalar)."""
        return self._quantiles(EDGES)

    def _quantiles(self, p: Array) -> Array:
        assert self.reference is not None
        return self.flat({name: self.reference.quantile(name, p) for name in self.data.names})

    def iid_quantiles(self, n: int) -> Array:
        """Quantiles at LEVELS of n independent reference draws of a fixed seed: (level, scalar)."""
        if n not in self._iid:
            assert self.reference is not None
            draws = self.flat(self.reference.draw(n, np.random.default_rng(0)))
            self._iid[n] = np.quantile(draws, LEVELS, axis=0)
        return self._iid[n]

    def optimum(self, objective: str) -> tuple[dict[str, Array], float]:
        """Minimiser and least value, in nats, of an objective of the family; NoReference where it has none."""
        if objective not in self._optima:
            self._optima[objective] = self.family.optimum(self.data, objective)
        return self._optima[objective]


@dataclass(frozen=True)
class Scored:
    """One fit with what it cost: `seconds` by phase, build and compile in them if `cold`, on `threads` CPUs.

    `reading` are the seconds in which its machine reads the data once from memory, None where that is not known;
    `until` says where the target was met of a fit that had one, as `Record` has it.
    """

    problem: Problem
    fit: Fit
    seconds: Mapping[str, float]
    cold: bool
    checkpoints: Sequence[Checkpoint] = ()
    threads: int | None = None
    reading: float | None = None
    until: Mapping[str, float] = field(default_factory=dict)

    def stat(self, name: str) -> float:
        """A scalar that the backend states of its fit, 0 where it does not."""
        return float(self.fit.stats.get(name) or 0.0)

    @property
    def fitting(self) -> float:
        """Seconds of warmup and sampling."""
        return self.seconds.get("warmup", 0.0) + self.seconds.get("sample", 0.0)

    @cached_property
    def draws(self) -> Array:
        """(chain, draw, scalar)."""
        return self.problem.flat(self.fit.draws)

    @cached_property
    def judged(self) -> Judged | None:
        """Means and effective draws of the judged functions; None for a point, and without a reference."""
        if self.fit.kind == "point" or self.problem.reference is None:
            return None
        shape = self.draws.shape[0], self.draws.shape[1]
        return judge(self.problem.functions, self.fit.draws, shape, chains=self.fit.kind == "mcmc")

    @property
    def deviations(self) -> Deviations | None:
        """What the gates of samplers need of this fit; None for other kinds and with too few draws."""
        judged = self.judged
        if judged is None or np.isnan(judged.effective).any():
            return None
        functions, draws = self.problem.functions, self.draws.shape[0] * self.draws.shape[1]
        return Deviations(functions.labels, functions.names, judged.mean, judged.effective, draws, functions.moments)

    @cached_property
    def diagnostics(self) -> chains.Diagnostics | None:
        """Chain diagnostics of every scalar; None for fits without chains or with too few draws."""
        if self.fit.kind != "mcmc" or self.draws.shape[1] < chains.MIN_DRAWS:
            return None
        return chains.Diagnostics(self.draws)

    @cached_property
    def answer(self) -> tuple[Array, Array]:
        """Mean and root of the second central moment, each (scalar,): of q where VI states them, else of the draws.

        The sd of a point is 0. No Bessel's correction: what b² needs is the mean of the squares.
        """
        means, sds = moments(self.fit)
        return self.problem.flat(means), self.problem.flat(sds)

    @property
    def sd(self) -> Array:
        """The sd to report, (scalar,): of q where VI states it, else of the draws with Bessel's correction."""
        n = self.draws.shape[0] * self.draws.shape[1]
        sds = self.answer[1].copy()
        for p, block in blocks(self.problem.data.parameters):
            if p.name not in self.fit.moments:
                sds[block] *= np.sqrt(n / max(n - 1, 1))
        return sds
