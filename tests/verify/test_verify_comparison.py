"""The comparison of the density gate: what it must not mind, and what it must see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.errors import NoReference
from bench.types import Array, Dataset, DType
from bench.verify.comparison import GATES, Errors, compare
from bench.verify.expected import Expected, expected, rounding
from bench.verify.points import FAR_OUT, FAR_TAIL, UNIFORM, points

NAME = "correlated-rho95"


@dataclass
class Case:
    data: Dataset
    z: Array
    groups: tuple[str, ...]
    wanted: Expected
    dtype: DType

    def compare(self, value: Array, gradient: Array) -> Errors:
        return compare(self.wanted, value, gradient, groups=self.groups, dtype=self.dtype)


def make(dtype: DType = "float64", name: str = NAME, **overrides: Any) -> Case:
    data = dataset(scenario(name, overrides), seed=0, rep=0)
    where = points(data, family(data.family))
    z = where.rounded(dtype)
    return Case(data, z, where.groups, expected(data, family(data.family), z), dtype)


@pytest.fixture(scope="module")
def case() -> Case:
    return make()


def test_the_points_are_those_promised_and_the_same_every_time(case: Case) -> None:
    assert [case.groups.count(name) for name in (UNIFORM, "posterior draws", FAR_TAIL, FAR_OUT)] == [32, 32, 8, 8]
    near, middle, far, out = np.split(case.z[0], [32, 64, 72])
    assert (np.abs(near) < 2).all() and np.ptp(near) > 3.5
    again = points(case.data, family("linear"))
    np.testing.assert_array_equal(again.rounded("float64")[0], case.z[0])
    reference = family("linear").reference(case.data)
    z_sd = middle.std(axis=0)[:3]  # weights and bias: unconstrained themselves
    # 32 draws: a sample sd is within 50 % and a sample mean within 5/√32 sd but once in 10^5 times
    exact = np.append(reference.sd["weights"], reference.sd["bias"])
    centre = np.append(reference.mean["weights"], reference.mean["bias"])
    assert (np.abs(z_sd / exact - 1) < 0.5).all()
    assert (np.abs(middle.mean(axis=0)[:3] - centre) < 5 / np.sqrt(32) * exact).all()
    assert (np.abs(far[:4, :3] - centre) > 8 * exact).all()
    assert ((np.abs(far[4:]) > 4) & (np.abs(far[4:]) < 8)).all()
    assert np.abs(out[:, :3]).min() > 25 and 500 < np.abs(out[:, :3]).max() < 1000
    np.testing.assert_allclose(out[:, 3], middle[:, 3].mean())  # the logarithm of sigma


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_points_are_numbers_of_their_precision_with_neighbours_a_few_units_away(dtype: DType) -> None:
    case = make(dtype)
    np.testing.assert_array_equal(case.z, case.z.astype(dtype))
    assert case.z.shape == (7, 80, 4)
    moved = np.abs(case.z[1:] - case.z[0]) / np.abs(case.z[0])
    assert 0 < moved.max() <= 9 * np.finfo(dtype).eps


def test_without_a_reference_the_points_come_from_the_prior_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(data: Dataset) -> None:
        raise NoReference("not for these priors")

    monkeypatch.setattr("bench.verify.points.reference", none)
    proper = dataset(scenario(NAME), seed=0, rep=0)
    where = points(proper, family("linear"))
    assert where.names[1] == "prior draws (no reference posterior)"
    spread = where.z[32:64, 0].std()
    assert 5 < spread < 15  # the prior's sd is 10; of 32 draws within 50 %
    improper = dataset(scenario("s2-minibatch"), seed=0, rep=0)
    where = points(improper, family("linear"))
    assert where.names[1] == "points around the mode (no reference posterior)"
    mode = family("linear").optimum(improper, "map_unconstrained")[0]["weights"]
    assert (np.abs(where.z[32:64, :4].mean(axis=0) - mode) < 0.5).all()  # steps of sd 0.5, 32 of them


def test_a_constant_is_no_error(case: Case) -> None:
    found = case.compare(case.wanted.value + 1234.5, case.wanted.gradient)
    assert found.passed and found.value < 1e-12 and found.gradient == 0.0
    assert found.reason == ""


@pytest.mark.parametrize("point", [0, 40, 70, 71])
def test_a_slope_that_is_wrong_at_one_point_is_seen_there(case: Case, point: int) -> None:
    gradient = case.wanted.gradient.copy()
    gradient[:, point, 1] *= 1 + 3e-9
    found = case.compare(case.wanted.value, gradient)
    assert not found.passed and found.gradient_at == case.groups[point]
    # 3e-9 of the entry, less what is granted to rounding: a hundredth of it where no terms cancel
    assert found.gradient == pytest.approx(3e-9, rel=0.3)


@pytest.mark.parametrize("point", [0, 40, 70, 71])
def test_a_value_that_is_wrong_at_one_point_is_seen_there(case: Case, point: int) -> None:
    value = case.wanted.value.copy()
    value[:, point] += 1e-6 * (1 + np.abs(value[0, point]))
    found = case.compare(value, case.wanted.gradient)
    assert not found.passed
    assert found.value_at == case.groups[point]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_density_that_is_clipped_far_out_is_wrong(dtype: DType) -> None:
    case = make(dtype)
    clipped = case.z.copy()
    clipped[..., :3] = np.clip(clipped[..., :3], -40, 40)
    found = case.compare(*family("linear").log_density(case.data, clipped))
    assert found.value_at == found.gradient_at == FAR_OUT and not found.passed


@pytest.mark.parametrize(("dtype", "far"), [("float64", 1e101), ("float32", 1e31)])
def test_what_no_number_of_the_precision_holds_is_not_compared(dtype: DType, far: float) -> None:
    case = make(dtype)
    value, gradient = case.wanted.value.copy(), case.wanted.gradient.copy()
    case.wanted.value[:, 3], value[:, 3], gradient[:, 3] = -far, -np.inf, np.nan
    assert case.compare(value, gradient).passed
    gradient[:, 4] = np.nan
    assert not case.compare(value, gradient).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["value", "gradient"])
def test_what_is_not_finite_fails(case: Case, bad: float, where: str) -> None:
    value, gradient = case.wanted.value.copy(), case.wanted.gradient.copy()
    (value[0] if where == "value" else gradient[0, :, 2])[66] = bad
    found = case.compare(value, gradient)
    assert not found.passed and found.value == np.inf
    assert "not finite at far-tail points" in found.reason
    everywhere = case.compare(np.full_like(value, bad), gradient)
    assert not everywhere.passed


def in_precision(data: Dataset, z: Array, dtype: DType, *, gram: bool = False) -> tuple[Array, Array]:
    """Linear regression with normal priors of mean 0 and an exponential one on sigma, term by term in `dtype`.

    With `gram` the residual sum of squares is y'y − 2b'X'y + b'X'Xb, which no careful author writes.
    """
    real = np.dtype(dtype).type
    x = np.column_stack([data.arrays["x"], np.ones(len(data.arrays["y"]))]).astype(dtype)
    y = data.arrays["y"].astype(dtype)
    beta, log_sigma = z[..., :-1].astype(dtype), z[..., -1].astype(dtype)
    sigma = np.exp(log_sigma)
    residual = y - beta @ x.T
    squares = (residual * residual).sum(-1, dtype=dtype)
    if gram:
        squares = y @ y - 2 * (beta @ (x.T @ y)) + ((beta @ (x.T @ x)) * beta).sum(-1, dtype=dtype)
    n, var = real(len(y)), sigma * sigma
    sd = np.array([data.priors["weights"].args[1]] * 2 + [data.priors["bias"].args[1]], dtype)
    value = -squares / (2 * var) - n * log_sigma - np.square(beta / sd).sum(-1) / 2 - sigma + log_sigma
    gradient = np.concatenate(
        [(residual @ x) / var[..., None] - beta / sd**2, (squares / var - n - sigma + 1)[..., None]], axis=-1
    )
    assert value.dtype == gradient.dtype == dtype
    return value.astype(float), gradient.astype(float)


FAR_OFF = {"bias": 1000, "priors.bias": {"normal": [0, 1e4]}}  # with the narrow prior sigma would be as large
ROUGH = [
    {}, FAR_OFF, {**FAR_OFF, "bias": 1e4}, {"bias": 1000}, {"n_obs": 20_000}, {"noise": 1e-3},
    {**FAR_OFF, "n_obs": 5000, "bias": -300},
]  # fmt: skip


@pytest.mark.parametrize("overrides", ROUGH, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_honest_rounding_passes_whatever_the_data(dtype: DType, overrides: dict[str, Any]) -> None:
    case = make(dtype, **overrides)
    found = case.compare(*in_precision(case.data, case.z, dtype))
    assert found.passed, found
    # not by luck: twice the error would pass too
    assert max(found.value, found.gradient) < GATES[dtype] / 2


def test_a_sum_of_squares_by_subtraction_does_not_pass_in_float32() -> None:
    case = make("float32", **FAR_OFF)
    assert not case.compare(*in_precision(case.data, case.z, "float32", gram=True)).passed


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_scatter_among_neighbours_excuses_roughness_and_no_smooth_error(dtype: DType) -> None:
    case = make(dtype)
    value, gradient = in_precision(case.data, case.z, dtype)
    size = 10 * GATES[dtype] * np.abs(case.wanted.gradient[0])
    noise = size * np.random.default_rng(0).standard_normal(gradient.shape)
    assert case.compare(value, gradient + noise).passed
    assert not case.compare(value, gradient + 100 * noise).passed
    assert not case.compare(value, gradient + size).passed


def test_the_condition_tells_what_rounding_the_data_does() -> None:
    case = make("float64", **FAR_OFF)
    y = case.data.arrays["y"]
    rounded = replace(case.data, arrays={**case.data.arrays, "y": y.astype(np.float32).astype(float)})
    _, gradient = family("linear").log_density(rounded, case.z[0])
    moved = np.abs(gradient - case.wanted.gradient[0])[32:64, :3]
    unit = np.abs(y.astype(np.float32) - y).max() / np.abs(y).mean()
    # the rounding of y alone, so not above the condition of all inputs by more than the luck of 100 signs
    assert (moved < 4 * unit * case.wanted.gradient_condition[32:64, :3]).all()
    assert moved.max() > 0.01 * unit * case.wanted.gradient_condition[32:64, :3].max()


def test_rounding_of_a_bounded_site_is_that_of_its_natural_value() -> None:
    data = dataset(scenario("s3-linear"), seed=0, rep=0)  # weights and bias in (−100, 100), sigma in (0, 100)
    z = np.array([[0.02, 0.01, 7.0, -4.0]])
    moved = rounding(data, z)[0]
    h = 1e-6
    natural = (
        family("linear").constrain(data, z + h * np.eye(4)[2])["bias"] - family("linear").constrain(data, z)["bias"]
    )
    slope = natural[0] / h
    # bias = −100 + 200·expit(7): both terms are rounded to about 100 and 200 units
    assert moved[2] == pytest.approx(7.0 + (100 + 199.8) / slope, rel=1e-3)
    assert moved[3] == pytest.approx(4.0 + 1 / (1 - 1 / (1 + np.exp(4.0))), rel=1e-9)  # sigma: relative to itself
