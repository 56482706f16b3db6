"""Series over runs: who shares one, what a point is, and what every format says of them."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from bench.analysis.combined import Source
from bench.analysis.tables import RunTables
from bench.cli import app
from bench.comparison.measures import MEASURES
from bench.comparison.series import Series, series
from bench.errors import UsageError
from bench.pipeline import run_tables
from bench.present.history import formats, html, words
from bench.store.folder import RunFolder
from bench.store.manifest import instant
from tests.comparison.history.stored import store
from tests.comparison.runs import HOST, Cell, run

SECONDS = MEASURES["seconds_total"]


def nightly(i: int, *cells: Cell, **manifest: object) -> RunTables:
    about = {"commit": f"{i:x}" * 10, "started": f"2026-01-{i + 1:02}T03:00:00+00:00", **manifest}
    return run(*(cells or (Cell(),)), seed=i, name=f"nightly-{i:02}", **about)


def found(*runs: RunTables, metric: str = "seconds_total", **named: float) -> list[Series]:
    sources = [Source(r.run.id, r) for r in runs]
    return series(sources, MEASURES[metric], wanted=lambda s, b: True, **named)


STEPPED = [nightly(i, Cell(seconds=1.0 if i < 7 else 1.5), Cell("torch.sgd", seconds=0.5)) for i in range(14)]


@cache
def stepped() -> list[Series]:
    """The series of STEPPED."""
    return found(*STEPPED)


def test_a_step_is_found_where_it_is_with_its_levels_and_what_changed_there():
    runs = [*STEPPED]
    for i in range(7, 14):
        runs[i] = nightly(
            i, Cell(seconds=1.5), Cell("torch.sgd", seconds=0.5), versions={"torch": "2.2", "numpy": "2.0"}
        )
    adam, sgd = found(*reversed(runs))
    (step,) = adam.steps
    assert step.index == 7 and step.worse and step.material and adam.ends_worse
    assert step.after / step.before == pytest.approx(1.5, rel=0.03)  # noise of 1 % over 7 runs each
    assert step.causes == ("commit 6666666666 → 7777777777", "torch 2.1 → 2.2")
    assert sgd.steps == () and not sgd.ends_worse


def test_a_point_is_the_geometric_mean_over_rounds_with_students_interval():
    (one,) = found(nightly(0))
    fits = nightly(0).fits
    per_round = np.log(fits[~fits["cold"]].groupby("round")["seconds_total"].median().to_numpy(dtype=float))
    interval = stats.ttest_1samp(per_round, 0.0).confidence_interval(0.95)
    (point,) = one.points
    assert point.value == pytest.approx(math.exp(per_round.mean()), rel=1e-12)
    assert (point.low, point.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)), rel=1e-9)
    assert point.rounds == 5


def test_differences_have_arithmetic_means_and_limits_in_their_unit():
    runs = [nightly(i, Cell(elpd=-100.0 if i < 6 else -110.0)) for i in range(12)]
    (one,) = found(*runs, metric="elpd")
    (step,) = one.steps
    assert step.index == 6 and step.worse and step.material
    assert step.before == pytest.approx(-100, abs=0.3) and step.after == pytest.approx(-110, abs=0.3)
    assert words.size(MEASURES["elpd"], step).startswith("−9.9")


def test_a_step_within_the_threshold_is_shown_and_counts_for_nothing():
    runs = [nightly(i, Cell(seconds=1.0 if i < 8 else 1.03, between=0.001, within=0.001)) for i in range(16)]
    (one,) = found(*runs)
    assert [s.material for s in one.steps] == [False] and not one.ends_worse
    assert "within the 5 % threshold" in words.step(SECONDS, one, one.steps[0])
    assert "no step above the 5 % threshold" in words.headline([one], SECONDS)


def test_an_improvement_is_no_regression():
    (one,) = found(*(nightly(i, Cell(seconds=2.0 if i < 6 else 1.0)) for i in range(12)))
    assert not one.steps[-1].worse and not one.ends_worse
    assert "for the better in 1" in words.headline([one], SECONDS)


def test_machines_threads_and_problems_never_share_a_series():
    runs = [
        nightly(0), nightly(1, host={**HOST, "cpu": "Other CPU"}), nightly(2, Cell(threads=1)),
        nightly(3, Cell(scenario_digest="scenario-2", data="changed")), nightly(4),
    ]  # fmt: skip
    made = found(*runs)
    assert [[p.run[-2:] for p in one.points] for one in made] == [["00", "04"], ["01"], ["02"], ["03"]]
    assert made[1].machine == "Other CPU, 4 CPUs"
    assert made[3].problem == "as from nightly-03" and made[0].problem == "as from nightly-00"


def test_a_run_in_which_the_cell_failed_stands_there_without_a_value():
    (one,) = found(nightly(0), nightly(1, Cell(status="timeout")), nightly(2))
    assert [(p.status, p.value is None) for p in one.points] == [("ok", False), ("timeout", True), ("ok", False)]
    assert "timeout" in formats.text([one], SECONDS, level=0.05, everything=False)
    (late,) = found(nightly(0), nightly(1, Cell(status="timeout")))
    assert "the latest run has no value in 1" in words.headline([late], SECONDS)
    never = found(nightly(0, Cell(status="interrupted")))
    said = [formats.text([late, *never], SECONDS, level=0.05, everything=everything) for everything in (False, True)]
    assert [text.count(" · 1 run on ") for text in said] == [0, 1]
    assert ["No run has a value in 1 of the series" in text for text in said] == [True, False]


def test_namesakes_are_told_apart():
    made = found(nightly(0, Cell(), Cell(track="defaults")))
    assert sorted(one.backend for one in made) == ["torch.adam (track defaults)", "torch.adam (track matched)"]


def test_the_sparkline_does_not_make_mountains_of_noise():
    (one,) = found(*(nightly(i) for i in range(6)))
    assert set(words.sparkline(one)) <= set("▃▄▅▆")
    adam, _ = stepped()
    line = words.sparkline(adam)
    assert len(line) == 14 and set(line[:7]) <= set("▁▂") and set(line[7:]) <= set("▇█")


@pytest.mark.parametrize("render", [formats.text, formats.markdown])
def test_every_format_says_the_step_and_how_sure(render):
    made = stepped()
    said = render(made, SECONDS, level=0.05, everything=True).replace("\\", "")
    assert "the last step is for the worse in 1" in said
    assert "step at nightly-07" in said and "1.5" in said
    assert "at most 5 % of steady series" in said
    assert all(f"nightly-{i:02}" in said for i in range(14))


def test_markdown_stays_short():
    cells = [Cell(f"torch.adam{i}", options=f"{'x' * 400}={i}") for i in range(70)]
    made = found(*(nightly(i, *cells, rounds=2, reps=2) for i in range(2)))
    said = formats.markdown(made, SECONDS, level=0.05, everything=False)
    assert len(said) <= 30_000 and "cut here for length" in said


def test_json_has_everything_in_full_precision():
    made = stepped()
    read = json.loads(json.dumps(formats.document(made, SECONDS, level=0.05, code=0), allow_nan=False))
    assert read["series"][0]["points"][0]["value"] == made[0].points[0].value
    assert [s["ends_worse"] for s in read["series"]] == [True, False]


def test_the_page_has_a_figure_per_series_and_escapes_what_it_is_told():
    evil = Cell("torch.<b>")
    page = html.render([*stepped(), *found(nightly(0, evil), nightly(1, evil))], SECONDS, level=0.05)
    assert page.count("<svg") == 3
    assert "torch.<b>" not in page and "torch.&lt;b&gt;" in page
    assert "default-src 'none'" in page and "<script" not in page
    assert html.render(stepped(), SECONDS, level=0.05) == html.render(found(*STEPPED), SECONDS, level=0.05)


def call(results: Path, *args: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["history", "--results", str(results), *args], catch_exceptions=False)
    return done.exit_code, done.stdout


@cache
def tables_of(folder: Path) -> RunTables:
    """The tables of a run, which nothing changes."""
    return run_tables(RunFolder(folder))


def asked(results: Path, *args: str) -> tuple[int, str]:
    """As `call`, with every run read from the disk once for all questions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.pipeline.run_tables", lambda folder: tables_of(folder.path))
        return call(results, *args)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for i, made in enumerate(STEPPED):
        store(made, folder)
        if i == 3:
            (folder / f"nightly-{i:02}" / "fits.parquet").write_bytes(b"damaged")
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    return folder


