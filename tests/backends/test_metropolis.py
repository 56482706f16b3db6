"""Random-walk Metropolis: the right distribution in either space, the ladder, thinning, and its speed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.types import Dataset, Parameter, Prior, Unsupported

pytestmark = pytest.mark.needs("torch")


@pytest.fixture(scope="module")
def s3() -> Dataset:
    """The linear model of S3: 200 observations, uniform features, wide uniform priors."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(200, 2))
    arrays = {"x": x, "y": 2 + x @ [1.0, -3.0] + rng.standard_normal(200)}
    wide = Prior("uniform", (-100.0, 100.0))
    priors = {"weights": wide, "bias": wide, "sigma": Prior("uniform", (0.0, 100.0))}
    parameters = (
        Parameter("weights", (2,), -100.0, 100.0),
        Parameter("bias", (), -100.0, 100.0),
        Parameter("sigma", (), 0.0, 100.0),
    )
    return Dataset("linear", parameters, arrays, priors)


@pytest.mark.parametrize(
    ("space", "proposal"), [("natural", "covariance"), ("natural", "isotropic"), ("unconstrained", "covariance")]
)
def test_both_spaces_and_shapes_give_the_exact_posterior(
    space: str, proposal: str, s3: Dataset, contender: Callable[..., Any]
) -> None:
    fit, _ = contender("torch.metropolis", s3, chains=32, draws=2000, space=space, proposal=proposal, thin=4).fit(s3)
    exact = family("linear").reference(s3)
    for name in s3.names:
        chains = fit.draws[name].mean(1)  # 32 independent means: their spread is the Monte-Carlo error
        error = chains.std(0, ddof=1) / np.sqrt(32)
        assert np.all(np.abs(chains.mean(0) - exact.mean[name]) < 5 * error), name
        # The isotropic walk has about 50 effective draws per chain here, so 1600: 1/√3200 = 1.8 %, five times that.
        np.testing.assert_allclose(fit.draws[name].std((0, 1)), exact.sd[name], rtol=0.09)


def test_chains_start_apart_and_none_stays_behind_in_the_tail_of_a_wide_prior(
    two_groups: Callable[[], Dataset], contender: Callable[..., Any]
) -> None:
    """sigma ~ Uniform(0, 100) over 20 observations: a walk begun at 50 drifts for 10⁴ steps on a log-flat tail."""
    data = two_groups()
    method = contender("torch.metropolis", data).method
    starts = method._starts(data, 8, method.Options(), 1)
    assert np.all(np.ptp(starts, axis=0) > 0.5) and len(np.unique(starts[:, 0])) == 8
    fit, _ = contender("torch.metropolis", data, chains=12, draws=2000).fit(data)
    exact = family("two_groups").reference(data)
    # A chain has some 100 effective draws after 2000 steps: five of its Monte-Carlo errors are half an sd.
    assert np.all(np.abs(fit.draws["sigma"].mean(1) - exact.mean["sigma"]) < 0.5 * exact.sd["sigma"])


def test_the_ladder_moves_each_chain_by_its_own_rate(s3: Dataset, contender: Callable[..., Any]) -> None:
    torch, method = importlib.import_module("torch"), contender("torch.metropolis", s3).method
    rates = torch.tensor([0.0, 0.01, 0.1, 0.3, 0.6, 0.8, 0.97])
    walk = method.Walk(None, None, torch.full((7, 1), 2.0), None, None, None)
    method._tune(walk, rates)
    np.testing.assert_allclose(walk.scale[:, 0], 2 * np.array([0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0]), rtol=1e-6)


def test_thinning_keeps_every_kth_draw_of_the_same_walk(s3: Dataset, contender: Callable[..., Any]) -> None:
    every, _ = contender("torch.metropolis", s3, draws=200).fit(s3)
    second, _ = contender("torch.metropolis", s3, draws=200, thin=2).fit(s3)
    np.testing.assert_array_equal(second.draws["weights"], every.draws["weights"][:, 1::2])
    assert second.stats["gradients"] == every.stats["gradients"] == 4 * 400
    with pytest.raises(Unsupported, match="thin=201"):
        contender("torch.metropolis", s3, draws=200, thin=201)


def test_nothing_is_tuned_after_warmup(s3: Dataset, contender: Callable[..., Any], monkeypatch: Any) -> None:
    made, scales = contender("torch.metropolis", s3, draws=1000), []
    run = made.method.Walk.run

    def spy(walk: Any, *args: Any) -> Any:
        scales.append((walk.scale.clone(), walk.factor.clone()))
        return run(walk, *args)

    monkeypatch.setattr(made.method.Walk, "run", spy)
    made.fit(s3)
    assert len(scales) == 20
    assert len({float(scale.sum()) for scale, _ in scales[:10]}) > 3  # the warmup does tune
    assert all((scale == scales[10][0]).all() and (factor == scales[10][1]).all() for scale, factor in scales[10:])
