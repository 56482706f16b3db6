"""BEST: two groups of normal observations with their own mean and standard deviation (Kruschke 2013, normal tails).

y_gi = mu_g + sigma_g·ε. Groups share nothing, so each is a linear regression without features whose bias is mu_g: the
density, the objectives and the exact posterior are those of the family `linear`, one group at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import ScenarioError
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Parameter, Scenario, Simulated, derive_seed
from scenarios.families.common import checks, priors, starts
from scenarios.families.common.base import Family
from scenarios.families.posteriors.independent_groups import OWN, GroupsPosterior, regression
from scenarios.families.regression.linear import FAMILY as LINEAR


class TwoGroups(Family):
    """Parameters mu (2,) and sigma (2,); arrays y1 (n1,) and y2 (n2,), of hold-out rows y and `group` (n,), 0 or 1."""

    name = "two_groups"
    OBJECTIVES = LINEAR.OBJECTIVES
    KEYS: Mapping[str, str] = {
        "n_obs": "observations per group: two whole numbers of at least 2, or one for both; of a data file, its rows",
        "means": "true means of the groups: two numbers",
        "noise": "true standard deviations of the groups: two numbers above 0, or one for both",
    }
    PRIORS: Mapping[str, tuple[str, ...]] = {
        "mu": ("normal", "flat"),
        "sigma": ("uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
    }

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        """Pairs of numbers; with `fixed` (a data file) they may be absent (None)."""
        self.known_keys(table, () if fixed else self.KEYS)
        noise = _noise(table["noise"]) if "noise" in table else None
        return {
            "n_obs": _sizes("n_obs", table["n_obs"]) if "n_obs" in table else None,
            "means": checks.numbers("means", table["means"], length=2) if "means" in table else None,
            "noise": noise,
        }

    def check(self, scenario: Scenario) -> None:
        if scenario.predict:
            allowed = f"the family {self.name} has no inputs to predict at"
            raise ScenarioError("predict", dict(scenario.predict), allowed)
        if scenario.data:
            _check_data(scenario)
        scales = {"sigma": "a standard deviation"}
        checks.check_priors(scenario, self.PRIORS, scales, lambda _: f"parameters are {', '.join(self.PRIORS)}")
        starts.check(scenario.start, self.parameters(scenario))
        held = checks.table("holdout", scenario.holdout, ("n_obs",))
        if held and not _truth_known(scenario.settings):
            raise ScenarioError("holdout", held, "without means and noise in the file, no rows can be generated")
        if held:
            _sizes("holdout.n_obs", held["n_obs"])

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        return Parameter("mu", (2,)), Parameter("sigma", (2,), *priors.positive_support(scenario.priors["sigma"]))

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        settings = scenario.settings
        if scenario.data:
            rng = np.random.default_rng(derive_seed(0, "holdout", scenario.name))
        known = {"mu": settings["means"], "sigma": settings["noise"]}
        truth = {name: np.array(value) for name, value in known.items() if value is not None}
        if scenario.data:
            y1, y2 = read_table(scenario)
        else:
            y1, y2 = _rows(truth, settings["n_obs"], rng)
        if not _truth_known(settings):
            return Simulated({"y1": y1, "y2": y2}, truth, {})
        held = scenario.holdout.get("n_obs", [min(max(100, len(y)), 1000) for y in (y1, y2)])
        sizes = held if isinstance(held, list) else [held, held]
        group = np.repeat([0.0, 1.0], sizes)
        return Simulated({"y1": y1, "y2": y2}, truth, {"group": group, "y": np.concatenate(_rows(truth, sizes, rng))})

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        y1, y2 = _rows(truth, [len(data.arrays["y1"]), len(data.arrays["y2"])], rng)
        return {"y1": y1, "y2": y2}

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Expected observation of every row of `arrays`, `group` (n,) or y1 and y2: mu (..., 2) → (..., n)."""
        return np.asarray(draws["mu"], dtype=float)[..., _of_rows(arrays)]

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return LINEAR.law.log_prob(*_observations(draws, arrays))

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return LINEAR.law.cdf(*_observations(draws, arrays))

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        """mu_diff = mu[1] − mu[0], effect_size = mu_diff/√((sigma₁² + sigma₂²)/2), and mu_diff < 0; (...) each."""
        mu, sigma = (np.asarray(draws[name], dtype=float) for name in ("mu", "sigma"))
        difference = mu[..., 1] - mu[..., 0]
        return {
            "mu_diff": difference,
            "effect_size": difference / np.sqrt(np.square(sigma).mean(axis=-1)),
            "mu_diff<0": difference < 0.0,
        }

    def log_conditional(self, data: Dataset, sites: Arrays) -> tuple[Array, dict[str, Array]]:
        """The log likelihood, a sum over groups."""
        each = [LINEAR.log_conditional(regression(data, g), _one(sites, g)) for g in range(2)]
        slopes = {name: np.stack([slope[own] for _, slope in each], axis=-1) for name, own in OWN.items()}
        return each[0][0] + each[1][0], slopes

    def reference(self, data: Dataset) -> Reference:
        """The exact posterior, two independent one-dimensional problems; NoReference where it is improper."""
        return GroupsPosterior(data)

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        """`least_squares` is Σ_g RSS_g/(2s_g²) with s_g² = RSS*_g/n_g at the group means."""
        return sum(LINEAR.objective(regression(data, g), name, _one(params, g)) for g in range(2))

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """`least_squares` estimates no sigma: its minimiser is the group means, with the plug-in √(RSS_g/n_g)."""
        if name == "least_squares":
            groups = (data.arrays["y1"], data.arrays["y2"])
            params = {"mu": np.array([y.mean() for y in groups]), "sigma": np.array([y.std() for y in groups])}
            return params, self.objective(data, name, params)
        (first, least_first), (second, least_second) = (LINEAR.optimum(regression(data, g), name) for g in range(2))
        pairs = {name: np.array([first[own], second[own]]) for name, own in OWN.items()}
        return pairs, least_first + least_second


