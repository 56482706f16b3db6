"""Linear regression: y = X·weights + bias + sigma·ε, ε standard normal; priors independent, chosen by the scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

from bench.errors import ScenarioError
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Scenario, Simulated
from scenarios.families.common import checks, transforms
from scenarios.families.posteriors import conjugate
from scenarios.families.posteriors.design import located, rows
from scenarios.families.regression import generator, newton, recipe
from scenarios.families.regression.likelihood import Likelihood, Scale
from scenarios.families.regression.regression import Regression

_LOG_2PI = math.log(2.0 * math.pi)
CHUNK_ROWS = (
    "rows that are made and read at a time, for data larger than memory: x and y then lie in a file in /var/tmp or "
    "TMPDIR; all at once when absent"
)


class Gaussian(Likelihood):
    """Mean eta, standard deviation sigma."""

    SCALES = (
        Scale(
            "sigma",
            "noise",
            "true standard deviation of the observations around their mean",
            "a standard deviation",
            ("known", "flat", "uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
        ),
    )

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        value = y - eta
        value /= scales["sigma"]
        np.square(value, out=value)
        value *= -0.5
        value -= np.log(scales["sigma"]) + 0.5 * _LOG_2PI
        return value

    def sums(self, y: Array, eta: Array, scales: Arrays) -> tuple[Array, Array, Mapping[str, Array]]:
        """From sums of squares, which cost one array of residuals."""
        sigma, residual = scales["sigma"], y - eta
        squares = np.einsum("mn,mn->m", residual, residual)
        value = -0.5 * squares / sigma**2 - len(y) * (np.log(sigma) + 0.5 * _LOG_2PI)
        residual /= np.square(sigma)[:, None]
        return value, residual, {"sigma": squares / sigma**3 - len(y) / sigma}

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        value = y - eta
        value /= scales["sigma"]
        return np.asarray(scipy.special.ndtr(value, out=value))

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        return np.asarray(eta + scales["sigma"] * rng.standard_normal(len(eta)))


class Linear(Regression):
    """Its posterior is known exactly under most priors; its data may come of a recipe; it has least squares."""

    OBJECTIVES = ("least_squares", "map", "map_unconstrained")

    def __init__(self, name: str, law: Likelihood) -> None:
        super().__init__(name, law)
        self.KEYS = {**self.KEYS, "chunk_rows": CHUNK_ROWS}

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        full = super().settings(table, fixed=fixed)
        if "chunk_rows" in table:
            full["chunk_rows"] = checks.integer("chunk_rows", table["chunk_rows"])
        return full

    def check_data(self, scenario: Scenario) -> None:
        table = self.data_table(scenario, ("file", "recipe", "seed"))
        if ("file" in table) == ("recipe" in table):
            raise ScenarioError("data", table, "give either file or recipe")
        if "chunk_rows" in scenario.settings and scenario.design is None:
            allowed = "of fixed data those of a formula alone are read in chunks"
            raise ScenarioError("chunk_rows", scenario.settings["chunk_rows"], allowed)
        if "file" in table:
            generator.check_file(scenario, table, self.law)
        else:
            recipe.check(scenario)

    def check_start(self, scenario: Scenario) -> None:
        for name in [p.name for p in self.parameters(scenario) if p.name != "sigma" and "recipe" in scenario.data]:
            if name in scenario.start:
                allowed = "the data recipe brings its own start of weights and bias"
                raise ScenarioError(f"start.{name}", scenario.start[name], allowed)
        super().check_start(scenario)

    def misspecified(self, name: str, assumed: float, true: float) -> str:
        return (
            f"{super().misspecified(name, assumed, true)} The reference is the exact posterior under the assumed "
            f"{assumed:g}, so its intervals are {'too wide' if assumed > true else 'too narrow'} for the truth by a "
            f"factor of {max(assumed / true, true / assumed):g}."
        )

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        made_by = recipe.rows if "recipe" in scenario.data else None
        return generator.simulate(scenario, rng, self.law, made_by)

    def start(self, scenario: Scenario, rng: np.random.Generator) -> Arrays:
        prescribed: Arrays = {}
        if "recipe" in scenario.data:
            prescribed = recipe.start(scenario, self.simulate(scenario, rng).truth)
        return {**prescribed, **super().start(scenario, rng)}

    def log_conditional(self, data: Dataset, sites: Arrays) -> tuple[Array, dict[str, Array]]:
        """Of data that are read in chunks from as few rows as there are coefficients and one."""
        if not data.chunk_rows:
            return super().log_conditional(data, sites)
        (a, y, n), coefficients = rows(data), located(data)
        residual = y - transforms.flatten(coefficients, sites) @ a.T
        sigma = np.broadcast_to(self.scales(data, sites)["sigma"], len(residual))
        squares = np.einsum("mn,mn->m", residual, residual)
        value = -0.5 * squares / sigma**2 - n * (np.log(sigma) + 0.5 * _LOG_2PI)
        slopes = transforms.unflatten(coefficients, residual @ a / np.square(sigma)[:, None])
        return value, slopes | {"sigma": squares / sigma**3 - n / sigma} if "sigma" in data.names else slopes

    def begin(self, data: Dataset) -> Array:
        return newton.begin(data)

    def reference(self, data: Dataset) -> Reference:
        """The exact posterior, or by importance sampling under student_t or cauchy priors; NoReference."""
        if {"student_t", "cauchy"} & {prior.name for prior in data.priors.values()}:
            return super().reference(data)
        return conjugate.posterior(data)

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        """`least_squares` is RSS/(2s²), s² the known sigma² or RSS*/N at the least-squares fit.

        Where that fit interpolates, s² is 1.
        """
        if name != "least_squares":
            return super().objective(data, name, params)
        a, y, _ = rows(data)
        residual = y - a @ transforms.flatten(located(data), params)
        return float(residual @ residual) / (2.0 * newton.residual_variance(data))

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """Under student_t or cauchy priors, the minimum whose basin holds the least-squares fit."""
        if name == "least_squares":
            params = newton.least_squares(data)
        else:
            params = newton.minimise(data, name, self.log_density)
        return params, self.objective(data, name, params)


FAMILY = Linear("linear", Gaussian())
