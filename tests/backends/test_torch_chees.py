"""ChEES by hand: its sequence and gradient, what it tunes, when it stops, what it counts, keeps and compiles."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.types import Dataset, Place, Unavailable, Unsupported
from tests.backends.test_torch_nuts import Counting

pytestmark = pytest.mark.needs("torch")

torch = importlib.import_module("torch")
chees = importlib.import_module("backends.torch.chees")
compiled = importlib.import_module("backends.torch.compiled")
ensemble = importlib.import_module("backends.torch.ensemble")
gradients = importlib.import_module("backends.torch.gradients")
to_tensors = importlib.import_module("backends._shared.pytorch").to_tensors


def test_shares_are_haltons() -> None:
    expected = stats.qmc.Halton(1, scramble=False).random(200)[1:, 0]
    assert [chees.halton(i) for i in range(199)] == expected.tolist()


@pytest.mark.parametrize("time", [0.4, math.pi / 4, 1.2, 2.0])
def test_the_gradient_is_that_of_a_normal_in_closed_form(time: float) -> None:
    """Of D independent normals z' = z cos t + p sin t, so ¼E(|z'|² − |z|²)² = D sin² t, of slope D sin 2t."""
    rng, chains, dim = np.random.default_rng(0), 100_000, 3
    scale = torch.tensor([0.1, 1.0, 30.0], dtype=torch.float64)
    z, p = (torch.tensor(rng.standard_normal((chains, dim))) for _ in range(2))
    after, momentum = z * math.cos(time) + p * math.sin(time), p * math.cos(time) - z * math.sin(time)
    accept = torch.ones(chains, dtype=torch.float64)
    far = 5.0  # the centre is the ensemble's own, wherever it lies
    found = ensemble.criterion(z * scale + far, after * scale + far, momentum, accept, scale)
    # The products have a sd of at most 12; chains have one of 12/√100 000 = 0.04.
    assert float(found) == pytest.approx(dim * math.sin(2 * time), abs=5 * 0.04)
    lost = torch.where(torch.arange(chains).unsqueeze(-1) % 2 == 0, after, torch.nan) * scale + far
    half = ensemble.criterion(z * scale + far, lost, momentum, (torch.arange(chains) % 2 == 0).double(), scale)
    assert float(half) == pytest.approx(dim * math.sin(2 * time), abs=5 * 0.06)  # a divergence has no weight


def test_windows_double_to_four_fifths_of_the_warmup() -> None:
    assert ensemble.windows(1000) == [12, 25, 50, 100, 200, 400, 800]
    assert ensemble.windows(100) == [10, 20, 40, 80] and ensemble.windows(9) == []


def test_the_length_climbs_and_is_not_moved_by_what_is_no_number() -> None:
    """Up −(log T − log 2)² under noise as large as its slope."""
    length, rng = ensemble.Length(0.1, 0.0), np.random.default_rng(0)
    for _ in range(2000):
        length.update(2 * (math.log(2) - length.log) + rng.normal())
    length.update(math.nan)
    assert length.average == pytest.approx(math.log(2), abs=0.1)


def test_chains_agree_by_the_spread_of_their_groups() -> None:
    """Of seven chains in groups of every third, the last left out, each in two halves: the definition, in loops."""
    draws = np.random.default_rng(2).normal([0.0, 5.0], [1.0, 3.0], (40, 7, 2))
    parts = [draws[rows, group:6:3] for rows in (slice(0, 20), slice(20, 40)) for group in range(3)]
    between = np.var([part.mean((0, 1)) for part in parts], axis=0, ddof=1)
    within = np.mean([part.reshape(-1, 2).var(0, ddof=1) for part in parts], axis=0)
    expected = np.sqrt(1 + between / within).max()
    assert ensemble.agreement(torch.tensor(draws), 3) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("wrong", ["", "drift", "a lagging group", "the density", "too few", "no spread"])
def test_a_warmup_ends_only_where_everything_agrees(wrong: str) -> None:
    """Means of 96 independent draws each: the ratio of variances is 1/96, and 1/25 is where chains disagree."""
    rng = np.random.default_rng(3)
    z, values = rng.standard_normal((48, 32, 2)), rng.standard_normal((48, 32))
    if wrong == "drift":
        z[24:, :, 1] += 1.0
    elif wrong == "a lagging group":
        z[:, 3::8, 0] += 2.0
    elif wrong == "the density":
        values[24:] += 1.0
    elif wrong == "too few":
        z, values = z[:19], values[:19]
    elif wrong == "no spread":
        values[:] = 1.0
    assert ensemble.settled(torch.tensor(z), torch.tensor(values), 8) == (wrong == "")


def test_a_spread_is_about_the_mean_of_each_iteration() -> None:
    """Correlated normals on their way from elsewhere: sds 0.1 and 3, and √(1 + ρ) in the widest direction."""
    rng = np.random.default_rng(4)
    drawn = (
        rng.multivariate_normal([0, 0], [[0.01, 0.27], [0.27, 9.0]], (2000, 8))
        + np.linspace(50, 0, 2000)[:, None, None]
    )
    scale, widest = ensemble.spread(torch.tensor(drawn))
    # 16 000 draws: relative errors of a sd are 0.6 %; five of them.
    np.testing.assert_allclose([*scale, widest], [0.1, 3.0, math.sqrt(1.9)], rtol=0.03)


@pytest.mark.parametrize(("settle", "iterations"), [(True, (65, 120)), (False, (66,))])
def test_a_warmup_ends_before_its_budget_does(
    settle: bool, iterations: tuple[int, ...], linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """25 iterations after a window of 40, or half as many after one of 80; the conformance tests hold its answers."""
    made = contender("torch.chees", linear(), draws=200 if settle else 66, settle=settle)
    made.program = made.program._replace(budget=replace(made.program.budget, draws=1))
    assert made.fit(linear())[0].stats["warmup_iterations"] in iterations


@pytest.mark.slow
def test_compiled_steps_are_the_same_steps(
    linear: Callable[..., Dataset], contender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Inductor, which takes a minute: what is traced, what its arguments are, and that no fit traces again."""
    eager = contender("torch.chees", linear(), draws=12).fit(linear())[0]
    monkeypatch.setattr(chees.compiled, "step", partial(compiled.step, backend="aot_eager"))
    traced = importlib.import_module("torch._dynamo.utils").counters["stats"]
    before = traced["unique_graphs"]
    made = contender("torch.chees", linear(), draws=12, compile=True)
    assert traced["unique_graphs"] == before + 2  # for the ensemble and for the budget's chains
    made.fit(linear(seed=1))
    fit, _ = made.fit(linear())
    assert traced["unique_graphs"] == before + 2
    for name in linear().names:  # few draws, in which rounding does not grow
        np.testing.assert_allclose(fit.draws[name], eager.draws[name], rtol=1e-6)
    assert fit.stats["gradients_executed"] == eager.stats["gradients_executed"]
    with pytest.raises(RuntimeError, match="recompile"):
        made.fit(linear(n=51))


