"""Pareto-smoothed weights against arviz-stats, and against weights whose tail is known."""

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


@pytest.mark.parametrize("n", [50, 200, 400, 10_000])
@pytest.mark.parametrize("k", [0.1, 0.645, 0.9])
def test_smoothing_equals_arviz_stats(n: int, k: float) -> None:
    """At these n neither 0.2 n nor 3√n has a fraction, so that both fit the same tail."""
    log_weights = narrow(k, n)
    theirs, k_hat = array_stats.psislw(-log_weights)  # which expects minus the log weights
    ours = pareto.smooth(log_weights)
    assert ours.k_hat == pytest.approx(float(k_hat), rel=1e-10)  # rounding
    np.testing.assert_allclose(ours.log_weights, theirs, rtol=1e-10)


@pytest.mark.parametrize("n", [101, 1000, 4000])
def test_a_tail_of_fractional_length_is_rounded_up(n: int) -> None:
    """As in the authors' own code, ⌈min(0.2 S, 3√S)⌉; arviz-stats 0.8 rounds down, which is one draw fewer."""
    log_weights = narrow(0.645, n)
    ordered = np.sort(log_weights - log_weights.max())
    length = min(0.2 * n, 3.0 * math.sqrt(n))

    def of_last(size: int) -> float:
        cut = ordered[-size - 1]
        return pareto.fit(np.exp(ordered[-size:]) - math.exp(cut))[0]

    assert pareto.smooth(log_weights).k_hat == pytest.approx(of_last(math.ceil(length)), rel=1e-12)
    assert float(array_stats.psislw(-log_weights)[1]) == pytest.approx(of_last(math.floor(length)), rel=1e-10)


def test_the_sign_of_the_log_weights_matters() -> None:
    """A tail of shape 0.645: minus its log weights, which are bounded above, would look harmless."""
    log_weights = narrow(0.645, 100_000, seed=2)
    # 949 draws in the tail: sd (1 + k)/√949 = 0.05; the slowly varying factor 1/√log t costs as much again.
    assert pareto.smooth(log_weights).k_hat == pytest.approx(0.645, abs=0.15)
    assert pareto.smooth(-log_weights).k_hat < -1.0


@pytest.mark.parametrize("k", [-0.4, 0.2, 0.645, 1.1])
def test_the_shape_of_exact_generalised_pareto_draws(k: float) -> None:
    found = [
        pareto.fit(np.sort(pareto.quantile(np.random.default_rng(seed).random(2000), k, 2.0))) for seed in range(40)
    ]
    shape, scale = np.mean(found, axis=0)
    # sd of one shape (1 + k)/√2000 ≤ 0.047, of the mean of 40 below 0.008; the prior of 10 draws at 0.5 pulls by 0.005.
    assert shape == pytest.approx(k, abs=0.03)
    assert scale == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("n", [5, 20, 190, 300])
def test_fit_equals_the_library_s(n: int) -> None:
    excess = np.sort(np.random.default_rng(n).pareto(1.5, n))
    np.testing.assert_allclose(pareto.fit(excess), type(array_stats)._gpdfit(excess), rtol=1e-12)


def test_equal_weights_have_no_tail() -> None:
    noise = 1e-12 * np.random.default_rng(0).standard_normal(1000)
    found = pareto.smooth(-1234.5 + noise)
    assert found.k_hat == -math.inf
    np.testing.assert_allclose(found.log_weights, -math.log(1000), rtol=1e-9)


def test_too_few_draws_say_nothing() -> None:
    assert pareto.smooth(narrow(0.5, 20)).k_hat == math.inf
