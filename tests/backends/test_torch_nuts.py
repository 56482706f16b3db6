"""Hand-written HMC, NUTS and ChEES as backends: their answers, what they count and time, and what they refuse."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family, flatten
from bench.measure.clock import WallClock
from bench.score import chains
from bench.types import Budget, Dataset, Fit, Place, Unsupported

pytestmark = pytest.mark.needs("torch")

NAMES = pytest.mark.parametrize("name", ["torch.nuts", "torch.hmc"])


def assert_exact(fit: Fit, data: Dataset) -> None:
    """Means and sds within five Monte-Carlo standard errors of the exact posterior, by effective sample size."""
    exact = family(data.family).reference(data)
    draws = flatten(data.parameters, fit.draws)
    found = chains.Diagnostics(draws)
    mean, sd = flatten(data.parameters, exact.mean), flatten(data.parameters, exact.sd)
    assert found.r_hat.max() < 1.05 and found.ess_bulk.min() > 100
    assert np.all(np.abs(draws.mean((0, 1)) - mean) < 5 * sd / np.sqrt(found.ess_mean))
    # The variance's error is that of squares about the mean: √(Var[(θ−Eθ)²]/ESS), whose ESS the tails bound well.
    spread = np.sqrt(flatten(data.parameters, exact.centred_square_variance) / found.ess_tail)
    assert np.all(np.abs(((draws - mean) ** 2).mean((0, 1)) - sd**2) < 5 * spread)


@pytest.mark.parametrize(
    ("name", "of", "chains", "draws"),
    [
        ("torch.nuts", "s4-linear", 4, 120),
        ("torch.chees", "correlated-rho95", 4, 150),
        pytest.param("torch.chees", "eight-schools", 20, 300, marks=pytest.mark.slow),
        pytest.param("torch.hmc", "s4-linear", 20, 250, marks=pytest.mark.slow),
        pytest.param("torch.nuts", "eight-schools", 20, 250, marks=pytest.mark.slow),
        pytest.param("torch.hmc", "eight-schools", 20, 400, marks=pytest.mark.slow),
        pytest.param("torch.nuts", "correlated-rho95", 20, 150, marks=pytest.mark.slow),
        pytest.param("torch.hmc", "correlated-rho95", 20, 250, marks=pytest.mark.slow),
    ],
)
def test_the_posterior_is_the_exact_one(
    name: str, of: str, chains: int, draws: int, contender: Callable[..., Any]
) -> None:
    """Chains are moved at once, so that 20 of a few draws each cost less than 4 of many."""
    data = dataset(scenario(of), seed=0, rep=0)
    fit, clock = contender(name, data, draws=draws, chains=chains).fit(data)
    assert_exact(fit, data)
    assert set(clock.seconds) == {"transfer", "warmup", "sample"} and min(clock.seconds.values()) > 0.0
    assert fit.stats["accept_prob"].mean() > 0.7
    e_bfmi = (np.diff(fit.stats["energy"], axis=1) ** 2).sum(1) / (draws * fit.stats["energy"].var(1))
    assert e_bfmi.min() > 0.3


class Counting:
    """The family's density and gradient on tensors, which counts what it evaluates: calls, and chains in them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        models = importlib.import_module("backends.torch.models")
        self.of, self.calls, self.rows = models.value_and_slope, 0, 0
        monkeypatch.setattr(models, "value_and_slope", self)

    def __call__(self, *args: Any) -> Callable[[Any], Any]:
        evaluate = self.of(*args)

        def counted(z: Any) -> Any:
            assert z.dim() == 2
            self.calls, self.rows = self.calls + 1, self.rows + len(z)
            return evaluate(z)

        return counted


