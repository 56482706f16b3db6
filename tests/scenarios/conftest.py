"""Scenarios and data sets of the family `linear`, built without the catalog."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from bench.data import dataset
from bench.types import Array, Dataset, Parameter, Prior, Scenario
from scenarios.families.common import priors as priors_
from scenarios.families.regression.linear import FAMILY as linear
from tests.conftest import ROOT


def make_scenario(
    table: Mapping[str, Any] | None = None,
    *,
    priors: Mapping[str, Prior] | None = None,
    start: Any = None,
    holdout: Any = None,
    data: Any = None,
    overrides: Any = None,
    name: str = "test",
) -> Scenario:
    table = {"n_obs": 30, "weights": [1.5, -2.8], "bias": 0.5, "noise": 0.7} if table is None else table
    wide = Prior("normal", (0.0, 10.0))
    given = {"weights": wide, "bias": wide, "sigma": Prior("exponential", (1.0,))} if priors is None else priors
    if table.get("bias") == "none":
        given = {k: v for k, v in given.items() if k != "bias"}
    scenario = Scenario(
        name=name,
        family="linear",
        description="",
        source="",
        file=str(ROOT / "scenarios" / f"{name}.toml"),
        priors=dict(given),
        start=start or {},
        settings=linear.settings(table, fixed=bool(data)),
        holdout=holdout or {},
        data=data or {},
        sweep={},
        overrides=overrides or {},
        digest="",
    )
    linear.check(scenario)
    return scenario


def make_data(x: Array, y: Array, priors: Mapping[str, Prior]) -> Dataset:
    bounds = {name: priors_.support(prior) for name, prior in priors.items()}
    parameters = [Parameter("weights", (x.shape[1],), *bounds["weights"])]
    if "bias" in priors:
        parameters.append(Parameter("bias", (), *bounds["bias"]))
    if priors["sigma"].name != "known":
        parameters.append(Parameter("sigma", (), max(bounds["sigma"][0], 0.0), bounds["sigma"][1]))
    return Dataset(family="linear", parameters=tuple(parameters), arrays={"x": x, "y": y}, priors=dict(priors))


@pytest.fixture
def scenario_of() -> Callable[..., Scenario]:
    return make_scenario


@pytest.fixture
def data_of() -> Callable[..., Dataset]:
    return make_data


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture
def simulated_of() -> Callable[..., Dataset]:
    def simulated(*args: Any, seed: int = 1, rep: int = 0, **kwargs: Any) -> Dataset:
        return dataset(make_scenario(*args, **kwargs), seed=seed, rep=rep)

    return simulated
