"""What each framework answers on the families `logistic` and `robust`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.errors import NoReference
from bench.types import Dataset, Prior, Unsupported

STUDENT = Prior("student_t", (5.0, 0.0, 2.0))
POINTS: list[tuple[str, dict[str, Any]]] = [
    ("torch.adam", {"lr": 0.05}), ("torch.adam", {"lr": 0.05, "space": "unconstrained"}), ("pyro.map", {"lr": 0.05}),
    ("torch.lbfgs", {}), ("torch.lbfgs", {"space": "unconstrained"}),
]  # fmt: skip
"""`torch.map` is the loop of `torch.adam`."""


@pytest.fixture(scope="module")
def dataset(logistic: Callable[..., Dataset], robust: Callable[..., Dataset]) -> Callable[[str], Dataset]:
    made = {
        "logistic": lambda: logistic(location=STUDENT),
        "robust": robust,
        "robust-df": lambda: robust(df=Prior("log_normal", (1.5, 0.5)), bias=False),
    }
    return lambda name: made[name]()


@pytest.mark.parametrize("case", ["logistic", "robust-df"])
@pytest.mark.parametrize(("name", "options"), POINTS)
def test_map_methods_end_at_the_optimum_they_name(
    name: str, options: dict[str, Any], case: str, dataset: Callable[[str], Dataset], contender: Callable[..., Any]
) -> None:
    data = dataset(case)
    start = {p.name: np.full(p.shape, 0.5 + 2.0 * (p.name == "df")) for p in data.parameters}
    data = replace(data, start=start)
    fitted, _ = contender(name, data, steps=1000, **options).fit(data)
    fam, objective = family(data.family), fitted.stats["objective"]
    assert objective == ("map_unconstrained" if "space" in options else "map")
    best, least = fam.optimum(data, objective)
    point = {parameter: value[0, 0] for parameter, value in fitted.draws.items()}
    # Half the square of a distance in posterior sds: 1e-3 of them in each of at most 4 scalars.
    assert -1e-11 < fam.objective(data, objective, point) - least < 4 * 0.5 * 1e-3**2
    for parameter, value in best.items():
        np.testing.assert_allclose(point[parameter], value, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["logistic", "robust-df"])
@pytest.mark.parametrize(("name", "settings"), [("numpyro.nuts", {}), ("torch.metropolis", {"draws": 4000, "thin": 8})])
def test_samplers_agree_with_the_reference(
    name: str, settings: dict[str, Any], case: str, dataset: Callable[[str], Dataset], contender: Callable[..., Any]
) -> None:
    data = dataset(case)
    fitted, _ = contender(name, data, **settings).fit(data)
    exact = family(data.family).reference(data)
    for parameter in data.names:
        draws = fitted.draws[parameter]
        # 40 batches of 50 successive draws are long against the autocorrelation of these samplers, so the spread of
        # their means is the Monte-Carlo error, beside which the reference's is a tenth; 5 of them (t with 39 df).
        means = draws.reshape(40, 50, *draws.shape[2:]).mean(1)
        error = means.std(0, ddof=1) / np.sqrt(40)
        assert np.all(np.abs(means.mean(0) - exact.mean[parameter]) < 5 * error)
        # At 400 effective draws the relative error of an sd is 3.5 % where tails are normal's; 5 of those, and df has
        # a tail that leaves it twice as uncertain.
        np.testing.assert_allclose(draws.std((0, 1)), exact.sd[parameter], rtol=0.36 if parameter == "df" else 0.18)


@pytest.mark.needs("pyro")
@pytest.mark.parametrize(("case", "particles"), [("logistic", 1), pytest.param("robust-df", 4, marks=pytest.mark.slow)])
def test_vi_with_full_covariance_comes_near_the_reference(
    case: str, particles: int, dataset: Callable[[str], Dataset], contender: Callable[..., Any]
) -> None:
    data = dataset(case)
    settings = {"steps": 1500, "lr": 0.05, "lr_decay": 0.01, "particles": particles, "jit": True}
    made = contender("pyro.svi", data, guide="multivariate_normal", **settings)
    fitted, _ = made.fit(data)
    exact = family(data.family).reference(data)
    for parameter in ("weights", *(["sigma"] if "sigma" in data.names else [])):
        mean, sd = fitted.moments[parameter]
        # These posteriors are nearly normal in z, so the best q is within some 0.1 sd of them; noise of the last steps
        # adds as much. A likelihood counted once per particle, or not at all, is off by many sd.
        assert np.all(np.abs(mean - exact.mean[parameter]) < 0.4 * exact.sd[parameter])
        np.testing.assert_allclose(sd, exact.sd[parameter], rtol=0.35)


@pytest.mark.needs("torch", "pyro")
@pytest.mark.parametrize("case", ["logistic", "robust"])
def test_what_does_not_apply_is_refused(
    case: str, dataset: Callable[[str], Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match="least squares"):
        contender("torch.adam", dataset(case), objective="least_squares")
    data = dataset(case)
    with pytest.raises(Unsupported, match="batch_size"):
        contender("pyro.svi", data, batch_size=len(data.arrays["y"]) + 1)


def test_draws_of_a_monte_carlo_reference_are_not_called_exact(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(NoReference, match="Monte Carlo"):
        contender("exact.posterior", linear(location=STUDENT)).fit(linear(location=STUDENT))
