"""Directions, the choice of L, and states, from ranks and trials made by hand."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from bench.calibration.quantities import ALPHA, direction, rank_all, ranked_among
from bench.calibration.ranks import LADDER, LEVELS, LOG_LIKELIHOOD, Placed
from bench.calibration.trial import Trial
from bench.calibration.verdict import judge
from bench.store.manifest import CellEntry

ENTRY = CellEntry(
    id="c0ffee", scenario="s", scenario_label="s", backend="b", options_text="", kind="mcmc", chains=4, budget="quick",
    device="cpu", dtype="float64", track="matched", family="linear", reps=200, rounds=1, explicit=True,
)  # fmt: skip
EDGES = [float(ndtri(0.5 + level / 2)) for level in LEVELS]


def placed(u, ess=2000.0, scale=1.0):
    """The place of a truth at quantile u of its posterior, which is standard Normal times `scale`."""
    ranks = [int(u * (size + 1)) for size in LADDER]
    return Placed(
        float(scale * ndtri(u)), 0.0, scale, ess, ranks, [-scale * e for e in EDGES], [scale * e for e in EDGES]
    )


def trials(us, ess=2000.0, names=("a", LOG_LIKELIHOOD)):
    """One per row of us (data set, quantity)."""
    rows = np.broadcast_to(np.asarray(us)[:, None] if np.ndim(us) == 1 else us, (len(us), len(names)))
    return [
        Trial(i, "ok", seconds={"sample": 1.0}, first=i == 0, draws=2000,
              placed={n: placed(u, ess) for n, u in zip(names, row, strict=True)})
        for i, row in enumerate(rows)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shift", "spread", "words"),
    [
        (0.0, 2.0, "too narrow"), (0.0, 0.6, "too wide"), (0.7, 1.0, "biased low"), (-0.7, 1.0, "biased high"),
        (3.0, 1.0, "biased low"), (-8.0, 1.0, "biased high"), (0.0, 1.0, "of another shape"),
        (-1.0, 2.0, "too narrow and biased high"), (1.0, 0.5, "biased low and too wide"),
    ],
)  # fmt: skip
def test_a_departure_has_the_name_of_its_direction(shift, spread, words):
    """Truths `shift` posterior sds above the draws' centre, spread over so many times what the draws say."""
    at = norm.cdf(shift + spread * norm.ppf((np.arange(200) + 0.5) / 200))
    assert direction(np.minimum(np.floor(at * 64), 63), 63) == words


def test_uniform_truths_are_calibrated_with_nominal_coverage():
    found = judge(ENTRY, 200, trials((np.arange(200) + 0.5) / 200), ("", ""))
    assert found.state == "calibrated"
    assert found.ranked.draws == 255
    assert [c.share for c in found.ranked.coverage] == pytest.approx(list(LEVELS))
    assert not any(c.off for c in found.ranked.coverage)
    assert "200 data sets" in found.sentence


def test_the_level_is_divided_by_the_number_of_quantities():
    """Ranks that are outside alone stay inside when there are many quantities to look at."""
    rng = np.random.default_rng(0)
    good = trials(rng.uniform(size=(100, 2)))
    few = rank_all(good)
    many = rank_all(trials(rng.uniform(size=(100, 40)), names=(*(f"q{i}" for i in range(39)), LOG_LIKELIHOOD)))
    assert few.inner == many.inner
    assert few.outer.coverage >= 1 - ALPHA / 2 and many.outer.coverage >= 1 - ALPHA / 40
    assert (many.outer.upper >= few.outer.upper).all() and (many.outer.upper > few.outer.upper).any()


def test_independent_calibrated_cells_are_seldom_accused():
    """At most 1 of 100: of 200 cells of 4 quantities no more than 5 (P = 0.02 at a rate of 1 %, 0.8 at one of 4 %)."""
    rng = np.random.default_rng(1)
    accused = 0
    for _ in range(200):
        found = rank_all(trials(rng.uniform(size=(30, 4)), names=("a", "b", "c", LOG_LIKELIHOOD)))
        accused += bool(found.outside)
    assert accused <= 5


def test_narrow_intervals_miss_and_are_told():
    u = norm.cdf(2.0 * norm.ppf((np.arange(200) + 0.5) / 200))  # posterior of half the spread
    found = judge(ENTRY, 200, trials(u), ("", ""))
    assert found.state == "miscalibrated"
    assert found.sentence == f"miscalibrated in 2 of 2 quantities; too narrow: a, {LOG_LIKELIHOOD}"
    expected = [2 * norm.cdf(norm.ppf(0.5 + level / 2) / 2) - 1 for level in LEVELS]
    assert [c.share for c in found.ranked.coverage] == pytest.approx(expected, abs=0.01)
    assert all(c.off for c in found.ranked.coverage)


def test_the_number_of_draws_ranked_among_is_what_most_fits_can_fill_twice():
    u = np.linspace(0.01, 0.99, 100)
    for ess, draws, enough in [(510.0, 255, True), (509.0, 127, True), (14.0, 7, True), (13.9, 7, False)]:
        assert ranked_among(trials(u, ess)) == (draws, enough)
    mixed = trials(u)
    for t in mixed[:5]:
        t.placed["a"] = placed(0.5, 3.0)
    assert ranked_among(mixed) == (255, True)
    assert rank_all(mixed).short == 5
    mixed[5].placed["a"] = placed(0.5, 100.0)
    assert ranked_among(mixed) == (31, True)


def test_sticky_fits_give_no_verdict_and_say_what_to_do():
    found = judge(ENTRY, 100, trials(np.linspace(0.01, 0.99, 100), 9.0), ("", ""))
    assert found.state == "undetermined"
    assert "no more than 9 effective draws" in found.sentence and "now 500 per chain" in found.sentence


def test_failures_are_counted_and_too_few_fits_give_no_verdict():
    some = trials(np.linspace(0.01, 0.99, 30))
    lost = [Trial(30 + i, "crashed", f"reason {i}") for i in range(4)]
    found = judge(ENTRY, 40, [*some, *lost], ("", ""))
    assert found.fits.counts == {"ok": 30, "crashed": 4, "interrupted": 6}
    assert found.fits.failures == (("crashed", 4, "data set 30: reason 0"),)
    assert found.ranked.coverage[0].total == 30
    few = judge(ENTRY, 40, [*some[:19], *lost], ("", ""))
    assert (few.state, few.ranked) == ("interrupted", None)
    assert "19 data sets" in few.sentence and "reason 0" in few.sentence


def test_a_trial_is_stored_and_read_back():
    trial = trials([0.3])[0]
    assert Trial.of(trial.entry()) == trial
    assert Trial.of({**trial.entry(), "later": 1}) == trial
