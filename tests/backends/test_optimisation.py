"""The loop of SVI on losses of one number: starts, schedule, stop, and what is counted."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends._shared.search import improved
from bench.types import Diverged

pytestmark = pytest.mark.needs("pyro")


@pytest.fixture
def search() -> Callable[..., Any]:
    """`search(loss, **plan)` of one parameter x, with `rates`, the learning rates of its steps, and `start(x)`."""
    torch, module = (importlib.import_module(name) for name in ("torch", "backends.pyro.optimisation"))

    def make(loss: Callable[[Any], Any], **plan: Any) -> Any:
        guide = torch.nn.ParameterList([torch.zeros((), dtype=torch.float64)])
        settings = module.Plan(**({"steps": 400, "lr": 0.1, "lr_decay": 0.01, "restarts": 1, "window": 0} | plan))
        rates = list[float]()
        made = module.Search(settings, guide, lambda: loss(guide[0]), lambda *_: rates.append(rate()))

        def rate() -> float:
            return float(made.optimiser.param_groups[0]["lr"])

        def start(x: float) -> Callable[[], None]:
            return lambda: guide[0].data.fill_(x)

        made.rates, made.start = rates, start
        return made

    return make


def two_wells(x: Any) -> Any:
    """Minima near 0.96 and, 0.6 lower, near −1.04."""
    return (x**2 - 1) ** 2 + 0.3 * x


def test_the_best_of_several_starts_goes_on(search: Callable[..., Any]) -> None:
    alone = search(two_wells)
    alone.run([alone.start(2.0)])
    assert alone.guide[0].item() == pytest.approx(0.96, abs=0.02)  # the worse well; so near after 400 steps
    several = search(two_wells, restarts=3)
    outcome = several.run([several.start(x) for x in (2.0, -2.0, 2.0)])
    assert several.guide[0].item() == pytest.approx(-1.04, abs=0.02)
    assert outcome.steps == several.steps == len(several.rates) == 400  # short runs are part of the steps


def test_a_start_that_leaves_the_finite_numbers_is_not_the_end(search: Callable[..., Any]) -> None:
    made = search(lambda x: (x - 1) ** 2 * (math.nan if abs(x.item()) > 5 else 1.0), restarts=2)
    made.run([made.start(10.0), made.start(0.0)])
    assert made.guide[0].item() == pytest.approx(1.0, abs=0.05)
    with pytest.raises(Diverged, match="nan at step"):
        made.run([made.start(10.0), made.start(-10.0)])


def test_without_a_window_the_rate_falls_over_the_second_half_of_the_steps(search: Callable[..., Any]) -> None:
    made = search(lambda x: x**2, steps=200)
    assert made.run([made.start(1.0)]).stop == "steps"
    expected = 0.1 * 0.01 ** np.maximum(0.0, np.arange(-100, 100) / 100)
    np.testing.assert_allclose(made.rates, expected, rtol=1e-12)  # rounding


def test_a_still_loss_halves_the_rate_down_to_its_last_value_and_stops(search: Callable[..., Any]) -> None:
    made = search(lambda x: (x - 1) ** 2, steps=100_000, window=50, lr_decay=0.1)
    outcome = made.run([made.start(0.0)])
    assert outcome.stop == "converged" and outcome.late_gain == 0.0 and outcome.steps == len(made.rates) < 2000
    assert made.rates[-1] == pytest.approx(0.01) and made.guide[0].item() == pytest.approx(1.0, abs=0.01)


def test_a_loss_that_still_falls_is_never_stopped(search: Callable[..., Any]) -> None:
    made = search(lambda x: x, window=50)
    outcome = made.run([made.start(0.0)])
    assert outcome.stop == "steps"
    x = -np.cumsum(made.rates)  # Adam goes by its rate where the slope is constant; this loss is read after the step
    early, last = x[200:250], x[350:]
    error = math.sqrt((early.var(ddof=1) + last.var(ddof=1)) / 50)
    assert outcome.late_gain == pytest.approx(early.mean() - last.mean() - 3.0 * error, rel=1e-6)  # Adam's epsilon


def test_noise_alone_is_an_improvement_as_often_as_a_normal_exceeds_one_sigma() -> None:
    rng = np.random.default_rng(0)
    share = np.mean([improved(*rng.standard_normal((2, 100))) for _ in range(2000)])
    assert share == pytest.approx(0.159, abs=0.033)  # four binomial standard errors of 2000
    assert improved(rng.standard_normal(100) + 1.0, rng.standard_normal(100))
    assert not improved(np.full(100, 1.0005), np.full(100, 1.0))
