"""Chain diagnostics against arviz-stats, closed forms of AR(1) series, and simulation."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bench.score import chains
from bench.types import Array


def ar1(rng: np.random.Generator, phi: float, shape: tuple[int, ...]) -> Array:
    """Stationary AR(1) series along the last axis, marginals N(0, 1)."""
    noise = rng.standard_normal(shape)
    x = np.empty(shape)
    x[..., 0] = noise[..., 0]
    for t in range(1, shape[-1]):
        x[..., t] = phi * x[..., t - 1] + np.sqrt(1 - phi**2) * noise[..., t]
    return x


def awkward(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, Array]:
    """Series that break estimators: ties, heavy tails, antithetic, drifting, disagreeing and stuck chains."""
    cases = {f"phi={phi}": ar1(rng, phi, shape) for phi in (-0.95, -0.5, 0.0, 0.3, 0.9, 0.99)}
    apart, stuck = ar1(rng, 0.2, shape), ar1(rng, 0.2, shape)
    apart[0] += 5.0
    stuck[0] = 1.0
    return cases | {
        "ties": np.round(ar1(rng, 0.5, shape)),
        "two values": (ar1(rng, 0.5, shape) > 0).astype(float),
        "cauchy": rng.standard_cauchy(shape),
        "skewed": np.exp(3 * ar1(rng, 0.2, shape)),
        "random walk": np.cumsum(rng.standard_normal(shape), axis=1),
        "trend": np.broadcast_to(np.arange(float(shape[1])), shape),
        "alternating": np.broadcast_to(np.arange(float(shape[1])) % 2, shape),
        "one chain apart": apart,
        "one chain stuck": stuck,
        "far from zero": 1e3 + 1e-8 * ar1(rng, 0.2, shape),
    }


THEIRS: dict[str, Callable[[Array], float]] = {
    "r_hat": lambda x: array_stats.rhat(x, method="rank"),
    "ess_bulk": lambda x: array_stats.ess(x, method="bulk"),
    "ess_tail": lambda x: array_stats.ess(x, method="tail", prob=(0.05, 0.95)),
    "ess_mean": lambda x: array_stats.ess(x, method="mean"),
    "mcse_mean": lambda x: array_stats.mcse(x, method="mean"),
    "mcse_q05": lambda x: array_stats.mcse(x, method="quantile", prob=0.05),
    "mcse_q95": lambda x: array_stats.mcse(x, method="quantile", prob=0.95),
}


@pytest.mark.parametrize("n_chains", [1, 2, 4, 7])
@pytest.mark.parametrize("n_draws", [4, 5, 7, 10, 16, 101, 500])
def test_equals_arviz_stats(n_chains: int, n_draws: int) -> None:
    cases = awkward(np.random.default_rng(n_chains * 1000 + n_draws), (n_chains, n_draws))
    cases = {name: x for name, x in cases.items() if np.ptp(x) > 0}
    ours = chains.diagnose(np.stack(list(cases.values())))
    for metric, theirs in THEIRS.items():
        if metric == "r_hat" and n_chains == 1:
            continue  # ArviZ gives none for one chain; its halves are compared below
        for i, (name, x) in enumerate(cases.items()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # ArviZ divides by a zero variance here and there
                expected = float(theirs(x))
            # the same arithmetic in another order: a few hundred roundings of 1e-16 in the sums of a long series
            assert getattr(ours, metric)[i] == pytest.approx(expected, rel=1e-11, nan_ok=True), (metric, name)


def test_r_hat_of_one_chain_is_that_of_its_halves() -> None:
    x = ar1(np.random.default_rng(0), 0.9, (1, 200))
    halves = np.stack([x[0, :100], x[0, 100:]])
    folded = np.abs(halves - np.median(halves))
    with_scores = (chains.normal_scores(v[None])[0] for v in (halves, folded))
    expected = max(float(array_stats.rhat(v, method="identity")) for v in with_scores)
    assert chains.diagnose(x[None]).r_hat[0] == pytest.approx(expected, rel=1e-12)  # rounding


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_ess_of_an_autoregression_is_known(phi: float) -> None:
    x = ar1(np.random.default_rng(1), phi, (200, 4, 1000))
    found = chains.diagnose(x)
    truth = 4000 * (1 - phi) / (1 + phi)
    # Geyer's truncation adds a positive bias of a few per cent of tau; 200 series leave at most 2 % of noise
    assert found.ess_mean.mean() == pytest.approx(truth, rel=0.06)
    assert found.ess_bulk.mean() == pytest.approx(truth, rel=0.06)


@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.7])
def test_monte_carlo_errors_are_the_spread_of_repeated_runs(phi: float) -> None:
    x = ar1(np.random.default_rng(2), phi, (2000, 4, 250))
    flat, found = x.reshape(2000, -1), chains.diagnose(x)
    spreads = {
        "mcse_mean": flat.mean(axis=1).std(),
        "mcse_sd": flat.std(axis=1).std(),
        "mcse_q05": np.quantile(flat, 0.05, axis=1).std(),
        "mcse_q95": np.quantile(flat, 0.95, axis=1).std(),
    }
    for metric, spread in spreads.items():
        # a standard deviation of 2000 values is known to 1.6 %; the ESS behind the errors is biased by a few per cent
        # (more for quantiles). With the ESS of x instead of x² the sd's would be off by 1.4 at 0.7, 1.8 at −0.4.
        assert np.median(getattr(found, metric)) == pytest.approx(spread, rel=0.10), metric


def test_a_stuck_scalar_has_no_effective_draws_and_spoils_no_other() -> None:
    x = ar1(np.random.default_rng(3), 0.3, (3, 4, 100))
    alone = chains.diagnose(x[[0, 2]])
    x[1] = 7.0
    found = chains.diagnose(x)
    assert found.ess_bulk[1] == found.ess_tail[1] == found.ess_mean[1] == 0.0
    assert np.isnan([found.r_hat[1], found.mcse_mean[1], found.mcse_sd[1], found.mcse_q05[1]]).all()
    for name in chains.Diagnostics.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name)[[0, 2]], getattr(alone, name))
    assert chains.diagnose(x[[1, 1]]).ess_bulk.tolist() == [0.0, 0.0]


def test_chains_stuck_at_different_values_look_bad() -> None:
    x = np.broadcast_to(np.arange(4.0)[:, None], (4, 100))
    found = chains.diagnose(x[None])
    assert not found.r_hat[0] < 1e6  # infinite, up to the rounding of a variance of nothing
    assert found.ess_bulk[0] <= 8.0  # at most one per half chain


def test_large_fits_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ar1(np.random.default_rng(4), 0.5, (7, 2, 50))
    whole = chains.diagnose(x)
    monkeypatch.setattr(chains, "BLOCK", 200)  # two scalars of 100 draws
    pieces = chains.diagnose(x)
    for name in chains.Diagnostics.__dataclass_fields__:
        # the blocks may be summed with other vector widths
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), rtol=1e-12)


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="3 draws per chain, at least 4"):
        chains.diagnose(np.zeros((1, 4, 3)))
