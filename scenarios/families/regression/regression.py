"""Every regression: a linear predictor X·weights + bias, and a `Likelihood` of the observations around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Parameter, Prior, Scenario, Simulated
from scenarios.families.common import checks, priors, starts, transforms
from scenarios.families.common.base import Family
from scenarios.families.posteriors import importance, modes, residuals
from scenarios.families.posteriors.design import with_bias
from scenarios.families.regression import generator, settings
from scenarios.families.regression.likelihood import Likelihood

CHUNK = 2_000_000
"""Observations × draws held at once by `log_conditional`: 16 MB of float64 per intermediate."""


class Regression(Family):
    """Parameters weights (J,), bias () unless "none", and the scales of the law unless known; draws lead.

    Arrays are x (n, J), y (n,) and those of the law's columns that the data have, (n,). The reference is by
    importance sampling unless a subclass has a better one.
    """

    def __init__(self, name: str, law: Likelihood) -> None:
        self.name, self.law, self.DISCRETE = name, law, law.DISCRETE
        self.KEYS = settings.keys(law)
        coefficients = {"weights": law.COEFFICIENT_PRIORS, "bias": law.COEFFICIENT_PRIORS}
        self.PRIORS = {**coefficients, **{scale.name: scale.priors for scale in law.SCALES}}
        self.PRIOR_DEFAULTS = {s.name: Prior("known", (s.default,)) for s in law.SCALES if s.default is not None}

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        self.known_keys(table, () if fixed else settings.required(self.law))
        return settings.settings(table, self.law, fixed=fixed)

    def link_of(self, settings: Mapping[str, Any]) -> str:
        return settings.get("link") or (*self.law.LINKS, "identity")[0]

    def check(self, scenario: Scenario) -> None:
        if scenario.data:
            self.check_data(scenario)
        settings.check_priors(scenario, self.PRIORS, self.law)
        self.check_start(scenario)
        settings.check_holdout(scenario, self.law)
        settings.check_predict(scenario)

    def check_data(self, scenario: Scenario) -> None:
        """Validate the `[data]` table and what it leaves no choice about; ScenarioError."""
        generator.check_file(scenario, self.data_table(scenario, ("file",)), self.law)

    def data_table(self, scenario: Scenario, known: tuple[str, ...]) -> dict[str, Any]:
        """The `[data]` table, whose keys are these; those of a formula are its own affair. ScenarioError."""
        return dict(scenario.data) if scenario.design is not None else checks.table("data", scenario.data, known)

    def check_start(self, scenario: Scenario) -> None:
        """Validate the `[start]` table; ScenarioError."""
        starts.check(scenario.start, self.parameters(scenario))

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        of_data = scenario.design.notes if scenario.design is not None else ()
        assumed = {name: prior.args[0] for name, prior in scenario.priors.items() if prior.name == "known"}
        sentences = [
            self.misspecified(name, assumed[name], float(true))
            for name, true in generator.true_scales(scenario.settings, self.law).items()
            if name in assumed and assumed[name] != true
        ]
        return (*of_data, *sentences, *super().notes(scenario))

    def misspecified(self, name: str, assumed: float, true: float) -> str:
        """What a reader must know where the model takes a scale as known that is not the generator's."""
        return (
            f"Misspecified on purpose: the model takes {name} = {assumed:g} as known, the data were made with {true:g}."
        )

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        width = generator.sizes(scenario)[1]
        labels = scenario.design.labels if scenario.design is not None else {}
        blocks = [
            Parameter("weights", (width,), *priors.support(scenario.priors["weights"]), labels.get("weights", ()))
        ]
        if scenario.settings["bias"] != "none":
            blocks.append(Parameter("bias", (), *priors.support(scenario.priors["bias"]), labels.get("bias", ())))
        own = [scale.name for scale in self.law.SCALES if scenario.priors[scale.name].name != "known"]
        return (*blocks, *(Parameter(name, (), *priors.positive_support(scenario.priors[name])) for name in own))

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        return generator.simulate(scenario, rng, self.law)

    def law_of(self, data: Dataset, arrays: Arrays) -> Likelihood:
        """The law with the data's link for rows of these arrays."""
        return self.law.at(data.link, arrays)

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        eta = self.predictor(data, truth, data.arrays)
        return {"y": self.law_of(data, data.arrays).sample(eta, self.scales(data, truth), rng)}

    def predictor(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """X·weights + bias, or the intercept of each row's group, + offset at the rows of `arrays`: (..., n)."""
        eta = np.asarray(draws["weights"], dtype=float) @ arrays["x"].T if "weights" in draws else np.zeros(())
        if "group" in arrays:
            eta = generator.intercepts(draws, arrays["group"]) + eta
        if "bias" in data.names:
            eta += np.asarray(draws["bias"], dtype=float)[..., None]
        if "offset" in arrays:
            eta += arrays["offset"]
        return eta

    def scales(self, data: Dataset, draws: Arrays) -> dict[str, Array]:
        """The law's scales at every draw, or their known values: {name: (...)}."""
        known = {s.name: data.priors[s.name].args[0] for s in self.law.SCALES if data.priors[s.name].name == "known"}
        return {s.name: np.asarray(known.get(s.name, draws.get(s.name)), dtype=float) for s in self.law.SCALES}

    def _given(self, data: Dataset, draws: Arrays, arrays: Arrays) -> tuple[Array, dict[str, Array]]:
        """What the pointwise functions of a law take beside y (n,): eta (..., n) and scales (..., 1)."""
        scales = {name: value[..., None] for name, value in self.scales(data, draws).items()}
        return self.predictor(data, draws, arrays), scales

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return self.law_of(data, arrays).mean(self.predictor(data, draws, arrays))

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return self.law_of(data, arrays).log_prob(arrays["y"], *self._given(data, draws, arrays))

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return self.observation_cdfs(data, draws, arrays)(arrays["y"])

    def observation_cdfs(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Callable[[Array], Array]:
        law, (eta, scales) = self.law_of(data, arrays), self._given(data, draws, arrays)
        return lambda y: law.cdf(y, eta, scales)

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        return {"prediction": self.predict(data, draws, data.predict)} if data.predict else {}

    def log_conditional(self, data: Dataset, sites: Arrays) -> tuple[Array, dict[str, Array]]:
        """The log likelihood and its slopes in the parameters, a chunk of draws at a time."""
        size = len(next(iter(sites.values())))
        value, slopes = np.empty(size), {p.name: np.zeros((size, *p.shape)) for p in data.parameters}
        x, y, law = data.arrays["x"], data.arrays["y"], self.law_of(data, data.arrays)
        step = max(1, CHUNK // max(1, len(y)))
        if "group" in data.arrays:  # of each row: sparse, since there may be ten thousand groups
            from scipy import sparse  # here: a child that imports a family needs nothing of SciPy

            member = sparse.eye_array(slopes["a"].shape[-1], format="csr")[data.arrays["group"].astype(np.intp)]
        for at in range(0, size, step):
            part = slice(at, at + step)
            draws = {name: values[part] for name, values in sites.items()}
            eta = self.predictor(data, draws, data.arrays)
            scales = {name: np.broadcast_to(v, len(eta)) for name, v in self.scales(data, draws).items()}
            value[part], along, of_scales = law.sums(y, eta, scales)
            if "weights" in slopes:
                slopes["weights"][part] = along @ x
            if "bias" in slopes:
                slopes["bias"][part] = along.sum(axis=-1)
            if "group" in data.arrays:
                slopes["a"][part] = np.asarray(along @ member)
            for name in of_scales.keys() & slopes.keys():
                slopes[name][part] = of_scales[name]
        return value, slopes

    def begin(self, data: Dataset) -> Array:
        """Where the search for modes begins, (dim,)."""
        return np.zeros(data.dim)

    def reference(self, data: Dataset) -> Reference:
        """By importance sampling, with its own errors; NoReference where they are not to be trusted."""
        if "sigma" in data.names:
            residuals.demand(with_bias(data.arrays["x"], data), data.arrays["y"], data.priors["sigma"])
        return importance.posterior(data, self.log_density, self.constrain, self.begin(data))

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """The least minimum of `objective` reached from `begin` or about 0; NoReference where there is none."""

        def target(z: Array) -> tuple[Array, Array]:
            value, gradient = self.log_density(data, z)
            if name == "map":
                log_jacobian, bend = transforms.log_jacobians(data.parameters, z)
                return value - log_jacobian.sum(axis=-1), gradient - bend
            return value, gradient

        best = modes.find(target, modes.starts(self.begin(data)))[0]
        params = transforms.constrain(data.parameters, best.at)
        return params, self.objective(data, name, params)
