"""J schools' effects with known errors: y_j ~ Normal(theta_j, s_j), theta_j ~ Normal(mu, tau) (Rubin 1981).

The parameters are mu, tau and theta whatever the model samples: see `hierarchy` for the two parametrisations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import ScenarioError
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Parameter, Scenario, Simulated
from scenarios.families.common import checks, priors
from scenarios.families.hierarchy import optimum
from scenarios.families.hierarchy.hierarchy import LOCATION_PRIORS, SCALE_PRIORS, Hierarchy, parametrisation
from scenarios.families.posteriors.known_errors import EightSchoolsPosterior, GivenTau
from scenarios.families.regression.linear import Gaussian

_LAW = Gaussian()
_TRUTH = ("errors", "n_schools", "mu", "tau")


class EightSchools(Hierarchy):
    """Parameters mu, tau and theta (J,); arrays y and errors (J,), and `school` (n,) of hold-out rows."""

    name = "eight_schools"
    NO_INPUTS = "no inputs to predict at"
    KEYS: Mapping[str, str] = {
        "errors": "known standard errors of the schools' estimates: numbers above 0, or one for all of n_schools",
        "n_schools": "number of schools J, at least 2; of a list of errors or a data table, their number",
        "mu": "true mean of the effects, which are drawn afresh per data set",
        "tau": "true standard deviation of the effects",
        "parametrisation": 'what the model samples: "non-centred" (the default) mu, tau and eta = (theta - mu)/tau, or '
        '"centred" mu, tau and theta',
    }
    PRIORS: Mapping[str, tuple[str, ...]] = {"mu": LOCATION_PRIORS, "tau": SCALE_PRIORS}

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        """With `fixed` (a data table) all but the parametrisation go."""
        self.known_keys(table, ())
        full: dict[str, Any] = {**dict.fromkeys(_TRUTH), "parametrisation": parametrisation(table)}
        if fixed:
            for key in table.keys() & set(_TRUTH):
                allowed = "the data table gives effects and errors, of which no truth is known"
                raise ScenarioError(key, table[key], allowed)
            return full
        self.known_keys(table, ("errors", "mu", "tau"))
        errors = _errors("errors", table["errors"], table.get("n_schools"))
        truth = {"mu": checks.number("mu", table["mu"]), "tau": checks.number("tau", table["tau"], above=0.0)}
        return {**full, "errors": errors, "n_schools": len(errors), **truth}

    def check_data(self, scenario: Scenario) -> None:
        if not scenario.data:
            return
        table = checks.table("data", scenario.data, ("effects", "errors"))
        for key in ("effects", "errors"):
            if key not in table:
                raise ScenarioError(f"data.{key}", None, "it must be given: one number per school")
        size = len(_errors("data.errors", table["errors"]))
        checks.numbers("data.effects", table["effects"], length=size)

    def check_holdout(self, scenario: Scenario, held: Mapping[str, Any]) -> None:
        if scenario.data:
            raise ScenarioError("holdout", held, "no more rows can be generated of data whose truth is not known")
        super().check_holdout(scenario, held)

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        if scenario.settings["parametrisation"] != "centred":
            return super().notes(scenario)
        funnel = (
            "Centred parametrisation: the density of (mu, log tau, theta) narrows to a funnel as tau goes to 0, which "
            "samplers of one step size cannot enter; the exact posterior is that of the non-centred model."
        )
        return (*super().notes(scenario), funnel)

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        tau = Parameter("tau", (), *priors.positive_support(scenario.priors["tau"]))
        return Parameter("mu"), tau, Parameter("theta", _known_errors(scenario).shape)

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        settings, errors = scenario.settings, _known_errors(scenario)
        if scenario.data:
            return Simulated({"y": np.array(scenario.data["effects"], dtype=float), "errors": errors}, {}, {})
        theta = settings["mu"] + settings["tau"] * rng.standard_normal(len(errors))
        truth = {"mu": np.array(settings["mu"]), "tau": np.array(settings["tau"]), "theta": theta}
        y = theta + errors * rng.standard_normal(len(errors))
        n = scenario.holdout.get("n_obs", max(100, len(errors)))
        school = np.arange(n) % len(errors)
        held = theta[school] + errors[school] * rng.standard_normal(n)
        holdout = {"school": school.astype(float), "errors": errors[school], "y": held}
        return Simulated({"y": y, "errors": errors}, truth, holdout)

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        errors = data.arrays["errors"]
        return {"y": truth["theta"] + errors * rng.standard_normal(len(errors))}

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        """Expected estimate of every row: theta (..., J) at `school` (n,), the data's own where absent: (..., n)."""
        theta = np.asarray(draws["theta"], dtype=float)
        return theta[..., arrays["school"].astype(np.intp)] if "school" in arrays else theta

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return _LAW.log_prob(arrays["y"], self.predict(data, draws, arrays), {"sigma": arrays["errors"]})

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return _LAW.cdf(arrays["y"], self.predict(data, draws, arrays), {"sigma": arrays["errors"]})

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        """`largest`: the events that theta_j is the largest of all, (..., J)."""
        theta = np.asarray(draws["theta"], dtype=float)
        return {"largest": theta == theta.max(axis=-1, keepdims=True)}

    def log_observations(self, data: Dataset, draws: Arrays) -> tuple[Array, dict[str, Array]]:
        slope = (data.arrays["y"] - draws["theta"]) / np.square(data.arrays["errors"])
        return self.log_likelihood(data, draws, data.arrays).sum(axis=-1), {"theta": slope}

    def reference(self, data: Dataset) -> Reference:
        """The exact posterior; NoReference where tau has no fourth moment."""
        return EightSchoolsPosterior(data)

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        """NoReference for a centred model, whose density is unbounded."""
        conditional = GivenTau(data)

        def mode(scales: Mapping[str, float]) -> dict[str, Array]:
            means = conditional.moments(np.array([scales["tau"]]))[0][0]
            return {"mu": means[0], "theta": means[1:]}

        return optimum.optimum(self, data, name, {"tau": float(np.median(data.arrays["errors"]))}, mode)


def _known_errors(scenario: Scenario) -> Array:
    return np.array(scenario.data["errors"] if scenario.data else scenario.settings["errors"], dtype=float)


def _errors(key: str, value: object, n_schools: object = None) -> list[float]:
    """A standard error per school, at least 2; ScenarioError."""
    size = None if n_schools is None else checks.integer("n_schools", n_schools, least=2, most=checks.WIDTH)
    if not isinstance(value, list | tuple):
        if size is None:
            raise ScenarioError("n_schools", None, "one error for all schools needs n_schools")
        return [checks.number(key, value, above=0.0)] * size
    listed = [checks.number(f"{key}[{i}]", v, above=0.0) for i, v in enumerate(checks.numbers(key, value))]
    if size not in (None, len(listed)):
        raise ScenarioError("n_schools", n_schools, f"{key} lists {len(listed)} values; leave n_schools out")
    if not 2 <= len(listed) <= checks.WIDTH:
        raise ScenarioError(key, value, f"a hierarchy needs 2 schools or more, and at most {checks.WIDTH}")
    return listed


FAMILY = EightSchools()
