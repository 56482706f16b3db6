"""Regression with an intercept per group, a_g ~ Normal(mu, tau), of observations that are not Gaussian.

Those of `varying_intercept` are, whose posterior is known exactly; here it is importance sampling that finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bench.errors import NoReference, ScenarioError
from bench.protocols import Reference
from bench.types import Array, Dataset, Parameter
from scenarios.families.common import starts, transforms
from scenarios.families.hierarchy.grouped import KEYS, Grouped
from scenarios.families.hierarchy.hierarchy import SCALE_PRIORS
from scenarios.families.posteriors import importance, modes, residuals
from scenarios.families.posteriors.by_group import ByGroup, Likelihoods
from scenarios.families.regression import binomial, gamma, logistic, negative_binomial, poisson, robust
from scenarios.families.regression import settings as regressions
from scenarios.families.regression.regression import Regression

FLAT: Mapping[str, Regression] = {
    "student_t": robust.FAMILY,
    "bernoulli": logistic.FAMILY,
    "binomial": binomial.FAMILY,
    "poisson": poisson.FAMILY,
    "negative_binomial": negative_binomial.FAMILY,
    "gamma": gamma.FAMILY,
}
"""{likelihood of a scenario file: the regression without groups}, whose name is `Dataset.law`."""
_BY_NAME = {flat.name: flat for flat in FLAT.values()}
_LOCATED = ("mu", "tau", "a", "weights")
_LEAST_LOG_TAU = -60.0
"""Of tau, log or logit, at its bound 0 to all digits that a sum of predictors has."""


class GroupedRegression(Grouped):
    """Any law but the Gaussian, by the scenario's likelihood."""

    name = "grouped_regression"
    KEYS: Mapping[str, str] = {
        **KEYS,
        "likelihood": f"law of the observations: {', '.join(FLAT)}",
        **{key: text for flat in FLAT.values() for key, text in regressions.keys_of_law(flat.law).items()},
        "link": "link function of bernoulli and binomial observations: logit (the default) or probit",
    }
    PRIORS: Mapping[str, tuple[str, ...]] = {
        "mu": ("flat", "normal", "student_t", "cauchy"),
        "tau": SCALE_PRIORS,
        **{name: kinds for flat in FLAT.values() for name, kinds in flat.PRIORS.items() if name != "bias"},
    }
    PRIOR_DEFAULTS = robust.FAMILY.PRIOR_DEFAULTS

    def flat(self, law: str) -> Regression:
        return _BY_NAME[law]

    def named_law(self, table: Mapping[str, Any]) -> str:
        likelihood = table.get("likelihood")
        if not isinstance(likelihood, str) or likelihood not in FLAT:
            raise ScenarioError("likelihood", likelihood, f"it must be one of {', '.join(FLAT)}")
        return FLAT[likelihood].name

    def priors_of(self, settings: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        own = {"mu", "tau", *self.flat(settings["law"]).PRIORS}
        return {name: kinds for name, kinds in self.PRIORS.items() if name in own}

    def link_of(self, settings: Mapping[str, Any]) -> str:
        return self.flat(settings["law"]).link_of(settings)

    def begin(self, data: Dataset) -> Array:
        """Where the flat regression's search for modes begins, its bias every intercept and tau 1, (dim,)."""
        flat = self.flat(data.law)
        own = [p for p in data.parameters if p.name not in ("mu", "tau", "a")]
        at = 1 if "weights" in data.names else 0
        pooled = replace(data, parameters=(*own[:at], Parameter("bias"), *own[at:]), coordinates=())
        values = transforms.constrain(pooled.parameters, flat.begin(pooled))
        values = {"mu": values["bias"], "tau": np.array(1.0), "eta": np.zeros(data.parameter("a").shape), **values}
        values["a"] = values["mu"] + values["eta"]
        return transforms.unconstrain(data.sites, starts.inside(values, data.sites))

    def reference(self, data: Dataset) -> Reference:
        """By importance sampling in the coordinates without a funnel; NoReference where it is not to be trusted."""
        if "sigma" in data.names:
            member = data.arrays["group"][:, None] == np.arange(data.parameter("a").size)
            residuals.demand(np.hstack([member, data.arrays["x"]]), data.arrays["y"], data.priors["sigma"])
        space = ByGroup(data, self.log_density, self._likelihoods(data))
        begin = self.begin(space.data)
        begin[[0, *range(2, 2 + data.parameter("a").size)]] = 0.0

        def constrain(of: Dataset, u: Array) -> dict[str, Array]:
            return self.constrain(of, space.unconstrained(u))

        scales = [1, *range(data.dim - len([p for p in data.parameters if p.name not in _LOCATED]), data.dim)]
        return importance.posterior(space.data, lambda _, u: space.log_density(u), constrain, begin, skew=scales)

    def _likelihoods(self, data: Dataset) -> Likelihoods:
        """Normal likelihoods of the groups, by value and curvature at the mode of the non-centred model."""
        sites = tuple(Parameter("eta", p.shape) if p.name == "a" else p for p in data.parameters)
        free = replace(data, coordinates=sites)
        mode = modes.find(lambda z: self.log_density(free, z), modes.starts(self.begin(free))[:2])[0].at
        draws = self.constrain(free, mode[None])
        a, h = draws["a"], 1e-4
        steps = {
            **{k: np.repeat(v, 3, axis=0) for k, v in draws.items()},
            "a": a + h * np.array([[0.0], [1.0], [-1.0]]),
        }
        slope, above, below = self.log_observations(data, steps)[1]["a"]
        # a law of heavy tails may curve upwards there; its mean is then held within two standard deviations
        precision = np.maximum((below - above) / (2.0 * h), np.maximum(np.square(slope) / 4.0, 1e-6))
        return Likelihoods(a[0] + slope / precision, precision)

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """The least minimum of `objective` reached from `begin` or about 0, or at tau = 0; NoReference without one."""
        at_zero = data.parameter("tau").lower == 0.0 and data.priors["tau"].name != "log_normal"
        if not data.coordinates and at_zero:
            raise NoReference(f"{name} has no mode: the density is unbounded as tau goes to 0 with every a at mu")

        def target(z: Array) -> tuple[Array, Array]:
            value, gradient = self.log_density(data, z)
            if name == "map":
                log_jacobian, bend = transforms.log_jacobians(data.sites, z)
                return value - log_jacobian.sum(axis=-1), gradient - bend
            return value, gradient

        def pooled(z: Array) -> tuple[Array, Array]:
            """`target` of all but tau, which is 0."""
            value, gradient = target(np.insert(z, 1, _LEAST_LOG_TAU, axis=-1))
            return value, np.delete(gradient, 1, axis=-1)

        begin, found = self.begin(data), list[dict[str, Array]]()
        if name == "map" and at_zero:
            z = modes.find(pooled, modes.starts(np.delete(begin, 1)))[0].at
            found.append({**self.constrain(data, np.insert(z, 1, _LEAST_LOG_TAU)), "tau": np.array(0.0)})
        try:
            found.append(self.constrain(data, modes.find(target, modes.starts(begin))[0].at))
        except NoReference:
            if not found:
                raise
        values = [self.objective(data, name, params) for params in found]
        return found[int(np.argmin(values))], min(values)


FAMILY = GroupedRegression()
