"""The files as the other tools read them, and the command that writes them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from bench.present import export as bridges
from bench.present.export import summary
from tests import in_process
from tests.conftest import ROOT
from tests.present.conftest import FAKES, Fake, canned

PUBLISHED = ROOT / "results" / "published"


def strict(text: str) -> Any:
    """JSON that every reader takes: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return bridges.files(canned(), bridges.FORMATS)


def test_github_entries_are_what_the_action_asks_for(made: dict[str, str]) -> None:
    smaller, bigger = (strict(made[f"{way}-is-better.json"]) for way in ("smaller", "bigger"))
    for entry in smaller + bigger:
        assert set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert all(isinstance(entry.get(key, ""), str) for key in ("name", "unit", "range", "extra"))
        assert isinstance(entry["value"], float) and entry["unit"]
    names = [entry["name"] for entry in smaller + bigger]
    assert len(set(names)) == len(names)
    assert "s0-exponential/numpyro.nuts (standard) seconds_total" in {e["name"] for e in smaller}
    assert {e["name"].split()[-1] for e in bigger} == {"fits_ok", "ess_per_second"}
    assert any("5 rounds" in e.get("range", "") for e in smaller)


def test_bmf_is_a_value_between_its_bounds(made: dict[str, str]) -> None:
    document = strict(made["bmf.json"])
    assert len(document) == len(FAKES)
    for benchmark, measures in document.items():
        assert 0 < len(benchmark) <= 1024
        for measure, metric in measures.items():
            assert len(measure) <= 64 and measure == measure.lower() and "_" not in measure
            assert set(metric) in ({"value"}, {"value", "lower_value", "upper_value"})
            assert metric.get("lower_value", metric["value"]) <= metric["value"]
            assert metric["value"] <= metric.get("upper_value", metric["value"])
    assert document["s0-exponential/stan.nuts (standard)"] == {"fits-ok": {"value": 0.0}}


def test_both_say_the_same(made: dict[str, str]) -> None:
    document = strict(made["bmf.json"])
    for way in ("smaller", "bigger"):
        for entry in strict(made[f"{way}-is-better.json"]):
            benchmark, _, metric = entry["name"].rpartition(" ")
            assert document[benchmark][metric.replace("_", "-")]["value"] == entry["value"]


def test_the_summary_names_what_failed_before_anything_else(made: dict[str, str]) -> None:
    head = made["summary.md"].split("# Which backend")[0]
    assert "3 of 9 benchmarks" in head
    for text in ("torch.sgd", "loss became NaN", "blackjax.nuts", "stan.nuts", "over 120 s"):
        assert text in head
    assert "numpyro.nuts" not in head


def test_names_and_reasons_are_escaped() -> None:
    rude = Fake("a.b", "mcmc", status="failed", reason="<script>alert(1)</script> | **x** \x1b[31m\n# title")
    text = bridges.files(canned((rude, FAKES[0])), ["summary", "github"])
    assert "<script>" not in text["summary.md"] and "\x1b" not in "".join(text.values())
    assert "\n# title" not in text["summary.md"]


def test_a_summary_that_github_would_drop_is_cut_at_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MOST_BYTES", 2000)
    text = bridges.files(canned(), ["summary"])["summary.md"]
    assert len(text.encode()) < 2100 and text.endswith("> Cut here: the whole report is report.md of the run.\n")


def test_the_same_tables_give_the_same_bytes(made: dict[str, str]) -> None:
    assert bridges.files(canned(), bridges.FORMATS) == made


def test_a_name_too_long_for_bencher_is_cut_and_stays_unique() -> None:
    fakes = tuple(Fake("torch.adam", "point", 0.2, 0.5, {"guide": "g" * 2000, "lr": lr}) for lr in (0.1, 0.2))
    document = strict(bridges.files(canned(fakes), ["bmf"])["bmf.json"])
    assert len(document) == 2 and max(map(len, document)) <= 1024


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def call(*args: str, **environment: str) -> in_process.Outcome:
        words = ("export", "standard-cpu", "--results", str(PUBLISHED), *args)
        return in_process.run(*words, cwd=tmp_path, variables=environment)

    return call


def test_the_command_writes_a_real_run_and_appends_to_the_steps_summary(export: Any, tmp_path: Path) -> None:
    step = tmp_path / "step.md"
    step.write_text("before\n")
    formats = [word for form in ("github", "bmf", "summary") for word in ("--format", form)]
    done = export(*formats, "--to", "out", "--step-summary", GITHUB_STEP_SUMMARY=str(step))
    assert done.code == 0, done.err
    out = tmp_path / "out"
    assert {f.name for f in out.iterdir()} == {
        "bigger-is-better.json", "smaller-is-better.json", "bmf.json", "summary.md"
    }  # fmt: skip
    assert step.read_text() == "before\n" + (out / "summary.md").read_text() + "\n"
    document = strict((out / "bmf.json").read_text())
    assert all("seconds-total" in measures for measures in document.values() if measures["fits-ok"]["value"] == 1.0)
    assert sum("lower_value" in measures.get("seconds-total", {}) for measures in document.values()) > 3


def test_without_a_ci_step_the_command_says_so(export: Any, tmp_path: Path) -> None:
    done = export("--step-summary", "--to", "out")
    assert done.code == 0 and "GITHUB_STEP_SUMMARY is not set" in done.err
    assert (tmp_path / "out" / "summary.md").is_file()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--format", "bfm"], "--format 'bfm' is not allowed"),
        (["--format", "bmf", "-m", "seconds_totl"], "seconds_total"),
    ],
)
def test_a_wrong_word_is_answered_with_what_is_allowed(export: Any, tmp_path: Path, args: list[str], said: str) -> None:
    done = export(*args)
    assert done.code == 2 and said in done.err and not list(tmp_path.iterdir())


def test_every_format_is_named_in_the_help(export: Any) -> None:
    text = export("--help").out
    assert all(form in text for form in (*bridges.FORMATS, "csv", "parquet"))


def test_points_of_a_run_without_scores_are_its_times() -> None:
    run = canned((Fake("numpyro.nuts", "mcmc", 0.12, 0.002),))
    bare = dataclasses.replace(run, metrics=run.metrics.iloc[:0], curves=run.curves.iloc[:0])
    document = strict(bridges.files(bare, ["bmf"])["bmf.json"])
    assert set(document["s0-exponential/numpyro.nuts (standard)"]) == {"fits-ok", "seconds-total", "seconds-cold"}
