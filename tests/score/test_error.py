"""Errors against a reference with normal marginals, where every score has a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.score.error import error_rows
from bench.score.squares import b2
from bench.types import Array, Kind
from tests.score.normal import as_draws, make_problem, make_scored, of_posterior, table

GRID = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
"""A normal sample without noise: its quantiles are exact to 1e-5 within the outermost 0.25 %."""


def spread(n: int = len(GRID)) -> Array:
    """The same (chain, draw, scalar) normal scores in every scalar."""
    return np.repeat(GRID[None, :n, None], 4, axis=2)


def scores(kind: Kind = "exact", *, shift: float = 0.0, scale: float = 1.0) -> dict[str, dict[str, float]]:
    problem = make_problem()
    return table(
        list(error_rows(make_scored(problem, kind, of_posterior(problem, spread(), shift=shift, scale=scale))))
    )


@pytest.mark.parametrize("loc", [0.0, 1.0, 1e3, 1e6])
def test_a_point_at_the_posterior_mean_is_no_posterior(loc: float) -> None:
    problem = make_problem(loc=loc)
    point = as_draws(problem.moments[0][None, None])
    found = table(list(error_rows(make_scored(problem, "point", point))))
    # s⁴ / (2 s⁴): whatever the size of the weights; the point lies at the mean, so nothing is rounded
    assert found["b2_max"][""] == pytest.approx(0.5, rel=1e-12)
    assert found["b2"]["weights[0]"] == 0.0 and found["b2"]["(weights[0])²"] > 0.01
    assert found["b2_avg"][""] == pytest.approx(0.25, rel=1e-12)
    assert "sd_ratio_log" not in found and "mass_90" not in found and "z" not in found


@pytest.mark.parametrize("loc", [0.0, 1e3, 1e6])
def test_exact_mean_field_of_correlated_weights_fails(loc: float) -> None:
    problem, rho = make_problem(loc=loc), 0.95
    moments = {
        name: (mean, problem.reference.sd[name] * np.sqrt(1 - rho**2))  # type: ignore[union-attr]
        for name, mean in problem.reference.mean.items()  # type: ignore[union-attr]
    }
    draws = of_posterior(problem, spread(1000))  # moments of q count, not these draws
    found = table(list(error_rows(make_scored(problem, "vi", draws, moments=moments))))
    squares = [found["b2"][f"({part})²"] for part in problem.parts]
    assert squares == pytest.approx([rho**4 / 2] * 4, rel=1e-12)  # rounding
    assert found["b2_max"][""] > 0.4
    assert found["sd_ratio_log"]["bias"] == pytest.approx(0.5 * np.log(1 - rho**2), rel=1e-12)


def test_b2_of_independent_draws_is_one_over_their_number() -> None:
    reps, size = 20_000, 100
    draws = np.random.default_rng(0).standard_normal((reps, size, 2)) * [1.0, 3.0] + [0.0, 50.0]
    reference = (np.array([0.0, 50.0]), np.array([1.0, 3.0]), np.array([2.0, 162.0]))
    found = b2(draws.mean(axis=1), draws.std(axis=1), reference)
    # b² is about a chi-square over S: sd √2/S per rep (√(2 + 12/S) for squares), 1.1 % over the reps; 5 of those
    np.testing.assert_allclose(found.mean(axis=0) * size, 1.0, rtol=0.055)


def test_b2_loses_nothing_to_a_large_mean() -> None:
    z = np.random.default_rng(1).standard_normal((4, 500, 4))
    near, far = (
        table(list(error_rows(make_scored(p, "mcmc", of_posterior(p, z)))))["b2"]
        for p in (make_problem(), make_problem(loc=1e6))
    )
    for part, value in near.items():
        # draws at 1e6 carry rounding of 1e-10 sd each, and b² is a difference from 1 of about 0.03
        assert far[part] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 0.5), (0.0, 2.0)])
def test_wasserstein_distance_between_normals(shift: float, scale: float) -> None:
    found = scores(shift=shift, scale=scale)
    truth = abs(shift) if scale == 1.0 else abs(scale - 1.0) * np.sqrt(2 / np.pi)
    # 199 midpoints leave out the outer 0.25 %, which hold 0.3 % of E|z|
    assert found["wasserstein_1"]["bias"] == pytest.approx(truth, rel=0.005)


def test_wasserstein_distance_stands_beside_its_noise() -> None:
    problem = make_problem()
    z = np.random.default_rng(2).standard_normal((1, 1000, 4))
    found = table(list(error_rows(make_scored(problem, "exact", of_posterior(problem, z)))))
    noise, seen = (np.mean(list(found[m].values())) for m in ("wasserstein_1_iid", "wasserstein_1"))
    assert 0.3 < seen / noise < 3.0  # four scalars each; single distances vary by about half
    # E|B|/√S for a Brownian bridge over the normal density: about 0.8–1.2 over √S
    assert 0.5 / np.sqrt(1000) < noise < 2.0 / np.sqrt(1000)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.0, 0.5), (1.0, 1.0)])
def test_mass_of_the_posterior_in_the_interval_of_the_method(shift: float, scale: float) -> None:
    found = scores(shift=shift, scale=scale)
    for metric, mass in (("mass_50", 0.5), ("mass_90", 0.9), ("mass_95", 0.95)):
        edge = stats.norm.ppf((1 + mass) / 2) * scale
        truth = stats.norm.cdf(shift + edge) - stats.norm.cdf(shift - edge)
        assert found[metric]["sigma"] == pytest.approx(truth, abs=1e-4)  # a grid of 1e5 quantiles
        assert found[f"{metric}_error"]["sigma"] == found[metric]["sigma"] - mass
    for metric, level in (("q05_sd", 0.05), ("q25_sd", 0.25), ("q75_sd", 0.75), ("q95_sd", 0.95)):
        at = stats.norm.ppf(level)
        assert found[metric]["weights[1]"] == pytest.approx(shift + scale * at, abs=1e-4)
        assert found[f"reference_{metric}"]["weights[1]"] == pytest.approx(at, abs=1e-9)
    # a grid of 1e5 midpoints has a variance 2e-5 too small
    assert found["sd_ratio_log"]["sigma"] == pytest.approx(np.log(scale), abs=1e-4)
    assert found["mean_error_sd"]["weights[1]"] == pytest.approx(shift, abs=1e-12)


def test_z_of_independent_draws_is_standard_normal() -> None:
    rng, values, problem = np.random.default_rng(3), [], make_problem()
    for _ in range(60):
        scored = make_scored(problem, "mcmc", of_posterior(problem, rng.standard_normal((4, 100, 4))))
        found = table(list(error_rows(scored)))
        z = np.array(list(found["z"].values()))
        assert found["rms_z"][""] == pytest.approx(np.sqrt(np.mean(z**2)), rel=1e-12)
        values.extend(z)
    assert np.sqrt(np.mean(np.square(values))) == pytest.approx(1.0, abs=0.15)  # 240 values: sd 0.046, ESS noise 0.05


def test_z_counts_the_error_of_the_reference() -> None:
    z = np.random.default_rng(4).standard_normal((4, 100, 4))
    exact, rough = make_problem(), make_problem(n_effective=25.0)
    first, second = (make_scored(p, "mcmc", of_posterior(p, z, shift=1.0)) for p in (exact, rough))
    assert first.diagnostics is not None
    error = first.diagnostics.mcse_mean[2]
    expected = table(list(error_rows(first)))["z"]["bias"] * error / np.sqrt(error**2 + 1 / 25)  # reference sd is 1
    assert table(list(error_rows(second)))["z"]["bias"] == pytest.approx(expected, rel=1e-12)


def test_without_a_reference_there_is_no_error() -> None:
    problem = make_problem()
    draws = of_posterior(problem, spread(100))
    assert list(error_rows(make_scored(make_problem(exact=False), "exact", draws))) == []


def test_a_reference_says_what_its_own_error_is_worth() -> None:
    found = [
        table(list(error_rows(make_scored(p, "exact", of_posterior(p, spread(100))))))
        for p in (make_problem(), make_problem(n_effective=5e4))
    ]
    assert "reference_draws" not in found[0] and found[1]["reference_draws"] == {"": 5e4}


def test_a_stuck_scalar_leaves_the_other_z_to_be_judged() -> None:
    problem = make_problem()
    z = np.random.default_rng(5).standard_normal((4, 400, 4))
    z[..., 2] = 0.3
    found = table(list(error_rows(make_scored(problem, "mcmc", of_posterior(problem, z)))))
    assert 2.5 < found["z_effective"][""] < 3.001  # three independent ones move