@pytest.mark.slow
@pytest.mark.parametrize(
    "of", ["eight-schools", "s3-best", "varying-intercept", "robust-unknown-df", "negative-binomial"]
)
def test_every_gradient_by_hand_can_be_compiled(of: str) -> None:
    """Whole, without a step back to Python, and to the numbers that it has uncompiled."""
    data = dataset(scenario(of), seed=0, rep=0)
    evaluate, arrays = gradients.functional(data), to_tensors(data.arrays, Place())
    prepared, z = evaluate.prepared(arrays), torch.full((2, data.dim), 0.3, dtype=torch.float64)
    program = torch.compile(evaluate.__call__, fullgraph=True, backend="eager")
    for found, wanted in zip(program(prepared, z), evaluate(prepared, z), strict=True):
        assert bool((found == wanted).all())


def test_what_cannot_be_compiled_is_said(linear: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsupported, match="by hand"):
        compiled.step(replace(linear(), link="probit"), Place())
    with pytest.raises(Unsupported, match="on cuda"):
        compiled.step(linear(), Place("cuda"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(Unavailable, match="no-such-compiler is not on the PATH"):
        compiled.step(linear(), Place())


@pytest.mark.parametrize("count", [4, 40])
def test_every_gradient_is_counted_in_its_phase(
    count: int, linear: Callable[..., Dataset], contender: Callable[..., Any], monkeypatch: Any
) -> None:
    """With a clock that counts evaluations instead of seconds: the ensemble's in warmup, then the budget's."""
    made, seen = contender("torch.chees", linear(), draws=25, chains=count), []
    counting, move = Counting(monkeypatch), made.program.move
    made.program = made.program._replace(move=lambda t, at, tuned, g: seen.append(tuned) or move(t, at, tuned, g))
    clock = WallClock(timer=lambda: float(counting.calls))
    stats = made.method.draw(made.method.fit(made.program, linear().observed(), 1, clock)).stats
    assert stats["gradients_executed"] == counting.rows == stats["gradients"]
    assert stats["gradients_warmup"] == counting.rows - count * clock.seconds["sample"]
    assert clock.seconds["sample"] == stats["num_steps"][0].sum()
    assert stats["num_steps"].shape == (count, 25) and (np.ptp(stats["num_steps"], axis=0) == 0).all()
    assert ("superchains" in stats) == (count == 40)  # four chains are of four superchains, one of each
    assert all(one is seen[0] for one in seen) and seen[0].step == stats["step_size"]
    expected = [min(1000, max(1, math.ceil(chees.halton(25 + i) * seen[0].length / seen[0].step))) for i in range(25)]
    assert stats["num_steps"][0].tolist() == expected


def test_superchains_share_their_starts(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    made = contender("torch.chees", linear(), draws=5, chains=16, ensemble=16, superchains=4)
    warm, begun = made.program.warm_up, []
    made.program = made.program._replace(warm_up=lambda p, t, at, g: begun.append(at.z) or warm(p, t, at, g))
    made.fit(linear())
    (z,) = begun
    assert len(torch.unique(z, dim=0)) == 4 and bool((z[:4] == z[4:8]).all() and (z[:4] == z[12:]).all())
