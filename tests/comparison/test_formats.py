"""Text, Markdown and JSON of one comparison say the same, and nothing breaks them."""

import json
import math
from dataclasses import replace

import pytest

from bench.comparison.expressions import parse
from bench.comparison.rows import Comparison, Request, Row
from bench.comparison.verdicts import compare
from bench.comparison.warnings import again
from bench.present import gfm
from bench.present.comparison import formats, words
from bench.stats.intervals import Estimate
from tests.comparison.runs import HOST, Cell, run

LOUD = {"between": 0.14, "within": 0.08}


@pytest.fixture(scope="module")
def made() -> Comparison:
    """One cell slower, one faster, one gone, one come, one failing, one with a name that Markdown would eat."""
    slow, fast, gone, come, broken = (Cell(f"torch.{n}") for n in ("slow", "fast", "gone", "come", "broken"))
    odd = Cell("user.method", options="name=a|b<script>*", **LOUD)
    a = run(slow, fast, gone, broken, odd, seed=1, name="before")
    b = run(replace(slow, seconds=2.0), replace(fast, seconds=0.5), come, replace(broken, statuses={0: "crashed"}), odd,
            seed=2, name="after", commit="def")  # fmt: skip
    return compare(a, b, Request())


def test_the_headline_comes_first_and_names_what_regressed(made):
    for rendered in (formats.text(made, everything=False), formats.markdown(made, everything=False)):
        assert "Regression in 2 of 6 cells" in rendered.splitlines()[0] + rendered.splitlines()[1]
    assert "s4-linear × torch.broken fails" in words.headline(made)
    (slow,) = [r for r in made.rows if r.backend == "torch.slow" and r.metric == "seconds_total"]
    assert f"seconds_total of s4-linear × torch.slow {words.change(slow)}" in words.headline(made)


def test_only_what_changed_is_shown_unless_all_is_asked_for(made):
    short, full = formats.text(made, everything=False), formats.text(made, everything=True)
    table = short[: short.index("not shown (--all)")]
    assert "torch.gone" in table
    assert "torch.come" in table
    assert "inconclusive  " not in table
    assert "inconclusive  " in full
    assert len(full.splitlines()) > len(short.splitlines())
    assert sum(line.startswith("worse !") for line in short.splitlines()) == len(made.regressions)


def test_the_method_states_its_level(made):
    assert f"{100 * made.level:.4g} % each" in formats.text(made, everything=False).replace("\n", " ")
    assert f"{made.tests} comparisons" in formats.text(made, everything=False).replace("\n", " ")


def test_what_else_differs_is_said(made):
    assert "commit abc → def" in formats.text(made, everything=False)


def test_markdown_has_one_table_whose_rows_fit_its_head(made):
    rendered = formats.markdown(made, everything=True)
    assert rendered.startswith(gfm.MARKER)
    table = [line for line in rendered.splitlines() if line.startswith("| ")]
    unescaped = [line.replace("\\|", "") for line in table]
    assert len({line.count("|") for line in unescaped}) == 1
    assert "<script>" not in rendered
    assert len(table) == 2 + len(made.rows)


def test_markdown_is_cut_with_a_word_where_it_would_be_too_long(made):
    row = next(r for r in made.rows if r.metric == "seconds_total")
    long = replace(made, rows=(row,) * 1000)
    rendered = formats.markdown(long, everything=True)
    assert len(rendered) <= gfm.CHARACTERS
    assert "rows more cut here" in rendered


def test_json_is_strict_and_has_every_row(made):
    rendered = json.dumps(formats.document(made, code=1), allow_nan=False)
    back = json.loads(rendered)
    assert back["exit"] == 1
    assert back["outcome"] == "regression"
    assert len(back["rows"]) == len(made.rows) == sum(back["counts"].values())
    slow = next(r for r in back["rows"] if r["backend"] == "torch.slow" and r["metric"] == "seconds_total")
    assert slow["low"] < slow["change"] < slow["high"]
    assert slow["change"] == pytest.approx(2.0, rel=0.1)
    assert (slow["verdict"], slow["regression"], slow["paired"], slow["n_a"]) == ("worse", True, True, 5)


