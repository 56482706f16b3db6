"""Chain diagnostics against independent formulas, closed forms of AR(1) series, and simulation.

Where ArviZ is not asked, a test shows its value beside ours.
"""

from __future__ import annotations

import importlib.metadata
import itertools

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import special

from bench.score.chains import NAMES, Diagnostics
from bench.stats.effective import bulk_and_tail, ess, normal_scores, split
from bench.types import Array


def diagnose(draws: Array) -> Diagnostics:
    """Diagnostics of draws (scalar, chain, draw)."""
    return Diagnostics(np.moveaxis(draws, 0, -1))


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
        "tiny": 1e-17 * ar1(rng, 0.2, shape),
    }


def r_hat(chains: Array) -> Array:
    """√((B/W + n − 1)/n) of chains (scalar, chain, draw) as they stand."""
    n = chains.shape[-1]
    between, within = chains.mean(-1).var(-1, ddof=1), chains.var(-1, ddof=1).mean(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt((n * between / within + n - 1) / n))


def mcse_quantile(x: Array, p: float) -> Array:
    """Half the distance between the order statistics at ±1 sd of the quantile's Beta distribution."""
    ordered = np.sort(x.reshape(len(x), -1), axis=1)
    total, row = ordered.shape[1], np.arange(len(x))
    effective = ess(split((x <= np.quantile(ordered, p, axis=1)[:, None, None]).astype(float)))
    edges = [0.1586553, 0.8413447]
    low, high = (special.betaincinv(effective * p + 1, effective * (1 - p) + 1, e) * total - 1 for e in edges)
    below = np.clip(np.floor(low), 0, total - 1).astype(int)
    above = np.clip(np.ceil(high), 0, total - 1).astype(int)
    return np.asarray((ordered[row, above] - ordered[row, below]) / 2.0)


def independent(x: Array) -> dict[str, Array]:
    """The diagnostics of draws (scalar, chain, draw) from their definitions, for all scalars at once."""
    halves = split(x)
    median = np.median(halves, axis=(1, 2), keepdims=True)
    bulk, folded = normal_scores(halves), normal_scores(np.abs(halves - median))
    indicators = [split((x <= q[:, None, None]).astype(float)) for q in np.quantile(x, [0.05, 0.95], axis=(1, 2))]
    ess_mean = ess(halves)
    return {
        "r_hat": np.fmax(r_hat(bulk), r_hat(folded)),
        "ess_bulk": ess(bulk),
        "ess_tail": np.minimum(*map(ess, indicators)),
        "ess_mean": ess_mean,
        "mcse_mean": x.std(axis=(1, 2), ddof=1) / np.sqrt(ess_mean),
        "mcse_q05": mcse_quantile(x, 0.05),
        "mcse_q95": mcse_quantile(x, 0.95),
    }


@pytest.mark.parametrize(
    ("n_chains", "n_draws"),
    [*itertools.product([1, 2, 4, 7], [4, 5, 7, 10, 16]), (1, 101), (7, 101), (2, 500), (4, 500)],
)
def test_equals_independent_formulas(n_chains: int, n_draws: int) -> None:
    cases = awkward(np.random.default_rng(n_chains * 1000 + n_draws), (n_chains, n_draws))
    cases = {name: x for name, x in cases.items() if np.ptp(x) > 0}
    x = np.stack(list(cases.values()))
    measured, expected = diagnose(x), independent(x)
    for metric, values in expected.items():
        for i, name in enumerate(cases):
            # the same arithmetic in another order: a few hundred roundings of 1e-16 in the sums of a long series
            assert getattr(measured, metric)[i] == pytest.approx(values[i], rel=1e-11, nan_ok=True), (metric, name)
    smaller = np.minimum(expected["ess_bulk"], expected["ess_tail"])
    np.testing.assert_array_equal(bulk_and_tail(x), smaller)


def nested(x: Array, superchains: int) -> float:
    """√(1 + B/W) of Margossian et al. (2024) for chains (chain, draw), by an array with an axis of superchains."""
    blocks = np.stack([x[k::superchains] for k in range(superchains)])  # superchain, chain, draw
    means = blocks.mean(-1)
    within = blocks.var(-1, ddof=1).mean(1) + means.var(1, ddof=1)
    return float(np.sqrt(1 + means.mean(1).var(ddof=1) / within.mean()))


def test_nested_r_hat_is_the_papers_formula_in_ranks() -> None:
    x = ar1(np.random.default_rng(0), 0.5, (24, 10)) + np.repeat([[0.0, 0.3, 0.0, 0.9]], 6, 0).ravel()[:, None]
    halves = np.concatenate([x[:, :5], x[:, 5:]])
    folded = np.abs(halves - np.median(halves))
    for k in (4, 8):
        expected = max(nested(normal_scores(one[None])[0], k) for one in (halves, folded))
        assert diagnose(x[None]).r_hat_nested(k)[0] == pytest.approx(expected, rel=1e-12)