@pytest.mark.parametrize("count", [1, 5])
@NAMES
def test_every_gradient_is_counted_in_its_phase(
    name: str, count: int, linear: Callable[..., Dataset], contender: Callable[..., Any], monkeypatch: Any
) -> None:
    """With a clock that counts evaluations instead of seconds."""
    made = contender(name, linear(), draws=25, chains=count)
    counting = Counting(monkeypatch)
    clock = WallClock(timer=lambda: float(counting.calls))
    stats = made.method.draw(made.method.fit(made.program, linear().observed(), 1, clock)).stats
    assert stats["gradients_executed"] == counting.rows == count * counting.calls
    assert clock.seconds["warmup"] + clock.seconds["sample"] == counting.calls
    assert clock.seconds["sample"] == stats["num_steps"].max(0).sum()  # the longest trajectory of each round
    assert stats["num_steps_executed"].sum() == count * clock.seconds["sample"]
    assert stats["gradients"] == stats["gradients_warmup"] + stats["num_steps"].sum()
    if count == 1:
        assert (
            stats["gradients"] == stats["gradients_executed"] and clock.seconds["warmup"] == stats["gradients_warmup"]
        )
    else:
        assert stats["gradients_warmup"] < stats["gradients"] < stats["gradients_executed"]


@NAMES
def test_nothing_is_tuned_after_warmup_and_chains_are_tuned_apart(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    made, seen = contender(name, linear(), draws=40), []
    move = made.program.move

    def spy(target: Any, point: Any, tuning: Any, generator: Any) -> Any:
        seen.append(tuning)
        return move(target, point, tuning, generator)

    made.program = made.program._replace(move=spy)
    fit, _ = made.fit(linear())
    assert len(seen) == 80 and not seen[0].learned and seen[39].learned  # the metric is learned before the last tenth
    assert len({float(one.step.sum()) for one in seen[:40]}) == 40
    assert all(one is seen[40] for one in seen[40:])
    assert len(set(seen[40].step.tolist())) == 4 and len(set(seen[40].scale[:, 0].tolist())) == 4
    assert fit.stats["step_size"] == pytest.approx(float(seen[40].step.mean()))


@pytest.mark.needs("torch")
def test_the_depth_of_a_tree_is_capped(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    made = contender("torch.nuts", linear(), draws=30, max_tree_depth=2)
    stats = made.fit(linear())[0].stats
    assert stats["num_steps"].max() == 3 and stats["tree_depth"].max() == 2
    assert stats["treedepth_hits"] == (stats["num_steps"] == 3).sum() > 0


@NAMES
def test_a_budget_without_warmup_still_samples(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data, method = linear(), contender(name, linear()).method
    budget = Budget("test", chains=2, warmup=0, draws=5, steps=1, reps=1, rounds=1, timeout=60.0)
    program = method.build(data.skeleton(), budget, method.Options(), Place())
    fit = method.draw(method.fit(program, data, 1, WallClock()))
    assert fit.draws["weights"].shape == (2, 5, 2) and np.isfinite(fit.draws["weights"]).all()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("torch.nuts", {"target_accept": 1.0}, "target_accept=1"),
        ("torch.nuts", {"max_tree_depth": 0}, "max_tree_depth=0"),
        ("torch.hmc", {"target_accept": 0.0}, "target_accept=0"),
        ("torch.hmc", {"trajectory": 0.0}, "trajectory=0"),
        ("torch.hmc", {"max_steps": 0}, "max_steps=0"),
        ("torch.chees", {"ensemble": 1, "chains": 1}, "one chain"),
        ("torch.chees", {"superchains": -1}, "superchains=-1"),
        ("torch.chees", {"target_accept": 1.0}, "target_accept=1"),
        ("torch.chees", {"lr": 0.0}, "lr=0"),
        ("torch.chees", {"compile": True, "gradient": "autograd"}, "gradient=auto"),
    ],
)
def test_options_without_a_meaning_are_refused(
    name: str, options: dict[str, Any], words: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=words):
        contender(name, linear(), **options)


@pytest.mark.slow
def test_the_centred_hierarchy_diverges(contender: Callable[..., Any]) -> None:
    """A funnel: its neck cannot be integrated with the steps its mouth needs."""
    data = dataset(scenario("eight-schools-centred"), seed=0, rep=0)
    fit, _ = contender("torch.nuts", data, draws=80, chains=20).fit(data)
    assert fit.stats["diverging"].sum() > 3