def test_an_endless_interval_is_null_in_json_and_a_sign_in_text():
    row = Row("c", "s", "b", "seconds_total", "inconclusive", unit="s", a=1.0, b=1.0, change=1.0, hides=math.inf,
              interval=(0.0, math.inf), estimate=Estimate(0.0, 1e6, 1.0, 3, 3, False), per="round")  # fmt: skip
    made = Comparison("a", "b", (row,), level=0.97, tests=1, cells=1)
    (shown,) = formats.document(made, code=0)["rows"]
    assert (shown["high"], shown["hides"]) == (None, None)
    json.dumps(formats.document(made, code=0), allow_nan=False)
    assert "could hide up to ∞×" in formats.text(made, everything=True)


def test_without_a_regression_the_headline_says_what_could_still_hide():
    cell = Cell(**LOUD)
    made = compare(run(cell, seed=1), run(cell, seed=2), Request(metrics=("seconds_total",)))
    (row,) = [r for r in made.rows if r.metric == "seconds_total"]
    assert words.headline(made) == (
        "No regression in 1 cell; 1 inconclusive: seconds_total of s4-linear × torch.adam could hide up to "
        f"{row.interval[1]:.2f}×."
        if row.interval[1] < 1.995
        else words.headline(made)
    )
    assert row.interval[1] < 1.995


def test_the_headline_names_the_least_certain_cell_by_the_way_that_is_worse():
    loud, louder = Cell("torch.loud", between=0.05), Cell("torch.louder", between=0.3)
    made = compare(run(loud, louder, seed=1), run(loud, louder, seed=2), Request(metrics=("ess_per_second",)))
    worst = min((r for r in made.rows if r.metric == "ess_per_second"), key=lambda r: r.interval[0])
    assert f"ess_per_second of {worst.name} could hide up to {worst.interval[0]:.2f}×" in words.headline(made)


def test_not_comparable_says_why():
    a, b = run(Cell(scored=False), seed=1), run(Cell(scored=False), seed=2, host={**HOST, "cpu": "B CPU"})
    assert words.headline(compare(a, b, Request())) == ("Not comparable: no metric could be compared in 1 common cell.")
    gated = compare(a, b, Request(fail_on=(parse("seconds_total>10%"),)))
    assert words.headline(gated) == "Not comparable: --fail-on 'seconds_total>10%' could not be checked."
    assert words.headline(compare(a, run(Cell("x.y"), seed=2), Request())) == (
        "Not comparable: the runs have no cell in common."
    )


def test_every_warning_with_a_next_step_ends_in_a_command(made):
    found = [w for w in made.warnings if w.command]
    assert found and all(w.command.startswith("bench ") for w in found)
    rendered = formats.text(made, everything=False)
    assert "\n  next: bench run -s s4-linear -b torch.gone --budget standard --track matched" in rendered
    in_markdown = formats.markdown(made, everything=False)
    assert "Next: `bench run -s s4-linear -b torch.gone --budget standard --track matched" in in_markdown


def test_more_rounds_of_an_ab_are_not_more_than_it_may_make():
    tables = run(Cell(), seed=1)
    tables.run.command = "python -m bench ab a.x b.x -s s0 --rounds 5 --max-rounds 6 --fail-on 'seconds_total>10%'"
    more = again(tables, rounds=12)
    assert more.endswith("bench ab a.x b.x -s s0 --fail-on 'seconds_total>10%' --rounds 12")
    assert again(tables, undisturbed=True).endswith(
        "--max-rounds 6 --fail-on 'seconds_total>10%'"
    )  # it has no such option


def test_after_a_noisy_run_the_next_one_makes_disturbed_children_anew():
    noisy = run(Cell(), seed=1)
    noisy.fits["disturbance"] = 0.5
    noisy.run.command = "python -m bench run -s s0 --max-disturbance=0.4 --name noisy --rounds 5"
    (warned,) = [w for w in compare(noisy, run(Cell(), seed=2), Request()).warnings if "not quiet" in w.text]
    assert warned.command == "bench run -s s0 --rounds 5 --max-disturbance 0.1"
    noisy.run.command = "bench.run('s0-*', 'numpyro.nuts', rounds=5)"
    assert again(noisy, undisturbed=True) == "bench.run('s0-*', 'numpyro.nuts', rounds=5, max_disturbance=0.1)"
    assert again(noisy, rounds=12) == "bench.run('s0-*', 'numpyro.nuts', rounds=12)"
    noisy.run.options = {"max_disturbance": 0.02}
    assert again(noisy, undisturbed=True).endswith("max_disturbance=0.02)"), "a stricter limit stays"
    noisy.run.command = "pytest --bench-suite tiny"
    assert again(noisy, rounds=12) == noisy.run.command
