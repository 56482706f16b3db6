"""How the judged functions are chosen among many scalars: the same as from whole matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from bench.score import functions
from bench.score.functions import PAIRS


def test_the_most_correlated_pairs_are_those_of_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(40, 30)) @ rng.normal(size=(30, 30))
    whole = np.corrcoef(draws.T)
    rows, columns = np.triu_indices(30, 1)
    order = np.argsort(-np.abs(whole[rows, columns]))[:PAIRS]
    monkeypatch.setattr(functions, "TOGETHER", 7 * 30)  # seven rows at a time
    pairs, correlation = functions._correlated(draws - draws.mean(axis=0))
    assert pairs[0].tolist() == rows[order].tolist() and pairs[1].tolist() == columns[order].tolist()
    np.testing.assert_allclose(correlation, whole[rows, columns][order], rtol=1e-12)
    all_of_five, _ = functions._correlated(draws[:, :5] - draws[:, :5].mean(axis=0))
    np.testing.assert_array_equal(all_of_five, np.triu_indices(5, 1))


@pytest.mark.parametrize("draws", [12, 200])
def test_whitened_directions_have_unit_variance_and_are_symmetric(draws: int) -> None:
    """Of fewer draws than scalars, too: the inverse root of the covariance, of its range where it has no inverse."""
    rng = np.random.default_rng(1)
    w = rng.normal(size=(draws, 30))
    centred, unit = w - w.mean(axis=0), rng.normal(size=(30, 4))
    covariance = centred.T @ centred / draws
    root = np.real(scipy.linalg.sqrtm(scipy.linalg.pinvh(covariance)))
    # the root of a rounding of 1e-16 is 1e-8
    np.testing.assert_allclose(functions._whitened(centred, unit), root @ unit, atol=1e-6)