def test_the_verb_reads_the_folder_and_its_exit_code_follows_the_step(results: Path):
    code, out = call(results)
    assert code == 0 and "step at nightly-07" in out
    assert asked(results, "--fail-on-step")[0] == 1
    assert asked(results, "--fail-on-step", "-b", "torch.sgd")[0] == 0
    code, out = asked(results, "-m", "k_hat")
    assert code == 4 and "k_hat" in out


def test_filters_and_since_choose(results: Path):
    names = [one["backend"] for one in json.loads(asked(results, "-b", "*.sgd", "--format", "json")[1])["series"]]
    assert names == ["torch.sgd"]
    for since in ("nightly-05", "2026-01-06", "5555555"):
        read = json.loads(asked(results, "--since", since, "--format", "json")[1])
        assert read["series"][0]["points"][0]["run"] == "nightly-05"


def test_html_goes_into_a_file(results: Path, tmp_path: Path):
    code, out = asked(results, "--format", "html", "--to", str(tmp_path / "h.html"))
    assert code == 0 and out.split() == [str(tmp_path / "h.html")]
    assert "<svg" in (tmp_path / "h.html").read_text()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-b", "torch.adm"], "did you mean torch.adam"), (["-s", "nothing"], "known: s4-linear"),
        (["-m", "seconds_totl"], "did you mean seconds_total"), (["--since", "nightly-99"], "did you mean nightly-"),
        (["--format", "pdf"], "one of text, markdown"), (["--level", "0.9"], "from 0.001 to 0.5"),
        (["--to", "/nowhere/at/all.md"], "there is no folder /nowhere/at"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_message(results: Path, args: list[str], said: str):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        asked(results, *args)


def test_a_folder_without_runs_says_what_to_do(tmp_path: Path):
    with pytest.raises(UsageError, match="first: bench run"):
        call(tmp_path)


def test_runs_are_ordered_by_instants_whatever_their_zone_and_fractions():
    times = [
        "2026-01-02T00:30:00+02:00", "2026-01-01T23:00:00.250Z", "2026-01-01T23:00:00+00:00",
        "2026-01-01T21:59:59-01:00",
    ]  # fmt: skip
    assert sorted(times, key=instant) == [times[0], times[3], times[2], times[1]]
    assert instant("2026-01-01") == instant("2026-01-01T00:00:00Z") and instant("soon") == -math.inf
    (one,) = found(*(nightly(i, started=when) for i, when in enumerate(times)))
    assert [point.run for point in one.points] == ["nightly-00", "nightly-03", "nightly-02", "nightly-01"]
