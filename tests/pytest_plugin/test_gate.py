"""The gate in pytest itself: planted changes, and every end with its own exit code."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from scipy.special import stdtrit

from bench.stats.intervals import LEAST_LEVEL
from tests.conftest import ROOT
from tests.pytest_plugin.conftest import ROUNDS, Ended, Project, select

BETWEEN = math.hypot(0.14, 0.08)
"""sd of log seconds of a round of one warm fit, as the contender has it."""
FLOOR = math.expm1(float(stdtrit(8, 1 - (1 - LEAST_LEVEL) / 2)) * BETWEEN * math.sqrt(2 / 5))
"""The noise floor of five rounds a side as `bench doctor` defines it: half the interval of a comparison."""


def judged(project: Project, base: str, *args: str, **options) -> tuple[Ended, dict]:
    ended = project.fits("--bench-baseline", base, "--bench-gate-json", "verdict.json", *args, **options)
    file = project.path / "verdict.json"
    return ended, json.loads(file.read_text()) if file.is_file() else {}


@pytest.mark.parametrize(
    ("plant", "metric"),
    [
        pytest.param({"slow": 1 + 3 * FLOOR}, "seconds_total", id="three times the noise floor slower"),
        pytest.param({"bias": 1.0}, "b2_avg", id="one posterior sd off", marks=pytest.mark.slow),
    ],
)
def test_a_planted_change_is_caught_with_exit_1(project: Project, baseline: Ended, plant, metric):
    ended, found = judged(project, str(baseline.file), plant={"noise": 2, **plant})
    assert ended.code == 1, ended.out
    assert "2 passed" in ended.out, "the fits themselves are fine"
    assert found["outcome"] == "regression" and any(metric in name for name in found["regressions"])
    assert "bench gate: regression (exit code 1)" in ended.out


@pytest.mark.slow
def test_a_crashed_fit_has_a_code_of_its_own(project: Project, baseline: Ended):
    ended, found = judged(project, str(baseline.file), plant={"noise": 2, "crash": 1})
    assert ended.code == 3 and found["outcome"] == "fits failed", ended.out
    assert "1 failed, 1 passed" in ended.out and "SIGSEGV" in ended.out
    (entry,) = ended.benchmarks.values()
    assert entry["extra_info"]["status"] == "crashed" and entry["stats"]["median"] is None
    assert "SIGSEGV" in found["failed"][entry["name"]]


@pytest.mark.slow
def test_identical_code_passes(project: Project, baseline: Ended):
    ended, found = judged(project, str(baseline.file), plant={"noise": 2})
    assert ended.code == 0 and found["outcome"] == "ok", ended.out


@pytest.mark.slow
def test_no_baseline_and_another_machine_have_their_own_codes(project: Project, edited):
    ended, found = judged(project, "absent.json")
    assert (ended.code, found["outcome"]) == (5, "no baseline") and "no such file" in ended.out
    other = edited(lambda held: held["posterior_bench"]["run"]["host"].update(cpu="Another CPU"))
    advice, said = judged(project, other, "--bench-gate-advice-only-ok", plant={"slow": 3.0})
    assert (advice.code, said["outcome"]) == (0, "ok") and "times are advice only" in said["reason"]
    strict, refused = judged(project, other, "--bench-gate-strict", plant={"slow": 3.0})
    assert (strict.code, refused["outcome"]) == (6, "not comparable") and "Another CPU" in refused["reason"]


@pytest.mark.slow
def test_failed_tests_are_told_from_regressions(project: Project, baseline: Ended):
    (project.path / "test_own.py").write_text("def test_own():\n    assert False\n")
    ended, found = judged(project, str(baseline.file), plant={"slow": 3.0})
    assert ended.code == 1 and found["outcome"] == "tests failed" and "bench gate: tests failed" in ended.out


@pytest.mark.slow
def test_thresholds_of_pyproject_and_a_baseline_that_pytest_benchmark_saved(project: Project):
    (project.path / "pyproject.toml").write_text('[tool.bench.gate]\nfail_on = ["seconds_total>50%"]\n')
    assert project.fits("--benchmark-save=base", plant={"noise": 1}).code == 0
    slower = {"noise": 1, "slow": 1.3}  # the same noise: 1.3× to the last bit, below 50 %
    compare = (*select(), *ROUNDS, "--benchmark-compare")
    passed = project.pytest(*compare, "--bench-gate-json=v.json", plant=slower)  # as users start it
    assert passed.code == 0 and "bench gate: ok" in passed.out, passed.out
    failed = project.here(*compare, "--bench-gate", "seconds_total>10%", plant=slower)
    assert failed.code == 1 and "bench gate: regression" in failed.out


@pytest.mark.slow
def test_a_benchmark_that_is_gone_is_said_and_fails_where_asked(project: Project, edited):
    def more(held):
        own = held["posterior_bench"]
        (cell,) = own["cells"]
        own["names"]["gone"], own["cells"]["gone"] = "s4-linear/gone.nuts", json.loads(json.dumps(own["cells"][cell]))
        own["cells"]["gone"]["fits"]["backend"] = "gone.nuts"

    base = edited(more)
    quiet, found = judged(project, base, plant={"noise": 1})
    assert quiet.code == 0 and found["missing"] == ["s4-linear/gone.nuts"]
    assert "in the baseline, but not in this run: s4-linear/gone.nuts" in quiet.out
    strict, _ = judged(project, base, "--bench-gate", "missing", plant={"noise": 1})
    assert strict.code == 1


def test_this_repository_is_no_path_in_the_file(baseline: Ended):
    assert str(ROOT) not in baseline.file.read_text() and str(Path.home() / ".") not in baseline.file.read_text()
