"""Steps against brute force, their false alarms and their power by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from bench.stats.steps import LEVEL, SHORTEST, Step, detect, fewest, segmentation


def brute_force(y: np.ndarray, steps: int) -> tuple[float, tuple[int, ...]]:
    """The least sum of squares over every way to cut."""
    found = []
    for cuts in itertools.combinations(range(1, len(y)), steps):
        edges = (0, *cuts, len(y))
        pieces = [y[a:b] for a, b in itertools.pairwise(edges)]
        if min(map(len, pieces)) >= SHORTEST:
            found.append((sum(float(((p - p.mean()) ** 2).sum()) for p in pieces), cuts))
    return min(found)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_the_segmentation_is_the_best_of_all(seed: int, steps: int):
    rng = np.random.default_rng([seed, steps])
    y = rng.standard_normal(11) + 2.0 * (np.arange(11) > 4)
    assert tuple(segmentation(y, steps)) == brute_force(y, steps)[1]


def false_alarms(make, sims: int) -> float:
    return float(np.mean([bool(detect(make(np.random.default_rng([i, 7])))) for i in range(sims)]))


def bound(sims: int) -> float:
    """What a share of the nominal level exceeds once in a thousand by chance, one-sided."""
    return LEVEL + 3.1 * math.sqrt(LEVEL * (1 - LEVEL) / sims)


NOISES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "t2": lambda rng, n: rng.standard_t(2, n),
    "spikes": lambda rng, n: 0.02 * rng.standard_normal(n) + np.where(rng.random(n) < 0.1, rng.exponential(0.5, n), 0),
}


@pytest.mark.parametrize("noise", NOISES)
def test_steady_noise_shows_a_step_no_more_often_than_stated(noise: str):
    sims = 100
    assert false_alarms(lambda rng: NOISES[noise](rng, 20), sims) <= bound(sims)


@pytest.mark.slow
@pytest.mark.parametrize("n", [9, 12, 30, 60])
@pytest.mark.parametrize("noise", NOISES)
def test_false_alarms_of_every_length_and_noise(noise: str, n: int):
    sims = 150
    assert false_alarms(lambda rng: NOISES[noise](rng, n), sims) <= bound(sims)


def found(size: float, n: int, at: int, sims: int) -> tuple[float, float]:
    """Share of series with a step of `size` noise sds that show one there (± 1), and that show more than one."""
    hits = more = 0
    for i in range(sims):
        y = np.random.default_rng([i, n]).standard_normal(n)
        y[at:] += size
        steps = detect(y)
        hits += any(abs(s.index - at) <= 1 for s in steps)
        more += len(steps) > 1
    return hits / sims, more / sims


def test_a_step_of_four_noise_sds_in_twenty_runs_is_found():
    # 400 simulations put the power at 1.00 and the share with a second, false step at 0.04.
    power, more = found(4.0, 20, 12, 40)
    assert power >= 0.95
    assert more <= 0.15


@pytest.mark.slow
def test_power_and_false_seconds_at_other_sizes():
    assert found(2.0, 30, 15, 120)[0] >= 0.80
    power, more = found(4.0, 30, 26, 120)
    assert power >= 0.90 and more <= bound(120)


def test_a_rise_and_a_fall_do_not_hide_each_other():
    rng = np.random.default_rng(3)
    y = rng.standard_normal(30) + 5.0 * ((np.arange(30) >= 12) & (np.arange(30) < 18))
    assert [s.index for s in detect(y)] == [12, 18]


def test_one_outlier_is_no_step():
    y = np.random.default_rng(4).standard_normal(20)
    y[11] += 30
    assert detect(y) == []


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_short_and_steady_series_have_none(n: int):
    assert detect(np.arange(n, dtype=float)) == []
    assert detect(np.full(25, 7.0)) == []


def test_counts_that_jump_are_steps_with_their_levels():
    (step,) = detect(np.array([100.0] * 6 + [120.0] * 5))
    assert step == Step(6, 100.0, 120.0)


def test_the_fewest_runs_are_those_in_which_a_step_can_be_shown():
    n = fewest()
    for length, shown in ((n, 1), (n - 1, 0)):
        y = np.random.default_rng(5).standard_normal(length) * 1e-3
        y[length // 2 :] += 100
        assert len(detect(y)) == shown
