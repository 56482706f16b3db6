"""Quantiles of mixtures of normals, a few by Newton steps and many from a table, against their distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.types import Array
from scenarios.families.posteriors import mixtures
from scenarios.families.posteriors.mixtures import NormalMixture

P = np.concatenate([stats.norm.cdf(np.linspace(-4.5, -2.6, 14)), np.linspace(0.01, 0.99, 31)])


def mixture(kind: str) -> NormalMixture:
    """60 components of 7 scalars: much alike, of scales over two decades, or of two far places."""
    rng = np.random.default_rng(0)
    weights, common = rng.dirichlet(np.full(60, 3.0)), rng.normal(size=(60, 1))
    means, sds = rng.normal(size=7) + 0.05 * common * rng.normal(size=7), np.exp(0.03 * rng.normal(size=(60, 7)))
    if kind == "scales":
        sds = sds * np.exp(common)
    elif kind == "places":
        means = means + 40.0 * (np.arange(60) % 2)[:, None]
    return NormalMixture(weights, means, sds)


def below(of: NormalMixture, x: Array) -> Array:
    """The distribution function at x (m, P), component by component."""
    parts = zip(of.weights, of.means, of.sds, strict=True)
    return np.asarray(sum(w * stats.norm.cdf(x, mean, sd) for w, mean, sd in parts))


@pytest.mark.parametrize("kind", ["alike", "scales", "places"])
def test_quantiles_are_where_the_distribution_function_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixtures, "CHUNK", 16 * 60 * 3)  # three scalars at a time
    of = mixture(kind)
    many = of.quantile(P)
    # 1e-10 of a standard deviation, in the density of a normal: in its tails relative to them
    np.testing.assert_allclose(below(of, many), np.broadcast_to(P[:, None], many.shape), rtol=2e-9, atol=0)
    few = np.concatenate([of.quantile(part) for part in np.array_split(P, 5)])
    sd = np.sqrt(of.weights @ (of.sds**2 + (of.means - of.weights @ of.means) ** 2))
    assert (np.abs(many - few) / sd).max() < 1e-9


def test_only_mixtures_that_are_smooth_enough_are_read_off_a_table() -> None:
    by_kind = {kind: mixture(kind) for kind in ("alike", "scales", "places")}
    tabled = {kind: mixtures._tabled(P, of.weights, of.means, of.sds) for kind, of in by_kind.items()}
    assert np.isfinite(tabled["alike"]).all()
    assert np.isnan(tabled["scales"]).all() and np.isnan(tabled["places"]).all()
