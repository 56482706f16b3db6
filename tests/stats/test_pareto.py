"""Pareto-smoothed weights against weights whose tail is known, and where ArviZ alone would be wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bench.stats import pareto
from bench.types import Array


def narrow(k: float, n: int, seed: int = 0) -> Array:
    """Log weights of p = N(0, 1) at draws of q = N(0, 1 − k): P(w > t) falls like t^(−1/k), so their shape is k."""
    return 0.5 * k * np.random.default_rng(seed).standard_normal(n) ** 2


def generalised_pareto(p: Array, shape: float, scale: float) -> Array:
    """Quantiles above 0."""
    return np.asarray(scale * np.expm1(-shape * np.log1p(-p)) / shape)


def shape_and_scale(excess: Array) -> tuple[float, float]:
    """Of sorted positive excesses, by Zhang & Stephens (2009); the shape is shrunk to 0.5 by ten draws' worth."""
    n, m = len(excess), 30 + math.isqrt(len(excess))
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3.0 * excess[int(n / 4 + 0.5) - 1])
    k = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-theta / k) - k - 1.0)
    weight = np.exp(profile - profile.max())
    weight[weight / weight.sum() < 10 * np.finfo(float).eps] = 0.0
    best = float(weight @ theta / weight.sum())
    shape = float(np.log1p(-best * excess).mean())
    return (n * shape + 10 * 0.5) / (n + 10), -shape / best


def smoothed_tail(log_weights: Array, size: int) -> tuple[Array, float]:
    """Normalised log weights whose `size` largest are quantiles of the Pareto fitted to them, and its shape."""
    logs = log_weights - log_weights.max()
    order = np.argsort(logs)
    cut, tail = math.exp(logs[order[-size - 1]]), order[-size:]
    k, scale = shape_and_scale(np.exp(logs[tail]) - cut)
    levels = (np.arange(size) + 0.5) / size
    logs[tail] = np.minimum(np.log(generalised_pareto(levels, k, scale) + cut), 0.0)
    return logs - math.log(np.exp(logs).sum()), k


@pytest.mark.parametrize("n", [50, 200, 400, 1000, 4000, 10_000])
@pytest.mark.parametrize("k", [0.1, 0.645, 0.9])
def test_smoothing_equals_an_independent_formula(n: int, k: float) -> None:
    log_weights = narrow(k, n)
    expected, k_hat = smoothed_tail(log_weights, math.ceil(min(0.2 * n, 3.0 * math.sqrt(n))))
    smoothed = pareto.smooth(log_weights)
    assert smoothed.k_hat == pytest.approx(k_hat, rel=1e-10)  # rounding
    np.testing.assert_allclose(smoothed.log_weights, expected, rtol=1e-10)


@pytest.mark.parametrize("n", [1000, 4000])
def test_a_tail_of_fractional_length_is_rounded_up(n: int) -> None:
    """As in the authors' own code, ⌈3√n⌉; arviz-stats 0.8 by itself rounds down, which is one draw fewer."""
    log_weights, length = narrow(0.645, n), 3.0 * math.sqrt(n)
    assert pareto.smooth(log_weights).k_hat == pytest.approx(
        smoothed_tail(log_weights, math.ceil(length))[1], rel=1e-10
    )
    by_itself = float(array_stats.psislw(-log_weights)[1])  # which expects minus the log weights
    assert by_itself == pytest.approx(smoothed_tail(log_weights, math.floor(length))[1], rel=1e-10)


def test_the_sign_of_the_log_weights_matters() -> None:
    """A tail of shape 0.645: minus its log weights, which are bounded above, would look harmless."""
    log_weights = narrow(0.645, 100_000, seed=2)
    # 949 draws in the tail: sd (1 + k)/√949 = 0.05; the slowly varying factor 1/√log t costs as much again.
    assert pareto.smooth(log_weights).k_hat == pytest.approx(0.645, abs=0.15)
    assert pareto.smooth(-log_weights).k_hat < -1.0


@pytest.mark.parametrize("k", [-0.4, 0.2, 0.645, 1.1])
def test_the_shape_of_exact_generalised_pareto_draws(k: float) -> None:
    def weights(seed: int) -> Array:
        """Their largest 3√n are such draws above 1; the others are 1 and less."""
        rng, n = np.random.default_rng(seed), 111_111
        return np.log(np.concatenate([rng.random(n - 1000), 1.0 + generalised_pareto(rng.random(1000), k, 2.0)]))

    shapes = [pareto.smooth(weights(seed)).k_hat for seed in range(20)]
    # sd of one shape (1 + k)/√1000 ≤ 0.066, of the mean of 20 below 0.015; the prior of 10 draws at 0.5 pulls by 0.009.
    assert np.mean(shapes) == pytest.approx(k, abs=0.05)


def test_weights_that_underflow_are_no_tail() -> None:
    """200 draws carry all the weight, fewer than 3√n: ArviZ alone takes zeros for the rest of the tail."""
    log_weights = np.full(10_000, -1e4)
    log_weights[:200] = narrow(0.645, 200)
    with np.errstate(all="ignore"):
        assert not array_stats.psislw(-log_weights)[1] >= 0.05  # arviz-stats 1.3 gives none at all
    smoothed = pareto.smooth(log_weights)
    assert smoothed.k_hat == pytest.approx(smoothed_tail(log_weights, 200)[1], rel=1e-10)
    assert np.exp(smoothed.log_weights).sum() == pytest.approx(1.0)


def test_ties_with_the_cut_are_no_tail() -> None:
    log_weights = np.round(3 * np.random.default_rng(0).standard_normal(10_000), 1)
    above = int((log_weights > np.sort(log_weights)[-301]).sum())
    assert above < 300
    assert pareto.smooth(log_weights).k_hat == pytest.approx(smoothed_tail(log_weights, above)[1], rel=1e-10)
    with np.errstate(all="ignore"):
        by_itself = float(array_stats.psislw(-log_weights)[1])
    assert by_itself != pytest.approx(pareto.smooth(log_weights).k_hat, rel=1e-3)


def test_a_tail_of_a_few_values_has_a_number_or_is_not_usable() -> None:
    """Half of the tail is equal: arviz-stats 0.8 fits it all the same, 1.3 says that it is no Pareto tail."""
    log_weights = np.round(3 * np.random.default_rng(0).standard_normal(10_000))
    smoothed = pareto.smooth(log_weights)
    assert not math.isnan(smoothed.k_hat) and np.isfinite(smoothed.log_weights).all()
    assert np.exp(smoothed.log_weights).sum() == pytest.approx(1.0)


def test_equal_weights_have_no_tail() -> None:
    noise = 1e-12 * np.random.default_rng(0).standard_normal(1000)
    equal = pareto.smooth(-1234.5 + noise)
    assert equal.k_hat == -math.inf
    np.testing.assert_allclose(equal.log_weights, -math.log(1000), rtol=1e-9)


def test_equal_weights_in_the_tail_stay_as_they_are() -> None:
    log_weights = np.where(np.arange(10_000) < 100, 5.0, 0.0)
    with pytest.raises(ValueError, match="same"):
        array_stats.psislw(-log_weights[:400])
    top = pareto.smooth(log_weights)
    assert top.k_hat == -math.inf
    np.testing.assert_allclose(np.diff(top.log_weights[98:101]), [0.0, -5.0], atol=1e-12)


def test_too_few_draws_say_nothing() -> None:
    assert pareto.smooth(narrow(0.5, 20)).k_hat == math.inf
