"""Modes of hierarchies: given the scales the mode of everything else is in closed form, which leaves one or two scales.

By the envelope theorem the slope of that profile in a scale is the partial slope of the joint density at its mode.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np
import scipy

from bench.errors import NoReference
from bench.types import Array, Arrays, Dataset
from scenarios.families.common import transforms
from scenarios.families.hierarchy.hierarchy import Hierarchy, effects

ModeGiven = Callable[[Mapping[str, float]], dict[str, Array]]
"""Scales {name: value} → the mode of all other parameters given them, {name: shape}."""

STARTS = (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
"""Where log (or logit) tau begins, beside the centre that the caller gives."""


def optimum(
    family: Hierarchy, data: Dataset, name: str, centre: Mapping[str, float], mode_given: ModeGiven
) -> tuple[dict[str, Array], float]:
    """Minimiser and least value of `map` or `map_unconstrained`; `centre` {scale: value} is where the search begins.

    The best of descents from several tau, and of the faces of the support: a mode may lie at tau = 0. NoReference where
    the density is unbounded, as that of the sites of a centred hierarchy for tau → 0 with every effect at mu.
    """
    if name not in family.OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}; known: {', '.join(family.OBJECTIVES)}")
    if not data.coordinates and data.parameter("tau").lower == 0.0 and data.priors["tau"].name != "log_normal":
        block = effects(data).name
        raise NoReference(
            f"{name} has no mode: the joint density of a centred hierarchy is unbounded as tau goes to 0 with every "
            f"{block} at mu"
        )
    profile = _Profile(family, data, name, mode_given)
    best, least = None, math.inf
    for held in _faces(data, tuple(centre), name):
        point = profile.minimise({k: v for k, v in centre.items() if k not in held}, held)
        value = family.objective(data, name, point)
        # an interior descent towards a face ends close to it, and only the face itself is the minimum
        if best is None or value < least or (held and value <= least + 1e-12 * (1.0 + abs(least))):
            best, least = point, value
    if best is None or not math.isfinite(least):
        raise NoReference(f"{name} has no minimum that descents from several tau reach")
    return best, least


def _faces(data: Dataset, scales: tuple[str, ...], name: str) -> list[dict[str, float]]:
    """Bounds that scales may be held at, none of them first; an unconstrained scale has none, nor does sigma at 0."""
    choices: list[list[float | None]] = []
    for scale in scales:
        p = data.parameter(scale)
        ends = [v for v in (p.lower, p.upper) if math.isfinite(v) and (v > 0.0 or scale == "tau")]
        choices.append([None, *ends] if name == "map" else [None])
    return [
        {s: v for s, v in zip(scales, values, strict=True) if v is not None} for values in itertools.product(*choices)
    ]


class _Profile:
    """The objective as a function of the unconstrained scales, everything else at its mode given them."""

    def __init__(self, family: Hierarchy, data: Dataset, name: str, mode_given: ModeGiven) -> None:
        self._family, self._data, self._name, self._mode_given = family, data, name, mode_given

    def minimise(self, centre: Mapping[str, float], held: Mapping[str, float]) -> dict[str, Array]:
        """The best of several descents in the free scales; the point itself where none is free."""
        free = tuple(centre)
        if not free:
            return self._point(free, np.empty(0), held)
        middle = np.array([self._unconstrained(s, v) for s, v in centre.items()])
        best, least = middle, math.inf
        for shift in STARTS if "tau" in free else (0.0,):
            start = middle + np.array([shift if s == "tau" else 0.0 for s in free])
            descent = scipy.optimize.minimize(
                self._value, start, args=(free, held), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 500}
            )
            if descent.fun < least:
                best, least = descent.x, float(descent.fun)

        def slope_at(u: Array) -> Array:
            return self._value(u, free, held)[1]

        polished = scipy.optimize.root(slope_at, best, tol=1e-14)
        value, slope = self._value(best, free, held)
        new_value, new_slope = self._value(polished.x, free, held)
        close = new_value <= value + 1e-9 * (1.0 + abs(value))
        better = close and float(np.abs(new_slope).max()) < float(np.abs(slope).max())
        return self._point(free, polished.x if better else best, held)

    def _unconstrained(self, scale: str, value: float) -> float:
        p = self._data.parameter(scale)
        if math.isfinite(p.upper):
            margin = 0.01 * (p.upper - p.lower)
            value = min(max(value, p.lower + margin), p.upper - margin)
        return float(transforms.to_unconstrained(np.array(value), p.lower, p.upper))

    def _point(self, free: tuple[str, ...], u: Array, held: Mapping[str, float]) -> dict[str, Array]:
        scales = dict(held)
        for scale, at in zip(free, u, strict=True):
            p = self._data.parameter(scale)
            # beyond e±150 fourth powers leave the floats; nothing is to be found there
            scales[scale] = float(transforms.to_natural(np.clip(at, -150.0, 150.0), p.lower, p.upper))
        point = self._mode_given(scales) | {name: np.array(value) for name, value in scales.items()}
        return {name: point[name] for name in self._data.names}

    def _value(self, u: Array, free: tuple[str, ...], held: Mapping[str, float]) -> tuple[float, Array]:
        """The profile and its slope in the free scales."""
        data = self._data
        at = self._family.to_sites(data, self._point(free, u, held))
        sites: Arrays = {name: np.asarray(value)[None] for name, value in at.items()}
        with np.errstate(all="ignore"):
            value, slopes = self._family.natural_log_density(data, sites)
        named = transforms.unflatten(data.sites, slopes[0])
        total, gradient = -float(value[0]), np.empty(len(free))
        for i, scale in enumerate(free):
            p = data.parameter(scale)
            log_jacobian, bend = transforms.log_jacobian(u[i], p.lower, p.upper)
            gradient[i] = -float(named[scale]) * math.exp(min(float(log_jacobian), 700.0))
            if self._name == "map_unconstrained":
                total -= float(log_jacobian)
                gradient[i] -= float(bend)
        if not (math.isfinite(total) and np.isfinite(gradient).all()):
            return 1e300, np.zeros(len(free))
        return total, gradient