def test_nested_r_hat_judges_many_short_chains_by_their_starts() -> None:
    """64 chains of 20 draws: R-hat objects to what each chain lacks in draws, nested R-hat to a start that lingers."""
    x = ar1(np.random.default_rng(1), 0.6, (3, 64, 20))
    x[1] += 1.0 * np.tile(np.arange(8.0) == 0, 8)[:, None]  # the first of eight superchains
    x[2] = 1.0
    found = diagnose(x)
    assert found.r_hat[0] > 1.05
    # Superchains have 160 draws of autocorrelation time 4: √(1 + 4/160) is 1.012, give or take a few thousandths.
    assert found.r_hat_nested(8)[0] < 1.02 < found.r_hat_nested(8)[1] and np.isnan(found.r_hat_nested(8)[2])


def test_arviz_gives_no_r_hat_of_one_chain() -> None:
    x = ar1(np.random.default_rng(0), 0.9, (1, 200))
    assert np.isnan(array_stats.rhat(x))
    halves = np.stack([x[0, :100], x[0, 100:]])
    folded = np.abs(halves - np.median(halves))
    with_scores = (normal_scores(v[None])[0] for v in (halves, folded))
    expected = max(float(array_stats.rhat(v, method="identity")) for v in with_scores)
    assert diagnose(x[None]).r_hat[0] == pytest.approx(expected, rel=1e-12)  # rounding


def test_arviz_takes_a_small_range_for_no_movement() -> None:
    x = 1e-17 * ar1(np.random.default_rng(5), 0.9, (4, 500))
    assert array_stats.ess(x, method="mean") == x.size
    assert array_stats.ess(1e17 * x, method="mean") < 0.15 * x.size
    assert diagnose(x[None]).ess_mean[0] == pytest.approx(diagnose(1e17 * x[None]).ess_mean[0], rel=1e-11)


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_ess_of_an_autoregression_is_known(phi: float) -> None:
    x = ar1(np.random.default_rng(1), phi, (200, 4, 1000))
    measured = diagnose(x)
    truth = 4000 * (1 - phi) / (1 + phi)
    # Geyer's truncation adds a positive bias of a few per cent of tau; 200 series leave at most 2 % of noise
    assert measured.ess_mean.mean() == pytest.approx(truth, rel=0.06)
    assert measured.ess_bulk.mean() == pytest.approx(truth, rel=0.06)


@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.7])
def test_monte_carlo_errors_are_the_spread_of_repeated_runs(phi: float) -> None:
    x = ar1(np.random.default_rng(2), phi, (2000, 4, 250))
    flat, measured = x.reshape(2000, -1), diagnose(x[:200])
    spreads = {
        "mcse_mean": flat.mean(axis=1).std(),
        "mcse_sd": flat.std(axis=1).std(),
        "mcse_q05": np.quantile(flat, 0.05, axis=1).std(),
        "mcse_q95": np.quantile(flat, 0.95, axis=1).std(),
    }
    for metric, spread in spreads.items():
        # a standard deviation of 2000 values is known to 1.6 %, the median of 200 errors to 1 to 2 %; the ESS behind
        # the errors is biased by a few per cent (more for quantiles)
        assert np.median(getattr(measured, metric)) == pytest.approx(spread, rel=0.10), metric
    arviz = np.median(array_stats.mcse(x[:200], method="sd"))
    before = importlib.metadata.version("arviz-stats").startswith("0.")  # with the ESS of x instead of the squares'
    wrong = {-0.4: 1 / 1.8, 0.0: 1.0, 0.7: 1.4}[phi] if before else 1.0
    assert arviz == pytest.approx(wrong * spreads["mcse_sd"], rel=0.15)


def test_a_stuck_scalar_has_no_effective_draws_and_spoils_no_other() -> None:
    x = ar1(np.random.default_rng(3), 0.3, (3, 4, 100))
    alone = diagnose(x[[0, 2]])
    x[1] = 7.0
    measured = diagnose(x)
    assert array_stats.ess(x[1]) == array_stats.ess(x[1], method="mean") == x[1].size  # ArviZ: as many as draws
    assert measured.ess_bulk[1] == measured.ess_tail[1] == measured.ess_mean[1] == bulk_and_tail(x)[1] == 0.0
    assert np.isnan([measured.r_hat[1], measured.mcse_mean[1], measured.mcse_sd[1], measured.mcse_q05[1]]).all()
    for name in NAMES:
        np.testing.assert_array_equal(getattr(measured, name)[[0, 2]], getattr(alone, name))
    assert diagnose(x[[1, 1]]).ess_bulk.tolist() == [0.0, 0.0]


def test_chains_stuck_at_different_values_look_bad() -> None:
    x = np.broadcast_to(np.arange(4.0)[:, None], (4, 100))
    measured = diagnose(x[None])
    assert not measured.r_hat[0] < 1e6  # infinite, up to the rounding of a variance of nothing
    assert measured.ess_bulk[0] <= 8.0  # at most one per half chain


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="3 draws per chain, at least 4"):
        Diagnostics(np.zeros((4, 3, 1)))
    assert bulk_and_tail(np.random.default_rng(6).random((1, 4, 3))).tolist() == [0.0]
