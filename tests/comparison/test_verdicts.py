"""Every verdict, on runs whose every change is known."""

import math
from dataclasses import replace

import pytest

from bench.comparison.baseline import statuses
from bench.comparison.expressions import parse
from bench.comparison.measures import MEASURES
from bench.comparison.rows import Request
from bench.comparison.verdicts import compare
from bench.errors import UsageError
from tests.comparison.runs import HOST, Cell, pair, run

CELL = Cell()


def verdicts(made):
    return {row.metric: row.verdict for row in made.rows}


def row_of(made, metric, cell=CELL):
    (found,) = [r for r in made.rows if r.metric == metric and r.cell == cell.id]
    return found


def test_a_slower_cell_is_worse_and_fails():
    made = compare(*pair(CELL, seconds=1.5), Request())
    row = row_of(made, "seconds_total")
    assert (row.verdict, row.regression, made.outcome) == ("worse", True, "regression")
    assert row.interval[0] < 1.5 < row.interval[1]
    assert row.interval[0] < row.change < row.interval[1]
    assert row.a == pytest.approx(1.0, rel=0.1)
    assert row.b == pytest.approx(1.5, rel=0.1)
    assert verdicts(made)["seconds_cold"] == "worse"
    assert verdicts(made)["status"] == "same"


def test_a_faster_cell_is_better_and_does_not_fail():
    made = compare(*pair(CELL, seconds=0.6), Request())
    assert row_of(made, "seconds_total").verdict == "better"
    assert made.outcome == "ok"


def test_direction_is_the_metrics():
    """More effective draws at the same seconds: the rate rises, which is better; fewer is worse."""
    assert row_of(compare(*pair(CELL, ess=600.0), Request()), "ess_per_second").verdict == "better"
    worse = row_of(compare(*pair(CELL, ess=250.0), Request()), "ess_per_second")
    assert worse.verdict == "worse"
    assert worse.change < 1


def test_the_same_code_with_little_noise_is_the_same_and_with_much_inconclusive():
    quiet = compare(*pair(Cell(between=0.002, within=0.002)), Request())
    assert row_of(quiet, "seconds_total").verdict == "same"
    loud = compare(*pair(Cell(between=0.14, within=0.08)), Request())
    row = row_of(loud, "seconds_total")
    assert row.verdict == "inconclusive"
    assert row.hides == row.interval[1] > 1.1


def test_what_one_round_cannot_say_is_inconclusive_not_same():
    made = compare(*pair(CELL, rounds=1, seconds=3.0), Request())
    row = row_of(made, "seconds_total")
    assert (row.verdict, row.interval, row.reason) == ("inconclusive", None, "1 round, 3 needed")
    assert made.outcome == "ok"
    assert any("3 rounds in both runs" in w and "--rounds 10" in w for w in map(str, made.warnings))


def test_scores_are_paired_by_data_and_rep():
    """b² varies by a factor between data sets, the same in both runs: paired, a factor of 1.5 is plain."""
    a, b = pair(replace(CELL, redrawn=False), b2=0.015)
    request = Request(thresholds=(parse("b2_avg>20%"),))
    row = row_of(compare(a, b, request), "b2_avg")
    assert row.estimate.paired
    assert row.estimate.n_a == 15
    assert row.change == pytest.approx(1.5, rel=1e-9)
    assert row.verdict == "worse"
    other = run(replace(CELL, redrawn=False, b2=0.015), seed=2, root=1)  # other data of the same scenario
    row = row_of(compare(a, other, request), "b2_avg")
    assert not row.estimate.paired
    assert row.estimate.error > 0.1  # of the noise between data sets, sd 0.5 in each of 15 fits: 0.19


def test_times_are_paired_by_data_seed_where_both_have_them():
    """Data sets differ in work by sd 0.5 on the log scale; a slowdown of 1.2 is lost unless data are paired."""
    heavy = replace(CELL, data_effect=0.5)
    a, b = pair(heavy, seconds=1.2)
    row = row_of(compare(a, b, Request()), "seconds_total")
    assert (row.estimate.paired, row.estimate.n_a, row.verdict) == (True, 5, "worse")
    row = row_of(compare(a, run(replace(heavy, seconds=1.2), seed=2, root=1), Request()), "seconds_total")
    assert (row.estimate.paired, row.verdict) == (False, "inconclusive")


