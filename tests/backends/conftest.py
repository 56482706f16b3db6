"""Data sets built by hand, and one in-process fit as the worker does it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bench.measure.clock import WallClock
from bench.measure.runtime import runtime_of
from bench.types import Budget, Dataset, Fit, Parameter, Place, Prior

NORMAL = Prior("normal", (0.0, 10.0))
EXPONENTIAL = Prior("exponential", (2.0,))
FOUR = Prior("known", (4.0,))


def make_linear(
    *,
    n: int = 50,
    weights: tuple[float, ...] = (1.5, -2.8),
    bias: float | None = 0.5,
    noise: float = 1.0,
    location: Prior = NORMAL,
    sigma: Prior = EXPONENTIAL,
    start: dict[str, Any] | None = None,
    seed: int = 0,
) -> Dataset:
    """y = x·weights + bias + noise·ε with standard normal features; no bias in the model when it is None."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, len(weights)))
    y = x @ np.array(weights) + (bias or 0.0) + noise * rng.standard_normal(n)
    low, high = location.args if location.name == "uniform" else (-np.inf, np.inf)
    parameters = [Parameter("weights", (len(weights),), low, high)]
    priors = {"weights": location, "sigma": sigma}
    if bias is not None:
        parameters.append(Parameter("bias", (), low, high))
        priors["bias"] = location
    if sigma.name != "known":
        parameters.append(Parameter("sigma", (), 0.0, sigma.args[1] if sigma.name == "uniform" else np.inf))
    at = {name: np.asarray(value, float) for name, value in (start or {}).items()}
    return Dataset("linear", tuple(parameters), {"x": x, "y": y}, priors, start=at)


def make_two_groups() -> Dataset:
    """BEST: two groups of 20 observations."""
    rng = np.random.default_rng(0)
    arrays = {"y1": 0.3 + rng.standard_normal(20), "y2": rng.standard_normal(20)}
    parameters = (Parameter("mu", (2,)), Parameter("sigma", (2,), 0.0, 100.0))
    return Dataset(
        "two_groups", parameters, arrays, {"mu": Prior("normal", (0.0, 1.0)), "sigma": Prior("uniform", (0.0, 100.0))}
    )


def make_logistic(*, location: Prior = NORMAL, bias: bool = True, n: int = 60) -> Dataset:
    """Two features, y of 0 and 1."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((n, 2))
    y = (rng.random(n) < 1 / (1 + np.exp(-(x @ [1.0, -1.5] + 0.5)))).astype(float)
    parameters = (Parameter("weights", (2,)),) + ((Parameter("bias"),) if bias else ())
    return Dataset("logistic", parameters, {"x": x, "y": y}, {p.name: location for p in parameters})


def make_robust(
    *, sigma: Prior = EXPONENTIAL, df: Prior = FOUR, location: Prior = NORMAL, bias: bool = True
) -> Dataset:
    """Two features, noise of three degrees of freedom."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, 2))
    y = x @ [1.0, -1.5] + 0.5 + rng.standard_t(3.0, 60)
    parameters = [Parameter("weights", (2,)), Parameter("bias")][: 1 + bias]
    priors = {p.name: location for p in parameters} | {"sigma": sigma, "df": df}
    for name, prior in (("sigma", sigma), ("df", df)):
        if prior.name != "known":
            parameters.append(Parameter(name, (), *(prior.args if prior.name == "uniform" else (0.0, np.inf))))
    return Dataset("robust", tuple(parameters), {"x": x, "y": y}, priors)


@dataclass
class Contender:
    """A backend built and compiled once, as in a child."""

    method: Any
    runtime: Any
    program: Any
    compile_clock: WallClock

    def fit(self, data: Dataset, seed: int = 1) -> tuple[Fit, WallClock]:
        """One rep."""
        clock = WallClock(synchronize=self.runtime.synchronize, compile_seconds=self.runtime.compile_seconds)
        return self.method.draw(self.method.fit(self.program, data.observed(), seed, clock)), clock


def make_contender(
    name: str,
    data: Dataset,
    *,
    place: Place | None = None,
    steps: int = 1000,
    chains: int = 4,
    draws: int = 500,
    **options: Any,
) -> Contender:
    """Import, start, build on the skeleton, compile."""
    place = place or Place()
    at_work = runtime_of(name.partition(".")[0])
    at_work.start(place)
    method = importlib.import_module(f"backends.{name}")
    budget = Budget("test", chains=chains, warmup=draws, draws=draws, steps=steps, reps=1, rounds=1, timeout=60.0)
    program = method.build(data.observed().skeleton(), budget, method.Options(**options), place)
    clock = WallClock(compile_seconds=at_work.compile_seconds)
    if hasattr(method, "compile"):
        with clock("compile"):
            method.compile(program, data.observed().skeleton())
    return Contender(method, at_work, program, clock)


@pytest.fixture(scope="session")
def linear() -> Callable[..., Dataset]:
    """`make_linear`."""
    return make_linear


@pytest.fixture(scope="session")
def logistic() -> Callable[..., Dataset]:
    """`make_logistic`."""
    return make_logistic


@pytest.fixture(scope="session")
def robust() -> Callable[..., Dataset]:
    """`make_robust`."""
    return make_robust


@pytest.fixture(scope="session")
def two_groups() -> Callable[[], Dataset]:
    """`make_two_groups`."""
    return make_two_groups


@pytest.fixture(scope="session")
def contender() -> Callable[..., Contender]:
    """`make_contender`."""
    return make_contender
