"""Regression with an intercept per group: y_i = a[group_i] + x_i·weights + sigma·ε, a_g ~ Normal(mu, tau).

The parameters are mu, tau, a, weights (if there are features) and sigma whatever the model samples: see `hierarchy` for
the two parametrisations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import NoReference, ScenarioError
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Parameter, Scenario, Simulated
from scenarios.families.common import checks, designs, priors
from scenarios.families.hierarchy import optimum
from scenarios.families.hierarchy.hierarchy import LOCATION_PRIORS, SCALE_PRIORS, Hierarchy, parametrisation
from scenarios.families.posteriors.given_scales import GivenScales
from scenarios.families.posteriors.varying_intercepts import VaryingInterceptPosterior, rough_scales
from scenarios.families.regression.generator import true_weights
from scenarios.families.regression.linear import Gaussian

_LAW = Gaussian()


class VaryingIntercept(Hierarchy):
    """Parameters mu, tau, a (G,), weights (P,) and sigma; arrays x (n, P), y (n,) and `group` (n,), indices from 0."""

    name = "varying_intercept"
    NO_INPUTS = "no new inputs"
    KEYS: Mapping[str, str] = {
        "n_groups": "number of groups G, at least 2; of a list n_per_group, its length",
        "n_per_group": "observations per group: a whole number, or one per group where they are unbalanced",
        "n_obs": "observations in all, dealt to the groups as evenly as can be; in the place of n_per_group",
        "n_features": "number of features P, 0 when absent; of literal weights, their number",
        "weights": "true weights: P numbers, or a distribution such as {normal = [0, 1]}, drawn afresh per data set",
        "mu": "true mean of the intercepts, which are drawn afresh per data set; 0 when absent",
        "tau": "true standard deviation of the intercepts",
        "noise": "true standard deviation of the observations around their mean",
        "features": '"normal" (the default), "uniform" on (0, 1), or a table: design = "normal", "uniform" (low, high) '
        'or "multivariate_normal" (correlation or condition_number)',
        "parametrisation": 'what the model samples: "non-centred" (the default) eta = (a - mu)/tau, or "centred" a',
    }
    PRIORS: Mapping[str, tuple[str, ...]] = {
        "mu": LOCATION_PRIORS,
        "tau": SCALE_PRIORS,
        "weights": LOCATION_PRIORS,
        "sigma": SCALE_PRIORS,
    }

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        """Of data that are fixed, a formula's, all but the parametrisation is None."""
        self.known_keys(table, () if fixed else ("tau", "noise"))
        if fixed:
            return {**dict.fromkeys(self.KEYS), "parametrisation": parametrisation(table)}
        sizes = _sizes(table)
        if len(sizes) > checks.WIDTH:
            raise ScenarioError("n_per_group", sizes, f"at most {checks.WIDTH} groups, but it has {len(sizes)}")
        weights, width = _weights(table.get("weights"), table.get("n_features"))
        features = designs.settings(table.get("features", "normal"))
        if features["constant_columns"]:
            allowed = "beside mu the posterior cannot tell a constant column apart"
            raise ScenarioError("features.constant_columns", features["constant_columns"], allowed)
        if sum(sizes) * max(width, 1) > checks.ROWS:
            raise ScenarioError("n_per_group", sizes, f"observations x n_features must be at most {checks.ROWS}")
        if width:
            designs.check_width(features, width)
        return {
            "n_per_group": sizes,
            "weights": weights,
            "n_features": width,
            "mu": checks.number("mu", table.get("mu", 0.0)),
            "tau": checks.number("tau", table["tau"], above=0.0),
            "noise": checks.number("noise", table["noise"], above=0.0),
            "features": features,
            "parametrisation": parametrisation(table),
        }

    def check_data(self, scenario: Scenario) -> None:
        if scenario.data and scenario.design is None:
            raise ScenarioError(
                "data",
                dict(scenario.data),
                f"the family {self.name} generates its data, or has them by a formula; leave it out",
            )

    def sizes(self, scenario: Scenario) -> tuple[int, int]:
        """(G, P): how many groups and features."""
        if scenario.design is not None:
            return len(scenario.design.labels["a"]), len(scenario.design.labels.get("weights", ()))
        return len(scenario.settings["n_per_group"]), scenario.settings["n_features"]

    def priors_of(self, scenario: Scenario) -> Mapping[str, tuple[str, ...]]:
        features = self.sizes(scenario)[1]
        return {name: kinds for name, kinds in self.PRIORS.items() if name != "weights" or features}

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        of_data = scenario.design.notes if scenario.design is not None else ()
        return (*of_data, *super().notes(scenario))

    def check_holdout(self, scenario: Scenario, held: Mapping[str, Any]) -> None:
        most = checks.ROWS // max(scenario.settings["n_features"], 1)
        checks.integer("holdout.n_obs", held["n_obs"], most=most)

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        groups, width = self.sizes(scenario)
        labels = scenario.design.labels if scenario.design is not None else {}
        tau, sigma = (Parameter(s, (), *priors.positive_support(scenario.priors[s])) for s in ("tau", "sigma"))
        mu, a = Parameter("mu", labels=labels.get("mu", ())), Parameter("a", (groups,), labels=labels.get("a", ()))
        weights = [Parameter("weights", (width,), labels=labels.get("weights", ()))] if width else []
        return (mu, tau, a, *weights, sigma)

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        """Hold-out rows are of the same groups."""
        if scenario.design is not None:
            return Simulated(scenario.design.arrays, {}, scenario.design.holdout)
        settings = scenario.settings
        sizes, width = settings["n_per_group"], settings["n_features"]
        truth = {"mu": np.array(settings["mu"]), "tau": np.array(settings["tau"])}
        truth["a"] = truth["mu"] + truth["tau"] * rng.standard_normal(len(sizes))
        if width:
            truth["weights"] = true_weights(settings, width, rng)
        truth["sigma"] = np.array(settings["noise"])
        root = designs.covariance_root(settings["features"], width, rng) if width else None

        def rows(group: Array) -> dict[str, Array]:
            n = len(group)
            x = designs.rows(settings["features"], (n, width), root, rng) if width else np.empty((n, 0))
            inputs = {"x": x, "group": group.astype(float)}
            return {**inputs, "y": _mean(truth, inputs) + truth["sigma"] * rng.standard_normal(n)}

        arrays = rows(np.repeat(np.arange(len(sizes)), sizes))
        n_new = scenario.holdout.get("n_obs", min(max(100, sum(sizes)), 1000))
        return Simulated(arrays, truth, rows(np.arange(n_new) % len(sizes)))

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        noise = rng.standard_normal(len(data.arrays["y"]))
        return {"y": _mean(truth, data.arrays) + truth["sigma"] * noise}

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return _mean(draws, arrays)

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return _LAW.log_prob(*_observations(draws, arrays))

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return _LAW.cdf(*_observations(draws, arrays))

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        """`icc`: the intraclass correlation tau²/(tau² + sigma²), (...)."""
        sigma, tau = (np.square(np.asarray(draws[name], dtype=float)) for name in ("sigma", "tau"))
        return {"icc": tau / (tau + sigma)}

    def log_observations(self, data: Dataset, draws: Arrays) -> tuple[Array, dict[str, Array]]:
        arrays = data.arrays
        scales = {"sigma": np.asarray(draws["sigma"], dtype=float)}
        value, along, slopes = _LAW.sums(arrays["y"], _mean(draws, arrays), scales)
        member = arrays["group"][:, None] == np.arange(data.parameter("a").size)
        of_weights = {"weights": along @ arrays["x"]} if "weights" in draws else {}
        return value, {**slopes, **of_weights, "a": along @ member}

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


