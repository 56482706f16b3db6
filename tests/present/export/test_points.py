"""Medians and intervals of a run, against calculations of their own; what has none is named."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.analysis.tables import RunTables
from bench.comparison.measures import MEASURES
from bench.present.export.points import DEFAULT, FITS_OK, Points, benchmark_names, collect
from bench.present.export.points import _interval as interval_of
from bench.score.catalog import METRICS
from tests.present.conftest import Fake, canned

NUTS = Fake("numpyro.nuts", "mcmc", 0.12, 0.002, compile=6.4, spread=0.2, seed=2)


def only(points: Points, metric: str):
    """The one point of a metric."""
    (found,) = [p for p in points.values if p.metric == metric]
    return found


def test_the_median_is_over_warm_fits_and_its_interval_over_rounds() -> None:
    run = canned((NUTS,))
    warm = run.fits[~run.fits["cold"]]
    point = only(collect(run), "seconds_total")
    assert point.value == np.median(warm["seconds_total"])
    rounds = np.log(warm.groupby("round")["seconds_total"].median().to_numpy())
    low, high = stats.t.interval(0.95, len(rounds) - 1, rounds.mean(), stats.sem(rounds))
    # two implementations of the same sums and of the t quantile
    assert point.interval == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)
    assert (point.fits, point.counted) == (10, "5 rounds")


def test_the_interval_holds_the_centre_as_often_as_it_says() -> None:
    rng, hits, sims = np.random.default_rng(1), 0, 4000
    for rounds in rng.normal(0.3, 0.14, (sims, 5)):
        low, high = interval_of(list(rounds), MEASURES["seconds_total"], math.exp(float(np.median(rounds))))
        hits += low <= math.exp(0.3) <= high
    # five standard errors of a share of 95 % in 4000 simulations are 1.7 %
    assert hits / sims == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / sims))


def test_a_median_beside_its_interval_widens_it() -> None:
    far = [0.0] * 19 + [9.0]
    low, high = interval_of(far, MEASURES["elpd"], -0.5)
    assert low == -0.5 and high > float(np.mean(far))


def test_directions_are_those_of_the_catalogue() -> None:
    points = collect(canned((NUTS,)), [*DEFAULT, "e_bfmi", "r_hat_max", "ess_per_second"])
    for point in points.values:
        if point.metric in METRICS:
            assert point.lower_is_better is (METRICS[point.metric].direction == "lower")
    assert not only(points, FITS_OK).lower_is_better
    assert only(points, "seconds_cold").lower_is_better


def test_too_few_rounds_give_no_interval() -> None:
    points = collect(canned((NUTS,), reps=2, rounds=2))
    assert only(points, "seconds_total").interval is None
    # four fits are enough for what does not depend on the machine
    assert only(points, "b2_avg").interval is not None


@pytest.mark.parametrize(
    ("fake", "share", "said"),
    [
        (Fake("stan.nuts", "mcmc", status="timeout", reason="over 120 s"), 0.0, "15 of 15 fits timeout: over 120 s"),
        (dataclasses.replace(NUTS, bad_reps=2), 13 / 15, "2 of 15 fits failed: it broke"),
    ],
)
def test_a_cell_that_did_not_finish_has_no_medians_and_is_named(fake: Fake, share: float, said: str) -> None:
    points = collect(canned((fake, dataclasses.replace(NUTS, backend="a.twin"))))
    mine = [p for p in points.values if fake.backend in p.benchmark]
    assert [(p.metric, p.value) for p in mine] == [(FITS_OK, share)]
    (absent,) = [a for a in points.absent if not a.metric]
    assert absent.benchmark == f"s0-exponential/{fake.backend} (standard)" and absent.reason == said
    assert any(p.metric == "seconds_total" for p in points.values)


def test_what_is_not_finite_is_named_not_exported() -> None:
    run = canned((NUTS,))
    metrics = run.metrics.copy()
    metrics.loc[metrics["metric"] == "b2_avg", "value"] = math.inf
    points = collect(dataclasses.replace(run, metrics=metrics))
    assert "b2_avg" not in {p.metric for p in points.values}
    assert ("b2_avg", "some values are not finite") in {(a.metric, a.reason) for a in points.absent}


def test_what_does_not_apply_is_not_missed_and_what_was_not_scored_is() -> None:
    vi = Fake("pyro.svi", "vi", 0.08, 0.41, seed=4)
    run = canned((vi,))
    assert "ess_per_second" not in {a.metric for a in collect(run).absent}
    unscored = collect(dataclasses.replace(run, metrics=run.metrics.iloc[:0]))
    assert {a.metric for a in unscored.absent} >= {"b2_avg", "b2_max"}


def test_cold_fits_alone_say_how_to_have_warm_ones() -> None:
    points = collect(canned((NUTS,), reps=1), ["seconds_total", "seconds_cold"])
    assert [(a.metric, a.reason) for a in points.absent] == [
        ("seconds_total", "no warm fit: --reps 2 or more makes some")
    ]


def with_fits(run: RunTables, **columns: str) -> RunTables:
    return dataclasses.replace(run, fits=run.fits.assign(**columns))


def test_names_say_what_is_unusual_and_stay_apart() -> None:
    run = canned((Fake("torch.adam", "point", 0.2, 0.5, {"lr": 0.1}),), reps=2, rounds=1)
    usual = benchmark_names(run.fits)
    assert list(usual.values()) == ["s0-exponential/torch.adam[lr=0.1]"]
    other = with_fits(run, device="cuda", dtype="float32").fits
    assert list(benchmark_names(other).values()) == ["s0-exponential/torch.adam[lr=0.1] (cuda, float32)"]
    both = benchmark_names(pd.concat([run.fits, run.fits.assign(cell="another")]))
    assert len(set(both.values())) == 2
