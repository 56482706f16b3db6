"""What the gate says of changes that are known."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest
from scipy.special import stdtrit

from bench.analysis.tables import RunTables
from bench.comparison.baseline import NoBaseline, Source
from bench.comparison.gate import judge
from bench.comparison.rules import Rules
from bench.comparison.verdicts import compare
from bench.errors import UsageError
from bench.present import gate as words
from bench.stats.intervals import LEAST_LEVEL
from tests.comparison.gate.conftest import BETWEEN, NOISY, WITHIN, noisy, stored
from tests.comparison.runs import HOST, Cell, run

QUIET = Cell()
"""Noise of 2 % between children."""


@cache
def quiet(seed: int, **changes: float) -> RunTables:
    """A run of it, which no test may change."""
    return run(replace(QUIET, **changes), seed=seed)


def verdict(a, b, *fail_on: str, deselected: tuple[str, ...] = (), **rules):
    return judge(stored(b, deselected), stored(a), Rules(fail_on=fail_on, **rules))


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({"seconds": 1.5}, "seconds_total"),
        ({"b2": 0.2}, "b2_avg"),
        ({"ess": 250.0}, "ess_per_second"),
        ({"rss": 500e6}, "peak_rss_bytes"),
    ],
)
def test_speed_and_quality_fail_alike_in_the_direction_that_is_worse(change, metric):
    worse = verdict(quiet(1), quiet(2, **change))
    better = verdict(quiet(1, **change), quiet(2))
    assert worse.code == 1 and metric in {r.metric for r in worse.comparison.regressions}
    assert better.code == 0


def test_an_expression_alone_decides():
    a, b = quiet(1), quiet(2, seconds=1.3)
    assert verdict(a, b, "seconds_total>10%").code == 1
    assert verdict(a, b, "seconds_total>2x").code == 0
    assert verdict(a, b, "b2_avg>2x").code == 0
    assert verdict(a, b, "seconds_total>10%", "s4-linear/torch.*:seconds_total>2x").code == 0


def test_one_wild_fit_among_fifteen_is_no_regression_whatever_a_mean_says():
    a = quiet(1)
    b = run(QUIET, seed=2)
    b.fits.loc[b.fits["rep"].isin([4, 5]), "seconds_total"] = 60.0
    assert b.fits["seconds_total"].mean() > 4 * a.fits["seconds_total"].mean()
    assert verdict(a, b, "seconds_total>10%").code == 0


def test_a_change_that_the_medians_do_not_share_is_no_regression():
    """7 of 15 fits 20 times worse: a geometric mean of 20^(7/15) = 4×, t = 3.5, but the median has not moved."""
    a, b = run(QUIET, seed=1), run(QUIET, seed=2)
    for made, wrong in ((a, 0), (b, 7)):
        rows = made.metrics["metric"] == "b2_avg"
        made.metrics.loc[rows, "value"] = 0.01
        made.metrics.loc[rows & (made.metrics["rep"] < wrong), "value"] = 0.2
    rules = Rules(fail_on=("b2_avg>1.5x",))
    (row,) = [r for r in compare(a, b, rules.request()).rows if r.metric == "b2_avg"]
    assert row.interval[0] > 1 and row.change > 1.5
    assert (row.verdict, row.regression) == ("inconclusive", False) and "medians" in row.reason
    (mirrored,) = [r for r in compare(b, a, rules.request()).rows if r.metric == "b2_avg"]
    assert mirrored.verdict == "inconclusive", "and what is no regression one way is no improvement the other"
    assert judge(stored(b), stored(a), rules).code == 0


def test_missing_new_and_deselected_benchmarks_are_said():
    other, third = Cell("numpyro.nuts"), Cell("pyro.svi", kind="vi")
    a, b = run(QUIET, other, third, seed=1), run(QUIET, Cell("numpy.gd"), seed=2)
    found = verdict(a, b, deselected=("s4-linear/pyro.svi",))
    assert found.code == 0
    assert (found.absent, found.new, found.deselected) == (
        ("s4-linear/numpyro.nuts",), ("s4-linear/numpy.gd",), ("s4-linear/pyro.svi",),
    )  # fmt: skip
    said = words.render(found, form="text")
    assert "in the baseline, but not in this run: s4-linear/numpyro.nuts" in said
    assert words.as_json(found)["missing"] == ["s4-linear/numpyro.nuts"]
    assert verdict(a, b, "missing").code == 1


def test_two_rounds_have_no_interval_and_pass_no_gate():
    a, b = run(QUIET, seed=1, rounds=2), run(replace(QUIET, seconds=9.0), seed=2, rounds=2)
    for found in (verdict(a, b, "seconds_total>10%"), verdict(a, b)):
        assert found.code == 6 and "2 rounds, 3 needed; next: both again with --bench-rounds 5" in found.reason


def test_a_gate_on_what_nobody_has_is_not_passed():
    a, b = quiet(1), quiet(2)
    assert verdict(a, b, "k_hat>0.1").code == 6
    with pytest.raises(UsageError, match="unknown cell"):
        verdict(a, b, "s9-*:seconds_total>10%")


def test_another_machine_is_advice_unless_strict_and_quality_counts_on_any():
    a = run(QUIET, seed=1, host={**HOST, "cpu": "Another CPU"})
    slow, wrong = quiet(2, seconds=3.0), quiet(2, b2=0.5)
    unanswered, advice = verdict(a, slow), verdict(a, slow, advice_only_ok=True)
    assert unanswered.code == 6 and "'seconds_total' was answered by advice only" in unanswered.reason
    assert advice.code == 0 and "advice only" in advice.reason and "Another CPU" in advice.reason
    assert verdict(a, slow, "seconds_total>10%", "b2_avg>2x").code == 6  # a rule that checked nothing is not passed
    assert verdict(a, slow, "b2_avg>2x").code == 0
    assert verdict(a, slow, strict=True).code == 6
    assert verdict(a, wrong).code == verdict(a, wrong, strict=True).code == 1


def test_other_threads_are_another_machine():
    a, b = quiet(1), quiet(2, threads=1, seconds=2.0)
    advice = verdict(a, b, advice_only_ok=True)
    assert verdict(a, b).code == 6 and advice.code == 0 and "CPUs" in advice.reason
    assert verdict(a, b, strict=True).code == 6


def test_a_fit_that_failed_has_a_code_of_its_own_with_and_without_a_baseline():
    a, b = quiet(1), run(replace(QUIET, statuses={3: "crashed"}), seed=2)
    found = verdict(a, b)
    assert found.code == 3 and found.failed == (("s4-linear/torch.adam", "crashed: it broke"),)
    assert found.comparison.regressions, "and that it finished before is still said"
    assert judge(stored(b), NoBaseline("gone"), Rules()).code == 3
    assert judge(stored(a), NoBaseline("gone"), Rules()).code == 5


# The stated operating characteristics: noise of METRICS, five rounds of three fits a side, three gates, two benchmarks.
BETWEEN_ROUNDS = math.sqrt(BETWEEN**2 + WITHIN**2 / 2)
"""sd of the log of a round's median of two warm fits: 0.15."""
FLOOR = math.expm1(float(stdtrit(8, 1 - (1 - LEAST_LEVEL) / 2)) * BETWEEN_ROUNDS * math.sqrt(2 / 5))
"""The noise floor of five rounds a side as `bench doctor` has it: 28 %."""
GATES = Rules(fail_on=("seconds_total>10%", "ess_per_second<10%", "b2_avg>2x"))
CELLS = (replace(NOISY, fixed=True), replace(NOISY, backend="pyro.nuts"))


def simulated(seed: int, *, slow: float = 1.0, rounds: int = 5, cells: int = 2) -> int:
    a = noisy(*CELLS[:cells], seed=2 * seed, rounds=rounds)
    b = noisy(replace(CELLS[0], seconds=slow), *CELLS[1:cells], seed=2 * seed + 1, rounds=rounds)
    return judge(Source(b, "", {}), Source(a, "", {}), GATES).code


@pytest.mark.slow
def test_operating_characteristics_with_small_error():
    """Shares of 100 comparisons of two benchmarks each; standard error at most 0.05, near 0.95 it is 0.022."""
    n = 100
    alarms = sum(simulated(seed) == 1 for seed in range(n)) / n
    power = {
        (slow, rounds): sum(simulated(9000 + s, slow=slow, rounds=rounds) == 1 for s in range(n // 2)) / (n // 2)
        for slow, rounds in ((1 + 3 * FLOOR, 5), (1.57, 10))
    }
    assert alarms <= 0.05 and all(share >= 0.9 for share in power.values()), (alarms, power)
