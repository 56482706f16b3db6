"""Regression with an intercept per group: y_i = a[group_i] + x_i·weights + sigma·ε, a_g ~ Normal(mu, tau)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bench.errors import NoReference
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset
from scenarios.families.hierarchy import optimum
from scenarios.families.hierarchy.grouped import KEYS, Grouped
from scenarios.families.hierarchy.hierarchy import LOCATION_PRIORS, SCALE_PRIORS
from scenarios.families.posteriors.given_scales import GivenScales
from scenarios.families.posteriors.varying_intercepts import VaryingInterceptPosterior, rough_scales
from scenarios.families.regression import linear
from scenarios.families.regression.regression import Regression


class VaryingIntercept(Grouped):
    """Gaussian observations, their sigma never known, whose posterior is known exactly."""

    name = "varying_intercept"
    KEYS: Mapping[str, str] = {**KEYS, "noise": "true standard deviation of the observations around their mean"}
    PRIORS: Mapping[str, tuple[str, ...]] = {
        "mu": LOCATION_PRIORS,
        "tau": SCALE_PRIORS,
        "weights": LOCATION_PRIORS,
        "sigma": SCALE_PRIORS,
    }

    def flat(self, law: str) -> Regression:
        return linear.FAMILY

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        """`icc`: the intraclass correlation tau²/(tau² + sigma²), (...)."""
        sigma, tau = (np.square(np.asarray(draws[name], dtype=float)) for name in ("sigma", "tau"))
        return {"icc": tau / (tau + sigma)}

    def reference(self, data: Dataset) -> Reference:
        """The exact posterior; NoReference where it is improper or lacks fourth moments."""
        return VaryingInterceptPosterior(data)

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """NoReference where the density of the sites is unbounded."""
        conditional = GivenScales(data)
        sigma, tau = rough_scales(conditional)
        y = data.arrays["y"]
        if conditional.within_squares <= (len(y) * np.finfo(float).eps) ** 2 * float(y @ y):
            raise NoReference(
                f"{name} has no mode: intercepts and weights interpolate the observations, and sigma runs to 0"
            )

        def mode(scales: Mapping[str, float]) -> dict[str, Array]:
            means = conditional.moments(np.array([scales["sigma"]]), np.array([scales["tau"]]))[0][0]
            end = 1 + conditional.n_groups
            return {"mu": means[0], "a": means[1:end], "weights": means[end:]}

        return optimum.optimum(self, data, name, {"tau": tau, "sigma": sigma}, mode)


FAMILY = VaryingIntercept()
