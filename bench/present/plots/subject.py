"""What a picture shows: a scored fit with its names, its scalar parameters, and their exact marginals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.score.problem import Problem, Scored
from bench.score.squares import b2
from bench.types import Array

GRID = np.linspace(-6.0, 6.0, 601)
"""Edges, in reference sd about the reference mean, between which an exact density is drawn."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A scored fit under the names its user knows: scenario and backend with brackets, and the rep."""

    scored: Scored
    scenario: str
    backend: str
    rep: int

    @property
    def title(self) -> str:
        """Which fit this is."""
        return f"{self.backend} on {self.scenario}, rep {self.rep}"


class Part(NamedTuple):
    """One scalar of a parameter: its name, its place in the parameter (C order) and among all scalars."""

    name: str
    parameter: str
    place: int
    column: int


def parts(problem: Problem) -> list[Part]:
    """Every scalar, parameters in order."""
    named = [(name, p.name, i) for p in problem.data.parameters for i, name in enumerate(p.parts())]
    return [Part(*known, column) for column, known in enumerate(named)]


def draws(subject: Subject, part: Part) -> Array:
    """(chain, draw)."""
    column: Array = subject.scored.draws[:, :, part.column]
    return column


def bins(flat: Array) -> list[float]:
    """Edges of a histogram: Freedman and Diaconis's, at most 60 bins."""
    automatic = len(np.histogram_bin_edges(flat, bins="fd")) - 1
    return [float(edge) for edge in np.histogram_bin_edges(flat, bins=min(60, automatic))]


def distance(subject: Subject, marginals: Marginals) -> tuple[float, str]:
    """The largest distance of a mean from the exact one, in exact sds, and of which scalar."""
    mean = subject.scored.answer[0]
    distances = []
    for part in parts(subject.scored.problem):
        exact, sd = marginals.moments(part)
        distances.append((abs(float(mean[part.column]) - exact) / sd, part.name))
    return max(distances)


def truth(problem: Problem, part: Part) -> float | None:
    """What generated the data; None where the scenario does not say."""
    if part.parameter not in problem.data.truth:
        return None
    return float(np.ravel(problem.data.truth[part.parameter])[part.place])


def worst_first(subjects: Sequence[Subject]) -> list[Part]:
    """All scalars, the largest b² first: of mean or spread (a point has none), over the subjects; else as defined."""
    problem = subjects[0].scored.problem
    scalars = parts(problem)
    if problem.reference is None:
        return scalars
    n = len(scalars)
    worst = np.zeros(n)
    for subject in subjects:
        mean, sd = subject.scored.answer
        m, s, variance = (moment[:n] for moment in problem.moments)
        squared = b2(mean[:n], sd[:n], (m, s, variance))
        worst = np.maximum(
            worst, squared[:n] if subject.scored.fit.kind == "point" else squared.reshape(2, n).max(axis=0)
        )
    return [scalars[i] for i in np.argsort(-worst, kind="stable")]


def notes(problem: Problem, shown: str, total: int, drawn: int) -> list[str]:
    """What a picture lacks: an exact posterior, and the scalars beyond those `drawn`, which `shown` names."""
    lacking = [f"No exact posterior: {problem.no_reference}."] if problem.reference is None else []
    return [*lacking, *left_out(shown, total, drawn)]


def left_out(shown: str, total: int, drawn: int) -> list[str]:
    """A note where not all are drawn."""
    return [f"The {shown.format(drawn)}; {total - drawn} of {total} are left out."] if total > drawn else []


class Marginals:
    """Exact marginals of a problem that has a reference; each parameter's are computed once."""

    @classmethod
    def of(cls, problem: Problem) -> Marginals | None:
        """None where the problem has no reference."""
        return None if problem.reference is None else cls(problem)

    def __init__(self, problem: Problem) -> None:
        assert problem.reference is not None
        self.problem, self.reference = problem, problem.reference
        self._densities: dict[str, tuple[Array, Array]] = {}
        self._quantiles: dict[tuple[str, tuple[float, ...]], Array] = {}

    def moments(self, part: Part) -> tuple[float, float]:
        """Mean and sd."""
        mean, sd = self.reference.mean[part.parameter], self.reference.sd[part.parameter]
        return float(np.ravel(mean)[part.place]), float(np.ravel(sd)[part.place])

    def density(self, part: Part) -> tuple[Array, Array]:
        """Points and density there: the mass of each cell of a fine grid over its width, (k,) and (k,)."""
        name = part.parameter
        if name not in self._densities:
            mean, sd = (np.asarray(m[name], dtype=float) for m in (self.reference.mean, self.reference.sd))
            edges = mean + GRID.reshape(-1, *(1,) * mean.ndim) * sd
            mass = np.diff(self.reference.cdf(name, edges), axis=0)
            rows = len(GRID) - 1
            middles = ((edges[1:] + edges[:-1]) / 2).reshape(rows, -1)
            self._densities[name] = middles, (mass / np.diff(edges, axis=0)).reshape(rows, -1)
        x, f = self._densities[name]
        return x[:, part.place], f[:, part.place]

    def quantiles(self, part: Part, levels: Sequence[float]) -> Array:
        """Quantiles at the levels, (k,)."""
        key = part.parameter, tuple(levels)
        if key not in self._quantiles:
            values = self.reference.quantile(part.parameter, np.asarray(levels, dtype=float))
            self._quantiles[key] = values.reshape(len(levels), -1)
        column: Array = self._quantiles[key][:, part.place]
        return column
