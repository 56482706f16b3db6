"""Simulation-based calibration (Talts et al. 2018) of the exact posterior, with data that no code of ours has made.

Of the backends it is `bench calibrate` that says it: tests/calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.data import family
from bench.types import Array, Dataset, Prior

PRIORS = {
    "weights": Prior("normal", (0.0, 1.0)),
    "bias": Prior("normal", (0.0, 2.0)),
    "sigma": Prior("exponential", (1.0,)),
}
BINS, DRAWS = 10, 99
P = 1e-4
"""A right method fails one of its three parameters about once in 3000 runs; the seeds are fixed besides."""


def from_the_prior(template: Dataset, count: int) -> Iterator[Dataset]:
    """Data sets of the template's shape whose truth is drawn from PRIORS."""
    rng = np.random.default_rng(20)
    for _ in range(count):
        x = rng.standard_normal((30, 2))
        truth = {"weights": rng.normal(0, 1, 2), "bias": rng.normal(0, 2, ()), "sigma": rng.exponential(1.0, ())}
        y = x @ truth["weights"] + truth["bias"] + truth["sigma"] * rng.standard_normal(30)
        yield replace(template, arrays={"x": x, "y": y}, truth={k: np.asarray(v) for k, v in truth.items()})


def p_values(ranks: dict[str, list[int]]) -> dict[str, float]:
    """Chi-square p-value of uniform ranks 0…DRAWS, per quantity."""
    found = {}
    for name, values in ranks.items():
        counts = np.bincount(np.array(values) * BINS // (DRAWS + 1), minlength=BINS)
        found[name] = float(stats.chisquare(counts).pvalue)
    return found


def ranks_of(
    template: Dataset, count: int, draws_of: Callable[[Dataset, int], dict[str, Array]]
) -> dict[str, list[int]]:
    """Rank of the truth among DRAWS draws, for the first weight, the bias and sigma."""
    ranks: dict[str, list[int]] = {"weights[0]": [], "bias": [], "sigma": []}
    for i, data in enumerate(from_the_prior(template, count)):
        drawn = draws_of(data, i)
        for name, values in ranks.items():
            key, _, part = name.partition("[")
            draws, truth = drawn[key], data.truth[key]
            values.append(int((draws[:, 0] < truth[0]).sum() if part else (draws < truth).sum()))
    return ranks


@pytest.fixture
def template(linear: Callable[..., Dataset]) -> Dataset:
    """30 rows, two features, PRIORS."""
    return replace(linear(n=30), priors=PRIORS)


def exact_draws(data: Dataset, seed: int) -> dict[str, Array]:
    return family("linear").reference(data).draw(DRAWS, np.random.default_rng(seed))


def test_the_exact_posterior_is_calibrated(template: Dataset) -> None:
    assert min(p_values(ranks_of(template, 300, exact_draws)).values()) > P


def test_draws_twice_too_wide_are_noticed(template: Dataset) -> None:
    def wide(data: Dataset, seed: int) -> dict[str, Array]:
        exact = family("linear").reference(data)
        drawn = exact.draw(DRAWS, np.random.default_rng(seed))
        return {name: exact.mean[name] + 2 * (draws - exact.mean[name]) for name, draws in drawn.items()}

    assert max(p_values(ranks_of(template, 300, wide)).values()) < P
