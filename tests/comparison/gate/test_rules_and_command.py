"""`[tool.bench.gate]`, and `bench gate` on files and run folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.comparison.baseline import NoBaseline, baseline
from bench.comparison.rules import rules
from bench.errors import UsageError
from tests import in_process
from tests.comparison.runs import HOST, Cell, run

TABLE = """
[tool.bench.gate]
baseline = "benchmarks/base.json"
fail_on = ["seconds_total>10%", "b2_avg>2x"]
strict = true
"""


def test_the_command_line_wins_over_pyproject(tmp_path: Path):
    file = tmp_path / "pyproject.toml"
    file.write_text(TABLE)
    assert rules(file, {}).fail_on == ("seconds_total>10%", "b2_avg>2x")
    assert rules(file, {}).strict and rules(file, {}).where == tmp_path
    given = rules(file, {"fail_on": ["elpd<4"], "baseline": "other.json"})
    assert given.fail_on == ("elpd<4",) and given.baseline == "other.json" and given.where == Path()
    assert rules(tmp_path / "none.toml", {}).fail_on == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fail_om = []", "unknown key 'fail_om'; did you mean fail_on"),
        ("fail_on = [1]", "a text or a list of texts"),
        ("strict = 1", "true or false"),
        ('fail_on = "seconds_total<5%"', "better when lower"),
        ('metric = ["seconds"]', "unknown metric"),
        ('threshold = "missing"', "has no threshold"),
    ],
)
def test_a_wrong_table_is_named_with_what_is_allowed(tmp_path: Path, text: str, said: str):
    file = tmp_path / "pyproject.toml"
    file.write_text(f"[tool.bench.gate]\n{text}\n")
    with pytest.raises(UsageError, match=said):
        rules(file, {})


def test_no_baseline_says_what_is_there(tmp_path: Path, written):
    (tmp_path / "plain.json").write_text('{"benchmarks": []}')
    (tmp_path / "broken.json").write_text("{")
    failed = written(run(Cell(status="failed"), seed=1), "failed.json")
    for place, said in (
        ("", "none was named"), ("absent.json", "no such file"), ("plain.json", "has no posterior_bench"),
        ("broken.json", "broken.json"), (failed, "no fit of it finished"),
    ):  # fmt: skip
        with pytest.raises(NoBaseline, match=said):
            baseline(place, tmp_path)


def gate(cwd: Path, *args: str) -> in_process.Outcome:
    return in_process.run("gate", *args, cwd=cwd)


def test_the_verb_says_the_verdict_and_exits_with_it(tmp_path: Path, written):
    written(run(Cell(), seed=1), "base.json")
    head = written(run(Cell(seconds=1.5), seed=2), "head.json")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.bench.gate]\nbaseline = "base.json"\nfail_on = "seconds_total>10%"\n'
    )
    done = gate(tmp_path, head)
    assert done.code == 1, done.err
    assert done.out.startswith("bench gate: regression (exit code 1)") and "worse !" in done.out


def test_the_verb_has_a_code_for_everything(tmp_path: Path, written):
    base = written(run(Cell(), seed=1), "base.json")
    elsewhere = written(run(Cell(), seed=1, host={**HOST, "cpu": "Another"}), "elsewhere.json")
    crashed = written(run(Cell(statuses={2: "crashed"}), seed=2), "crashed.json")
    for args, code in (
        ((base, "--baseline", base), 0), ((base, "--baseline", elsewhere), 6),
        ((base, "--baseline", elsewhere, "--advice-only-ok"), 0),
        ((base, "--baseline", elsewhere, "--strict"), 6), ((base, "--baseline", "absent.json"), 5), ((base,), 5),
        ((crashed, "--baseline", base), 3), (("absent.json", "--baseline", base), 2),
        ((base, "--baseline", base, "--fail-on", "seconds"), 2),
    ):  # fmt: skip
        done = gate(tmp_path, *args)
        assert done.code == code and "Traceback" not in done.err, (args, done)
    found = json.loads(gate(tmp_path, crashed, "--baseline", base, "--format", "json").out)
    assert (found["exit"], found["outcome"]) == (3, "fits failed") and found["comparison"]["rows"]
    markdown = gate(tmp_path, base, "--baseline", base, "--format", "markdown").out
    assert markdown.startswith("**bench gate: ok (exit code 0)")
