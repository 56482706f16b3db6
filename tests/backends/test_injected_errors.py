"""Wrong models, each of them one that somebody has written: the density gate catches every one in every framework."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.catalog.places import scenario_files
from bench.catalog.scenarios import scenario
from bench.catalog.suites import suite
from bench.data import family
from bench.measure.runtime import runtime_of
from bench.plan import Choice
from bench.plan import make as plan
from bench.selection import parse
from bench.types import Dataset, Place, Prior
from bench.verify.comparison import GATES, Errors, compare
from bench.verify.problems import Problem, Problems

FRAMEWORKS = ("torch", "pyro", "numpyro")


@cache
def problem(name: str) -> Problem:
    text = parse(name)
    return Problems().get(scenario(text.name, dict(text.values)), "float64")


def errors(models: ModuleType, name: str, change: Callable[[Dataset], Dataset] = lambda data: data) -> Errors:
    """The gate's errors of a framework's density, of data or priors that `change` has altered."""
    framework = models.__name__.split(".")[1]
    runtime_of(framework).start(Place())
    made = problem(name)
    value, gradient = models.log_density(change(made.data), made.z, Place())
    return compare(made.expected, value, gradient, groups=made.points.groups, dtype="float64")


@cache
def honest(framework: str, name: str) -> bool:
    """Whether the framework's own density passes."""
    return errors(importlib.import_module(f"backends.{framework}.models"), name).passed


def priors(**changed: Prior) -> Callable[[Dataset], Dataset]:
    return lambda data: replace(data, priors={**data.priors, **changed})


PRIORS = {
    "sigma with another rate": ("s0-exponential", priors(sigma=Prior("exponential", (3.0,)))),
    "sigma half normal": ("s0-exponential", priors(sigma=Prior("half_normal", (0.5,)))),
    "sigma without a prior": ("s0-exponential", priors(sigma=Prior("flat"))),
    "weights of N(0, 100) for N(0, 10)": ("s0-uniform", priors(weights=Prior("normal", (0.0, 100.0)))),
    "bias of N(0, 100) for N(0, 10)": ("correlated-rho95[n_obs=5000]", priors(bias=Prior("normal", (0.0, 100.0)))),
    "weights of N(0, 10.0001)": ("wide-n1000-p100", priors(weights=Prior("normal", (0.0, 10.0001)))),
    "known sigma 0.1001 for 0.1": ("s1-known-noise", priors(sigma=Prior("known", (0.1001,)))),
}


# the gate is one for all of them: each error in torch, and in one of those that write priors for themselves
WRONG = [(name, error) for i, error in enumerate(PRIORS) for name in ("torch", ("pyro", "numpyro")[i % 2])]


@pytest.mark.parametrize(("framework", "error"), WRONG)
def test_a_wrong_prior_is_caught(framework: str, error: str) -> None:
    models = importlib.import_module(f"backends.{framework}.models")
    name, change = PRIORS[error]
    found = errors(models, name, change)
    assert max(found.value, found.gradient) > 100 * GATES["float64"], found
    assert honest(framework, name)