def _mean(draws: Arrays, arrays: Arrays) -> Array:
    """a[group] + x·weights of every row: draws (..., *shape) and arrays `group` (n,) and x (n, P) → (..., n)."""
    intercepts = np.asarray(draws["a"], dtype=float)[..., arrays["group"].astype(np.intp)]
    return intercepts + np.asarray(draws["weights"], dtype=float) @ arrays["x"].T if "weights" in draws else intercepts


def _observations(draws: Arrays, arrays: Arrays) -> tuple[Array, Array, dict[str, Array]]:
    """y (n,), means (..., n) and sigma (..., 1) of every row."""
    return arrays["y"], _mean(draws, arrays), {"sigma": np.asarray(draws["sigma"], dtype=float)[..., None]}


def _sizes(table: Mapping[str, Any]) -> list[int]:
    """Observations of every group."""
    if ("n_obs" in table) == ("n_per_group" in table):
        raise ScenarioError("n_per_group", table.get("n_per_group"), "give either n_per_group or n_obs")
    groups = checks.integer("n_groups", table["n_groups"], least=2, most=checks.WIDTH) if "n_groups" in table else None
    per_group = table.get("n_per_group")
    if isinstance(per_group, list | tuple):
        if groups not in (None, len(per_group)) or len(per_group) < 2:
            raise ScenarioError("n_per_group", per_group, "a list needs a number for each of n_groups, 2 or more")
        return [checks.integer(f"n_per_group[{g}]", n) for g, n in enumerate(per_group)]
    if groups is None:
        raise ScenarioError("n_groups", None, "it must be given unless n_per_group is a list")
    if per_group is not None:
        return [checks.integer("n_per_group", per_group)] * groups
    n = checks.integer("n_obs", table["n_obs"], least=groups)
    return [n // groups + (g < n % groups) for g in range(groups)]


def _weights(value: object, n_features: object) -> tuple[list[float] | dict[str, Any], int]:
    width = None if n_features is None else checks.integer("n_features", n_features, least=0, most=checks.WIDTH)
    if value is None or value == []:
        if width:
            raise ScenarioError("weights", value, f"{width} features need weights")
        return [], 0
    if isinstance(value, Mapping):
        if width is None:
            raise ScenarioError("n_features", None, "weights made by a rule need n_features")
        rule = checks.prior_rule("weights", value)
        return {rule.name: list(rule.args)}, width
    listed = checks.numbers("weights", value)
    if len(listed) > checks.WIDTH:
        raise ScenarioError("weights", value, f"it has {len(listed)} numbers, at most {checks.WIDTH} are allowed")
    if width not in (None, len(listed)):
        raise ScenarioError("n_features", n_features, f"weights lists {len(listed)} values; leave n_features out")
    return listed, len(listed)


FAMILY = VaryingIntercept()