def _truth_known(settings: Mapping[str, Any]) -> bool:
    """Whether the settings say how the observations came about, so that more of them can be drawn."""
    return settings["means"] is not None and settings["noise"] is not None


def _sizes(key: str, value: object) -> list[int]:
    listed = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(listed) != 2:
        raise ScenarioError(key, value, "it must be two whole numbers, or one for both groups")
    return [checks.integer(key, v, least=2) for v in listed]


def _noise(value: object) -> list[float]:
    if not isinstance(value, list | tuple):
        return [checks.number("noise", value, above=0.0)] * 2
    for i, v in enumerate(checks.numbers("noise", value, length=2)):
        checks.number(f"noise[{i}]", v, above=0.0)
    return [float(v) for v in value]


def _check_data(scenario: Scenario) -> None:
    """Validate the `[data]` table and what it leaves no choice about; ScenarioError."""
    file = checks.table("data", scenario.data, ("file",)).get("file")
    sizes = [len(y) for y in read_table(scenario)]
    for key, value in scenario.overrides.items():
        if key in scenario.settings:
            raise ScenarioError(key, value, f"{file} fixes the data; leave it as it is")
    if scenario.settings["n_obs"] not in (None, sizes):
        raise ScenarioError("n_obs", scenario.settings["n_obs"], f"{file} has {sizes}; leave n_obs out")


def read_table(scenario: Scenario) -> tuple[Array, Array]:
    """y1 (n1,) and y2 (n2,) of the scenario's CSV file of header group,y and groups 1 and 2; ScenarioError."""
    return _read_table(checks.data_file(scenario))


@lru_cache(maxsize=8)
def _read_table(table: checks.DataFile) -> tuple[Array, Array]:
    file, header = table.name, table.header()
    if header != "group,y":
        raise ScenarioError("data.file", file, f"its header must be group,y but is {header}")
    try:
        rows = np.loadtxt(table.path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise ScenarioError("data.file", file, f"its rows must be a group and a number: {error}") from error
    if rows.shape[1:] != (2,) or not np.isfinite(rows).all() or not np.isin(rows[:, 0], (1.0, 2.0)).all():
        raise ScenarioError("data.file", file, "its rows must be a group, 1 or 2, and a finite number")
    groups = (rows[rows[:, 0] == 1.0, 1].copy(), rows[rows[:, 0] == 2.0, 1].copy())
    if min(map(len, groups)) < 2:
        raise ScenarioError("data.file", file, "each group needs at least 2 rows")
    for y in groups:
        y.flags.writeable = False  # cached: a backend that writes into its data must not change ours
    return groups


def _rows(truth: Arrays, sizes: list[int], rng: np.random.Generator) -> list[Array]:
    return [
        mean + noise * rng.standard_normal(n) for mean, noise, n in zip(truth["mu"], truth["sigma"], sizes, strict=True)
    ]


def _of_rows(arrays: Arrays) -> npt.NDArray[np.intp]:
    """The group of every row: of hold-out rows their `group`, of the data y1 then y2."""
    if "group" in arrays:
        return arrays["group"].astype(np.intp)
    return np.repeat([0, 1], [len(arrays["y1"]), len(arrays["y2"])])


def _observations(draws: Arrays, arrays: Arrays) -> tuple[Array, Array, dict[str, Array]]:
    """y (n,), means (..., n) and sigma (..., n) of every row."""
    rows = _of_rows(arrays)
    y = arrays["y"] if "y" in arrays else np.concatenate([arrays["y1"], arrays["y2"]])
    mu, sigma = (np.asarray(draws[name], dtype=float)[..., rows] for name in ("mu", "sigma"))
    return y, mu, {"sigma": sigma}


def _one(values: Arrays, group: int) -> dict[str, Array]:
    """Parameters of one group as those of its regression: mu and, if there is one, sigma, (..., 2) → (...)."""
    own = {own: np.asarray(values[name], dtype=float)[..., group] for name, own in OWN.items() if name in values}
    return {"weights": np.zeros((*own["bias"].shape, 0)), **own}


FAMILY = TwoGroups()
