"""ChEES by hand: its sequence, its gradient in closed form, what it tunes, counts and keeps."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.measure.clock import WallClock
from bench.types import Dataset
from tests.backends.test_torch_nuts import Counting

pytestmark = pytest.mark.needs("torch")

torch = importlib.import_module("torch")
chees = importlib.import_module("backends.torch.chees")


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
    found = chees.criterion(z * scale + far, after * scale + far, momentum, accept, scale)
    # The products have a sd of at most 12; chains have one of 12/√100 000 = 0.04.
    assert float(found) == pytest.approx(dim * math.sin(2 * time), abs=5 * 0.04)
    lost = torch.where(torch.arange(chains).unsqueeze(-1) % 2 == 0, after, torch.nan) * scale + far
    half = chees.criterion(z * scale + far, lost, momentum, (torch.arange(chains) % 2 == 0).double(), scale)
    assert float(half) == pytest.approx(dim * math.sin(2 * time), abs=5 * 0.06)  # a divergence has no weight


def test_windows_double_to_four_fifths_of_the_warmup() -> None:
    assert chees.windows(1000) == [12, 25, 50, 100, 200, 400, 800]
    assert chees.windows(100) == [10, 20, 40, 80] and chees.windows(9) == []


def test_the_length_climbs_and_is_not_moved_by_what_is_no_number() -> None:
    """Up −(log T − log 2)² under noise as large as its slope."""
    length, rng = chees.Length(0.1, 0.0), np.random.default_rng(0)
    for _ in range(2000):
        length.update(2 * (math.log(2) - length.log) + rng.normal())
    length.update(math.nan)
    assert length.average == pytest.approx(math.log(2), abs=0.1)


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
    assert stats["gradients_warmup"] == max(count, 32) * (clock.seconds["warmup"] - 1) + 8  # eight starts for all
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
