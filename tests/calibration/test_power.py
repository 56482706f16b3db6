"""What a calibration finds is computed before it is made: against simulation of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.calibration.bands import band, counts
from bench.calibration.power import ALPHA, NEEDED, QUANTITIES, found, shares, statement


def ranks(narrow: float, draws: int, shape: tuple[int, ...]) -> np.ndarray:
    """Of standard normal truths among draws of a normal too narrow by that share."""
    rng = np.random.default_rng(1)
    return rng.binomial(draws, stats.norm.cdf(rng.standard_normal(shape) / (1.0 - narrow)))


def test_ranks_of_calibrated_draws_are_uniform_and_of_narrow_ones_as_simulated() -> None:
    np.testing.assert_allclose(shares(0.0, 63), 1 / 64, rtol=1e-9)  # quadrature
    simulated = np.bincount(ranks(0.2, 15, (400_000,)), minlength=16) / 400_000
    np.testing.assert_allclose(shares(0.2, 15), simulated, atol=5 * np.sqrt(0.1 / 400_000))  # 5 standard errors


@pytest.mark.parametrize(("narrow", "datasets"), [(0.2, 200), (0.25, 200), (0.2, 400)])
def test_the_power_of_the_band_is_that_of_simulated_calibrations(narrow: float, datasets: int) -> None:
    edges, number = band(datasets, 63, ALPHA / QUANTITIES), 2000
    below = np.array([counts(one, 63) for one in ranks(narrow, 63, (number, datasets))])
    left = ((below < edges.lower) | (below > edges.upper)).any(axis=1).mean()
    expected = found(datasets, narrow=narrow, draws=63)
    assert left == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / number))
    assert found(datasets, narrow=0.0, draws=63) <= ALPHA / QUANTITIES  # of calibrated draws


def test_it_is_said_in_a_sentence() -> None:
    said = statement(200)
    assert said.startswith("200 data sets find one of 5 posterior sds that is 7 % too small in 1 % of calibrations")
    assert said.endswith(f"to find 7 % in 95 % takes {NEEDED} data sets.")


@pytest.mark.slow
def test_what_is_needed_is_what_is_stated() -> None:
    assert found(NEEDED) >= 0.95 > found(NEEDED - 200)