def test_with_fixed_data_times_of_two_runs_have_nothing_to_pair_and_scores_have():
    made = compare(*pair(replace(CELL, fixed=True)), Request())
    assert not row_of(made, "seconds_total").estimate.paired
    assert row_of(made, "b2_avg").estimate.paired


def test_runs_with_other_numbers_of_reps_are_compared_by_rounds_unpaired():
    a, b = run(CELL, seed=1, reps=2, rounds=5), run(replace(CELL, seconds=1.5), seed=2, reps=4, rounds=6)
    row = row_of(compare(a, b, Request()), "seconds_total")
    assert (row.estimate.paired, row.estimate.n_a, row.estimate.n_b, row.verdict) == (False, 5, 6, "worse")


def test_the_unit_of_time_is_the_round():
    """Reps of a child agree closely; taken as independent they would make a difference of noise."""
    noisy = Cell(between=0.2, within=0.001)
    made = compare(*pair(noisy, rounds=3, reps=20), Request())
    row = row_of(made, "seconds_total")
    assert (row.estimate.n_a, row.verdict) == (3, "inconclusive")


def test_compilation_counts_in_the_cold_rep_only():
    made = compare(*pair(replace(CELL, compile=1.0), compile=2.0), Request(metrics=("seconds_compile", "seconds_cold",
                                                                                    "seconds_total")))  # fmt: skip
    assert row_of(made, "seconds_compile").change == pytest.approx(2.0)
    assert row_of(made, "seconds_cold").change == pytest.approx(1.5, rel=0.1)
    assert row_of(made, "seconds_total").verdict in ("same", "inconclusive")
    assert "seconds_compile" not in verdicts(compare(*pair(CELL), Request(metrics=("seconds_compile",))))  # 0 in both


def test_memory_has_its_own_threshold():
    assert row_of(compare(*pair(CELL, rss=390e6), Request()), "peak_rss_bytes").verdict == "worse"
    assert row_of(compare(*pair(CELL, rss=315e6), Request()), "peak_rss_bytes").verdict == "same"  # 5 % < 10 %


def test_differences_for_metrics_that_may_be_zero_or_negative():
    request = Request(metrics=("elpd", "divergences"))
    made = compare(*pair(CELL, elpd=-105.0, divergences=3.0), request)
    elpd, divergences = row_of(made, "elpd"), row_of(made, "divergences")
    assert (elpd.verdict, elpd.scale, round(elpd.change)) == ("worse", "difference", -5)
    assert (divergences.verdict, divergences.change) == ("worse", 3.0)
    assert verdicts(compare(*pair(CELL), request)) == {"status": "same", "elpd": "same", "divergences": "same"}


def test_a_ratio_of_nothing_is_inconclusive_with_a_reason():
    row = row_of(compare(*pair(CELL, b2=0.0), Request()), "b2_avg")
    assert row.verdict == "inconclusive"
    assert "0 or below" in row.reason


def test_n_eq_is_the_mirror_of_b2_max():
    made = compare(*pair(CELL, b2=0.1), Request(metrics=("n_eq", "b2_max")))
    n_eq, b2 = row_of(made, "n_eq"), row_of(made, "b2_max")
    assert n_eq.change == pytest.approx(1 / b2.change)
    assert n_eq.verdict == b2.verdict == "worse"


@pytest.mark.parametrize(
    ("before", "after", "verdict", "fails"),
    [
        ({}, {0: "failed"}, "worse", True),
        ({0: "timeout"}, {}, "better", False),
        ({0: "failed"}, {1: "crashed"}, "same", False),
        ({0: "failed"}, {0: "failed", 1: "failed"}, "inconclusive", False),
        ({0: "failed"}, dict.fromkeys(range(15), "memory"), "worse", True),
        ({}, dict.fromkeys(range(15), "unsupported"), "worse", True),
        (dict.fromkeys(range(15), "failed"), dict.fromkeys(range(15), "failed"), "same", False),
    ],
)
def test_status(before, after, verdict, fails):
    a, b = run(replace(CELL, statuses=before), seed=1), run(replace(CELL, statuses=after), seed=2)
    made = compare(a, b, Request(fail_on=(parse("b2_avg>9x"),)))  # a status that got worse fails whatever the gates
    row = row_of(made, "status")
    assert (row.verdict, row.regression) == (verdict, fails)
    if after and verdict != "same":
        assert "it broke" in row.reason
    if len(after) == 15:
        assert set(verdicts(made)) == {"status"}


