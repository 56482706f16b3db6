"""Regressions whose bias varies by group, a_g ~ Normal(mu, tau), whatever the law of their observations.

That of observation i at a[group_i] + x_i·weights + offset_i is the law of a flat regression. The parameters are mu,
tau, a, weights (if there are features) and the law's scales whatever the model samples: see `hierarchy` for the two
parametrisations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Arrays, Dataset, Parameter, Scenario, Simulated
from scenarios.families.common import checks, designs, priors
from scenarios.families.hierarchy.hierarchy import Hierarchy, parametrisation
from scenarios.families.regression import columns, generator
from scenarios.families.regression import settings as regressions
from scenarios.families.regression.regression import Regression

KEYS: Mapping[str, str] = {
    "n_groups": "number of groups G, at least 2; of a list n_per_group, its length",
    "n_per_group": "observations per group: a whole number, or one per group where they are unbalanced",
    "n_obs": "observations in all, dealt to the groups as evenly as can be; in the place of n_per_group",
    "n_features": "number of features P, 0 when absent; of literal weights, their number",
    "weights": "true weights: P numbers, or a distribution such as {normal = [0, 1]}, drawn afresh per data set",
    "mu": "true mean of the intercepts, which are drawn afresh per data set; 0 when absent",
    "tau": "true standard deviation of the intercepts",
    "features": '"normal" (the default), "uniform" on (0, 1), or a table: design = "normal", "uniform" (low, high) '
    'or "multivariate_normal" (correlation or condition_number)',
    "parametrisation": 'what the model samples: "non-centred" (the default) eta = (a - mu)/tau, or "centred" a',
}


class Grouped(Hierarchy):
    """Parameters mu, tau, a (G,), weights (P,) and the law's scales unless known.

    Arrays are x (n, P), y (n,), `group` (n,), indices from 0, and those of the law's columns that the data have, (n,).
    """

    NO_INPUTS = "no new inputs"

    def flat(self, law: str) -> Regression:
        """The regression without groups that has the law which `Dataset.law` names."""
        raise NotImplementedError

    def named_law(self, table: Mapping[str, Any]) -> str:
        """`Dataset.law` of a scenario file, none where the family has but one; ScenarioError."""
        return ""

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        """Of data that are fixed, a formula's, all but the law, its link and the parametrisation is None."""
        self.known_keys(table, ())
        name = self.named_law(table)
        law = self.flat(name).law
        for key in table.keys() & self.KEYS.keys() - KEYS.keys() - {"likelihood", *regressions.keys_of_law(law)}:
            raise ScenarioError(key, table[key], f"{table['likelihood']} observations have no such key")
        self.known_keys(table, () if fixed else ("tau", *regressions.required_of_law(law)))
        of_law = regressions.of_law(table, law) | ({"law": name} if name else {})
        if fixed:
            return {**dict.fromkeys(KEYS), **of_law, "parametrisation": parametrisation(table)}
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
            "features": features,
            "parametrisation": parametrisation(table),
            **of_law,
        }

    def regression(self, scenario: Scenario) -> Regression:
        """The flat regression that has the scenario's law."""
        return self.flat(scenario.settings.get("law", ""))

    def check_data(self, scenario: Scenario) -> None:
        if scenario.design is not None:
            arrays = scenario.design.arrays
            beside = {name: values for name, values in arrays.items() if name not in ("x", "y", "group")}
            law = self.regression(scenario).law
            generator.check_observations(scenario.data["file"], arrays["y"], beside, law, scenario.family)
        elif scenario.data:
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

    def needed_priors(self, scenario: Scenario) -> Mapping[str, tuple[str, ...]]:
        features = self.sizes(scenario)[1]
        own = self.priors_of(scenario.settings)
        return {name: kinds for name, kinds in own.items() if name != "weights" or features}

    def scales(self, scenario: Scenario) -> Mapping[str, str]:
        own = {scale.name: scale.noun for scale in self.regression(scenario).law.SCALES}
        return {"tau": "a standard deviation", **own}

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        of_data = scenario.design.notes if scenario.design is not None else ()
        return (*of_data, *super().notes(scenario))

    def check_holdout(self, scenario: Scenario, held: Mapping[str, Any]) -> None:
        most = checks.ROWS // max(scenario.settings["n_features"], 1)
        checks.integer("holdout.n_obs", held["n_obs"], most=most)

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        (groups, width), chosen = self.sizes(scenario), scenario.priors
        labels = scenario.design.labels if scenario.design is not None else {}

        def located(name: str, shape: tuple[int, ...]) -> Parameter:
            return Parameter(name, shape, *priors.support(chosen[name]), labels.get(name, ()))

        scales = [scale.name for scale in self.regression(scenario).law.SCALES if chosen[scale.name].name != "known"]
        tau, *own = (Parameter(name, (), *priors.positive_support(chosen[name])) for name in ("tau", *scales))
        a = Parameter("a", (groups,), labels=labels.get("a", ()))
        return (located("mu", ()), tau, a, *([located("weights", (width,))] if width else []), *own)

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        """Hold-out rows are of the same groups."""
        if scenario.design is not None:
            return Simulated(scenario.design.arrays, {}, scenario.design.holdout)
        settings, law = scenario.settings, self.regression(scenario).law
        sizes, width = settings["n_per_group"], settings["n_features"]
        truth = {"mu": np.array(settings["mu"]), "tau": np.array(settings["tau"])}
        truth["a"] = truth["mu"] + truth["tau"] * rng.standard_normal(len(sizes))
        if width:
            truth["weights"] = generator.true_weights(settings, width, rng)
        truth |= generator.true_scales(settings, law)
        root = designs.covariance_root(settings["features"], width, rng) if width else None

        def rows(group: Array) -> dict[str, Array]:
            n = len(group)
            x = designs.rows(settings["features"], (n, width), root, rng) if width else np.empty((n, 0))
            beside = {"group": group.astype(float), **columns.rows(settings, n, {}, rng)}
            return {"x": x, **beside, "y": generator.observed(truth, x, beside, settings, law, rng)}

        arrays = rows(np.repeat(np.arange(len(sizes)), sizes))
        n_new = scenario.holdout.get("n_obs", min(max(100, sum(sizes)), 1000))
        return Simulated(arrays, truth, rows(np.arange(n_new) % len(sizes)))

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        return self.flat(data.law).observe(data, truth, rng)

    def discrete(self, data: Dataset) -> bool:
        return self.flat(data.law).discrete(data)

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return self.flat(data.law).predict(data, draws, arrays)

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return self.flat(data.law).log_likelihood(data, draws, arrays)

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return self.flat(data.law).observation_cdf(data, draws, arrays)

    def observation_cdfs(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Callable[[Array], Array]:
        return self.flat(data.law).observation_cdfs(data, draws, arrays)

    def log_observations(self, data: Dataset, draws: Arrays) -> tuple[Array, dict[str, Array]]:
        return self.flat(data.law).log_conditional(data, draws)


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