def without_jacobian(framework: str, models: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    if (
        framework == "torch"
    ):  # by autograd and by hand; the gate sees the value of the one and the gradient of the other
        constrain, blocks = models.constrain, importlib.import_module("backends.torch.blocks")
        above = blocks._above
        monkeypatch.setattr(blocks, "_above", lambda *a: above(*a)._replace(bend=0.0))
        monkeypatch.setattr(models, "constrain", lambda data, z: (constrain(data, z)[0], z.new_zeros(z.shape[:-1])))
    elif framework == "pyro":
        supports = models._supports

        class Bare:
            """A bijection that claims to stretch nothing."""

            def __init__(self, transform: Any) -> None:
                self.transform = transform

            def __call__(self, u: Any) -> Any:
                return self.transform(u)

            def log_abs_det_jacobian(self, u: Any, x: Any) -> Any:
                return u.new_zeros(())

        monkeypatch.setattr(models, "_supports", lambda *a: {k: Bare(t) for k, t in supports(*a).items()})
    else:
        potential = models.potential_energy
        # the scenario's only bounded site is sigma = exp(u), of which log |dσ/du| = u
        monkeypatch.setattr(models, "potential_energy", lambda *a: potential(*a) + a[3]["sigma"].sum())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_missing_jacobian_is_caught(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    models = importlib.import_module(f"backends.{framework}.models")
    assert honest(framework, "s0-exponential")
    without_jacobian(framework, models, monkeypatch)
    found = errors(models, "s0-exponential")
    assert min(found.value, found.gradient) > 1e-3, found


def halved(found: Any) -> Any:
    return found._replace(factor=0.5 * found.factor, scales={k: 0.5 * v for k, v in found.scales.items()})


def halve_likelihood(framework: str, models: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    if framework == "torch":
        whole, slopes = models.MODELS["linear"], importlib.import_module("backends.torch.slopes")
        law = slopes.BY_FAMILY["linear"]
        monkeypatch.setitem(models.MODELS, "linear", lambda *a: 0.5 * whole(*a))
        monkeypatch.setitem(slopes.BY_FAMILY, "linear", lambda *a: halved(law(*a)))
        return
    library = models.pyro if framework == "pyro" else models.numpyro
    scale = library.poutine.scale if framework == "pyro" else library.handlers.scale

    def linear(data: Dataset, *place: Any) -> Callable[..., None]:
        draw = models._sampler(data, place[0]) if place else lambda: models._sample(data)

        def model(X: Any, y: Any) -> None:
            params = draw()
            with scale(scale=0.5), library.plate("observations", len(y)):
                mean = X @ params["weights"] + params["bias"]
                library.sample("y", models.dist.Normal(mean, params["sigma"]), obs=y)

        return model

    monkeypatch.setitem(models.MODELS, "linear", (linear, models.MODELS["linear"][1]))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_halved_likelihood_is_caught(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    models = importlib.import_module(f"backends.{framework}.models")
    halve_likelihood(framework, models, monkeypatch)
    found = errors(models, "s0-exponential")
    assert min(found.value, found.gradient) > 0.1, found


def swapped(data: Dataset) -> Dataset:
    return replace(data, arrays={**data.arrays, "y1": data.arrays["y2"], "y2": data.arrays["y1"]})


def one_row_less(data: Dataset) -> Dataset:
    return replace(data, arrays={name: x[1:] for name, x in data.arrays.items()})


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("name", "change"), [("s3-best", swapped), ("s2-minibatch", one_row_less)])
def test_wrong_data_are_caught(framework: str, name: str, change: Callable[[Dataset], Dataset]) -> None:
    models = importlib.import_module(f"backends.{framework}.models")
    found = errors(models, name, change)
    assert min(found.value, found.gradient) > 1e-5, found


def same_for_every_family() -> list[str]:
    """A scenario of every family, by file."""
    first: dict[str, str] = {}
    for name in scenario_files():
        first.setdefault(scenario(name).family, name)
    return list(first.values())


@pytest.mark.parametrize("name", same_for_every_family())
def test_a_gradient_is_the_slope_of_the_value_the_gate_compares(name: str) -> None:
    """The reference itself: central differences of its value, so that a wrong family cannot pass for the truth."""
    made = problem(name)
    fam, z = family(made.data.family), made.z[0, :8]
    for i, step in enumerate(1e-5 * np.eye(made.data.dim)):
        ahead, behind = (fam.log_density(made.data, z + s)[0] for s in (step, -step))
        # h² times the third derivative, and rounding of the value over h
        allowed = 1e-6 * (1 + np.abs(made.expected.gradient[0, :8]).max(axis=-1)) + 1e-9 * np.abs(ahead)
        assert (np.abs((ahead - behind) / 2e-5 - made.expected.gradient[0, :8, i]) < allowed).all()


def names(*suites: str) -> list[str]:
    found = dict.fromkeys(s for name in suites for entry in suite(name).entries for s in entry.scenarios)
    return list(dict.fromkeys(p.cell.scenario for s in found for p in plan(Choice([s], ["exact.posterior"])).cells))


@pytest.mark.parametrize(
    "framework", [pytest.param(name, marks=() if name == "torch" else pytest.mark.slow) for name in FRAMEWORKS]
)
def test_the_models_of_the_suites_have_the_right_target(framework: str, bench: Callable[..., Any]) -> None:
    """In children of a process of its own: this one has JAX, which warns of every fork."""
    wanted = names("quick", "sources")
    assert {"s0-uniform", "s3-best"} <= set(wanted)
    done = bench("verify", "-b", framework, *(arg for name in wanted for arg in ("-s", name)), "--json")
    assert done.code == 0, done.out
    outcomes = done.json["outcomes"]
    assert len(outcomes) == 2 * len(wanted)
    for outcome in outcomes:
        assert outcome["verdict"] == "same", outcome
        # twice the error would pass: the gate does not hang by a thread
        assert max(outcome["value_error"], outcome["gradient_error"]) < GATES[outcome["dtype"]] / 2, outcome


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_density_is_one_in_float32_too(framework: str) -> None:
    """A float32 answer in float64's clothes would pass float64's gate nowhere."""
    models = importlib.import_module(f"backends.{framework}.models")
    runtime_of(framework).start(Place(dtype="float32"))
    made = problem("s0-uniform")
    value, gradient = models.log_density(made.data, made.z, Place(dtype="float32"))
    found = compare(made.expected, value, gradient, groups=made.points.groups, dtype="float64")
    assert not found.passed