def test_new_and_missing_cells_by_id():
    stays, goes, comes = CELL, Cell("pyro.nuts"), Cell("numpyro.nuts")
    a, b = run(stays, goes, seed=1), run(stays, comes, seed=2)
    made = compare(a, b, Request())
    alone = {r.backend: (r.verdict, r.regression) for r in made.rows if not r.metric}
    assert alone == {"pyro.nuts": ("missing", False), "numpyro.nuts": ("new", False)}
    assert (made.cells, made.outcome) == (1, "ok")
    assert any("missing in B (s4-linear × pyro.nuts)" in w and "bench run -s s4-linear -b pyro.nuts" in w
               for w in map(str, made.warnings))  # fmt: skip
    assert compare(a, b, Request(fail_on=(parse("missing"),))).outcome == "regression"
    assert compare(a, b, Request(fail_on=(parse("missing@torch.*"),))).outcome == "ok"


def test_a_cell_that_could_not_be_tried_is_missing_not_failed():
    gone = replace(CELL, status="unavailable")
    made = compare(run(CELL, Cell("pyro.svi"), seed=1), run(gone, Cell("pyro.svi"), seed=2), Request())
    row = row_of(made, "")
    assert (row.verdict, row.regression) == ("missing", False)
    assert "unavailable in B" in row.reason
    back = compare(run(gone, Cell("pyro.svi"), seed=1), run(CELL, Cell("pyro.svi"), seed=2), Request())
    assert row_of(back, "").verdict == "new"


def test_changed_code_is_a_flag_beside_the_verdict():
    a, b = pair(CELL, backend_digest="backend-2", scenario_digest="scenario-2", seconds=1.5)
    b.run.versions["torch"] = "2.2"
    b.run.versions["jax"] = "9"
    b.run.versions["pandas"] = "9"
    packages = {"torch.adam": ("torch", "numpy")}
    row = row_of(compare(a, b, Request(packages=packages)), "seconds_total")
    assert row.verdict == "worse"
    assert row.flags == ("code-changed: backend", "code-changed: scenario", "code-changed: torch 2.1 → 2.2")
    unknown = row_of(compare(a, b, Request()), "seconds_total")
    assert "code-changed: jax none → 9" in unknown.flags
    assert not any("pandas" in flag for flag in unknown.flags)
    assert row_of(compare(*pair(CELL), Request()), "seconds_total").flags == ()


def test_other_data_of_the_same_seed_are_not_compared():
    made = compare(*pair(CELL, data="other", scenario_digest="scenario-2", seconds=3.0), Request())
    found = verdicts(made)
    assert found.pop("status") == "same"
    assert set(found.values()) == {"code-changed"}
    assert made.outcome == "not comparable"
    assert any("data are others" in w for w in map(str, made.warnings))


def test_another_scenario_without_shared_data_is_not_compared_but_another_seed_is():
    a = run(CELL, seed=1)
    changed = compare(a, run(replace(CELL, scenario_digest="scenario-2"), seed=2, root=1), Request())
    assert verdicts(changed)["b2_avg"] == "code-changed"
    seeded = compare(a, run(CELL, seed=2, root=1), Request())
    assert verdicts(seeded)["b2_avg"] in ("same", "inconclusive")


OTHER_HOSTS = [
    {"cpu": "B CPU"}, {"cores": 8}, {"logical_cpus": 8}, {"usable_cpus": 1}, {"memory_bytes": 64 << 30},
    {"system": "Darwin 23 arm64"},
]  # fmt: skip


@pytest.mark.parametrize("differs", OTHER_HOSTS, ids=lambda d: next(iter(d)))
def test_times_of_another_machine_are_not_compared(differs):
    a, b = run(CELL, seed=1), run(replace(CELL, seconds=3.0), seed=2, host={**HOST, **differs})
    made = compare(a, b, Request())
    found = verdicts(made)
    for metric in ("seconds_total", "seconds_cold", "ess_per_second", "peak_rss_bytes"):
        assert found[metric] == "other-machine"
        assert row_of(made, metric).change is None
    assert found["b2_avg"] in ("same", "inconclusive")
    assert made.outcome == "ok"
    assert "--allow-other-machine" in str(made.warnings[0])
    advice = compare(a, b, Request(allow_other_machine=True))
    row = row_of(advice, "seconds_total")
    assert (row.verdict, row.advisory, row.regression, advice.outcome) == ("worse", True, False, "ok")
    assert "advisory: other machine" in row.flags


@pytest.mark.parametrize(
    "differs", [{"memory_bytes": (16 << 30) + 4096}, {"system": "Linux 6.2.0 x86_64"}, {"load_average": 1.0}]
)
def test_a_restart_does_not_make_another_machine(differs):
    a, b = run(CELL, seed=1), run(CELL, seed=2, host={**HOST, **differs})
    assert "other-machine" not in verdicts(compare(a, b, Request())).values()


def test_a_run_that_recorded_no_host_is_another_machine():
    assert (
        verdicts(compare(run(CELL, seed=1, host={}), run(CELL, seed=2), Request()))["seconds_total"] == "other-machine"
    )


def test_other_threads_are_another_machine_for_that_cell_alone():
    other = Cell("pyro.svi")
    made = compare(run(CELL, other, seed=1), run(replace(CELL, threads=1), other, seed=2), Request())
    row = row_of(made, "seconds_total")
    assert (row.verdict, row.reason) == ("other-machine", "threads: 2 → 1")
    assert row_of(made, "seconds_total", other).verdict in ("same", "inconclusive")


def test_nothing_but_times_on_another_machine_is_not_comparable():
    unscored = replace(CELL, scored=False)
    made = compare(run(unscored, seed=1), run(unscored, seed=2, host={**HOST, "cores": 8}), Request())
    assert made.outcome == "not comparable"


def test_no_cell_in_common_is_not_comparable():
    assert compare(run(CELL, seed=1), run(Cell("pyro.nuts"), seed=2), Request()).outcome == "not comparable"


def test_a_gate_that_no_cell_can_answer_does_not_pass():
    a, b = run(CELL, seed=1), run(CELL, seed=2, host={**HOST, "cores": 8})
    made = compare(a, b, Request(fail_on=(parse("seconds_total>10%"),)))
    assert made.unchecked == ("seconds_total>10%",)
    assert made.outcome == "not comparable"
    assert "could be checked in no cell: other-machine" in str(made.warnings[0])
    point = compare(*pair(CELL), Request(fail_on=(parse("optimality_gap>1"),)))
    assert point.outcome == "not comparable"
    few = compare(*pair(CELL, rounds=2, seconds=3.0), Request(fail_on=(parse("seconds_total>10%"),)))
    assert (few.unchecked, few.outcome) == (("seconds_total>10%",), "not comparable")
    assert "inconclusive: 2 rounds, 3 needed" in str(few.warnings[0])


def test_fail_on_decides_alone_and_sets_the_threshold():
    a, b = pair(Cell(between=0.002, within=0.002), seconds=1.15)
    assert compare(a, b, Request()).outcome == "regression"
    assert compare(a, b, Request(fail_on=(parse("seconds_total>10%"),))).outcome == "regression"
    lenient = compare(a, b, Request(fail_on=(parse("seconds_total>20%"),)))
    assert (lenient.outcome, row_of(lenient, "seconds_total").verdict) == ("ok", "same")
    assert row_of(lenient, "seconds_total").threshold == "20 %"
    elsewhere = compare(a, b, Request(fail_on=(parse("b2_avg>2x"),)))
    assert elsewhere.outcome == "ok"
    assert row_of(elsewhere, "seconds_total").verdict == "worse"  # seen, but not asked to fail


def test_thresholds_can_be_set_per_cell():
    quiet = {"between": 0.002, "within": 0.002}
    one, two = Cell("torch.adam", **quiet), Cell("pyro.svi", **quiet)
    a = run(one, two, seed=1)
    b = run(replace(one, seconds=1.15), replace(two, seconds=1.15), seed=2)
    made = compare(a, b, Request(fail_on=(parse("seconds_total>10%"), parse("s4-linear/torch.*:seconds_total>20%"))))
    assert [r.backend for r in made.regressions if r.metric == "seconds_total"] == ["pyro.svi"]
    made = compare(a, b, Request(thresholds=(parse("pyro.svi:seconds_total>2x"),)))
    assert [r.backend for r in made.regressions if r.metric == "seconds_total"] == ["torch.adam"]


def test_a_glob_for_a_cell_neither_run_has_is_a_mistake():
    with pytest.raises(UsageError, match="unknown cell"):
        compare(*pair(CELL), Request(fail_on=(parse("nothing*:seconds_total>10%"),)))


def test_metrics_of_gates_are_compared_beside_those_asked_for():
    made = compare(*pair(CELL), Request(metrics=("b2_avg",), fail_on=(parse("recovery_rmse>10%"),)))
    assert set(verdicts(made)) == {"status", "b2_avg", "recovery_rmse"}
    assert row_of(made, "recovery_rmse").reason == "identical in every fit"


def test_a_metric_that_one_run_lacks_is_missing_or_new():
    a, b = run(CELL, seed=1), run(replace(CELL, scored=False), seed=2)
    assert row_of(compare(a, b, Request()), "b2_avg").verdict == "missing"
    assert row_of(compare(b, a, Request()), "b2_avg").verdict == "new"
    assert any("bench score run-2" in w for w in map(str, compare(a, b, Request()).warnings))


def test_the_same_fits_are_identical_whatever_their_number_and_do_not_widen_intervals():
    frozen = replace(CELL, redrawn=False)
    made = compare(*pair(frozen, rounds=1, reps=2), Request(metrics=("b2_avg", "b2_max")))
    assert verdicts(made) == {"status": "same", "b2_avg": "same", "b2_max": "same"}
    assert made.tests == 0


def test_differences_too_small_to_count_do_not_lower_the_level_of_the_others():
    cells = [Cell(f"torch.b{i}") for i in range(6)]
    made = compare(run(*cells, seed=1), run(*(replace(c, rss=309e6) for c in cells), seed=2), Request())
    memory = [r for r in made.rows if r.metric == "peak_rss_bytes"]
    assert sum(r.estimate.p_value < 0.01 for r in memory) >= 4
    assert made.level == pytest.approx(1 - 0.05 / made.tests)


def test_many_real_differences_do_lower_it():
    cells = [Cell(f"torch.b{i}") for i in range(6)]
    made = compare(run(*cells, seed=1), run(*(replace(c, seconds=2.0) for c in cells), seed=2), Request())
    called = sum(r.verdict in ("worse", "better") for r in made.rows)
    assert called >= 18  # seconds warm and cold, and the rate of effective draws
    assert made.level == pytest.approx(max(0.97, 1 - 0.05 * called / made.tests))


def test_twins_are_told_apart():
    matched, defaults = CELL, replace(CELL, track="defaults")
    made = compare(run(matched, defaults, seed=1), run(matched, defaults, seed=2), Request())
    assert {r.variant for r in made.rows} == {"track matched", "track defaults"}


def test_cells_of_two_frameworks_that_all_slow_down_together_point_at_the_machine():
    cells = [Cell(b) for b in ("torch.adam", "torch.map", "pyro.svi", "pyro.nuts")]
    a, slow = run(*cells, seed=1), run(*(replace(c, seconds=1.3) for c in cells), seed=2)
    assert any("became slower together (median 1.3" in w for w in map(str, compare(a, slow, Request()).warnings))
    mixed = run(*(replace(c, seconds=s) for c, s in zip(cells, (1.3, 1.3, 1.3, 0.7), strict=True)), seed=2)
    assert not any("together" in w for w in map(str, compare(a, mixed, Request()).warnings))


def test_a_run_compared_with_itself_says_so():
    a = run(CELL, seed=1)
    made = compare(a, a, Request())
    assert any("same run" in w for w in map(str, made.warnings))
    assert "worse" not in verdicts(made).values()


def test_no_finished_fit_is_no_baseline():
    assert statuses(run(CELL, seed=1)) == statuses(run(replace(CELL, statuses={0: "failed"}), seed=1)) == ""
    assert statuses(run(replace(CELL, status="failed"), seed=1)) == "15 failed"


def test_every_measure_has_a_threshold_in_words():
    for measure in MEASURES.values():
        assert measure.limit > 0
        assert math.isfinite(measure.limit)
        assert measure.threshold
    assert MEASURES["seconds_total"].threshold == "5 %"
    assert MEASURES["peak_rss_bytes"].threshold == "10 %"
    assert MEASURES["b2_avg"].threshold == "2×"
    assert MEASURES["elpd"].threshold == "1 nats"


def test_a_a_of_40_cells_calls_next_to_nothing():
    """Noise as measured between children; an A/A compare of 40 cells × 5 metrics, 5 rounds.

    Any call at all is expected in one compare of twenty, so one call in 200 comparisons would be rare already; the
    requirement is 5 %, or 10.
    """
    cells = [Cell(f"torch.b{i}", between=0.14, within=0.08) for i in range(40)]
    made = compare(run(*cells, seed=0), run(*cells, seed=1), Request())
    assert made.tests >= 200
    assert sum(r.verdict in ("worse", "better") for r in made.rows) <= 1
