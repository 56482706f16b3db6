"""Runs side by side: nothing of different machines, data or runs is mixed, and what differs is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from bench.analysis.combined import Source, combine, cpu_words
from bench.analysis.contender import MANY
from bench.analysis.sections import report, sections
from bench.analysis.tables import RunTables
from bench.cli import app
from bench.cli.report import combined_name
from bench.errors import UsageError
from bench.present import markdown
from bench.present.html import report as html
from bench.present.provenance import context, environment, warnings
from bench.present.reproduce import reproduce
from bench.stats.ratios import Timed, ratios
from bench.store.folder import RunFolder
from bench.store.manifest import CellEntry, Host
from bench.words.sentence import plain
from tests.comparison.history.stored import store
from tests.comparison.runs import ENTRY, Cell, with_facts
from tests.comparison.runs import run as stored_run
from tests.present.conftest import Fake

NUTS = Fake("numpyro.nuts", "mcmc", 0.12, 0.002, seed=2)
OTHER = Fake("pyro.nuts", "mcmc", 9.5, 0.0025, seed=3)
HOST = {"cpu": "A CPU", "cores": 2, "logical_cpus": 2, "memory_bytes": 8 << 30, "system": "Linux 6", "python": "3.11.9"}


def changed(tables: RunTables, *, columns: dict[str, Any] | None = None, **run: Any) -> RunTables:
    """The run with other facts in its manifest and other columns in its fits."""
    facts = {"host": HOST, "seed": 0, **run}
    fits = tables.fits.assign(scenario_digest="s1", **(columns or {}))
    return dataclasses.replace(with_facts(tables, **facts), fits=fits)


def both(a: RunTables, b: RunTables) -> RunTables:
    return combine([Source("before", a, "../before/"), Source("after", b, "../after/")])


@pytest.fixture(scope="module")
def base(make: Callable[..., RunTables]) -> RunTables:
    return changed(make((NUTS, OTHER)))


def test_rows_of_one_machine_say_their_run_and_are_never_pooled(base: RunTables):
    (section,) = sections(both(base, base))
    assert sorted(r.label for r in section.rows) == [
        "numpyro.nuts @after", "numpyro.nuts @before", "pyro.nuts @after", "pyro.nuts @before",
    ]  # fmt: skip
    assert {r.reps for r in section.rows} == {15}


def test_rounds_are_paired_within_a_run_and_not_between(base: RunTables):
    slower = dataclasses.replace(base, fits=base.fits.assign(seconds_total=1.05 * base.fits["seconds_total"]))
    (section,) = sections(both(base, slower))
    leader = section.answer(MANY).leader
    run = {row.label: row.run for row in section.rows}
    for label, ratio in section.answer(MANY).ratios.items():
        assert ratio.paired == (run[label] == run[leader])
    assert any(not r.paired for r in section.answer(MANY).ratios.values())


def test_the_unpaired_ratio_is_welchs():
    rng = np.random.default_rng(5)
    a, b = np.exp(rng.normal(0, 0.1, 5)), np.exp(rng.normal(0.3, 0.3, 4))
    here, there = Timed(dict(enumerate(a)), "here"), Timed(dict(enumerate(b)), "there")
    found = ratios(here, {"b": there, "c": Timed(dict(enumerate(a[::-1])), "here")})
    interval = stats.ttest_ind(np.log(b), np.log(a), equal_var=False).confidence_interval(1 - 0.05 / 2)
    assert (found["b"].low, found["b"].high) == pytest.approx((np.exp(interval.low), np.exp(interval.high)), rel=1e-9)
    assert not found["b"].paired and found["b"].rounds == 4
    assert found["c"].paired


def test_the_sentence_says_that_runs_are_not_paired(make: Callable[..., RunTables]):
    alone = [changed(make((fake,))) for fake in (NUTS, OTHER)]
    (section,) = sections(both(*alone))
    assert section.verdict.state == "clear" and section.answer(MANY).leader == "numpyro.nuts @before"
    assert "in different runs: their rounds are not paired" in plain(section.verdict.how_sure)


def test_machines_have_sections_of_their_own_and_no_ratio_between(base: RunTables):
    elsewhere = changed(base, host={**HOST, "cpu": "B CPU", "cores": 64, "logical_cpus": 64, "gpu": "A GPU"})
    made = both(base, elsewhere)
    found = sections(made)
    assert [s.title for s in found] == [
        "s0-exponential on A CPU, 2 CPUs", "s0-exponential on B CPU, 64 CPUs, A GPU",
    ]  # fmt: skip
    for section in found:
        assert {r.run for r in section.rows} in ({"before"}, {"after"})
        assert all(ratio.paired for ratio in section.answer(MANY).ratios.values())
        assert sorted(r.label for r in section.rows) == ["numpyro.nuts", "pyro.nuts"]
    assert any(w.startswith("Machines differ: A CPU, 2 CPUs (before)") for w in warnings(made))


def test_unlike_machines_of_the_same_words_are_told_apart(base: RunTables):
    more = changed(base, host={**HOST, "memory_bytes": 32 << 30})
    titles = [s.title for s in sections(both(base, more))]
    assert titles == [
        "s0-exponential on A CPU, 2 CPUs, of before", "s0-exponential on A CPU, 2 CPUs, of after",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "columns", [{"scenario_digest": "s2"}, {"data_digest": "other"}], ids=["scenario digest", "data digest"]
)
def test_a_scenario_that_has_changed_is_not_compared(base: RunTables, columns: dict[str, Any]):
    first = dataclasses.replace(base, fits=base.fits.assign(data_digest="d"))
    made = both(first, dataclasses.replace(first, fits=first.fits.assign(**columns)))
    assert [s.title for s in sections(made)] == ["s0-exponential as in before", "s0-exponential as in after"]
    assert any("s0-exponential is another problem in before than in after" in w for w in warnings(made))


def test_other_seeds_draw_other_data_of_the_same_scenario_and_are_compared(base: RunTables):
    first = dataclasses.replace(base, fits=base.fits.assign(data_digest="d"))
    other = changed(first, seed=1)
    other = dataclasses.replace(
        other, fits=other.fits.assign(data_seed=other.fits["data_seed"] + 1000, data_digest="e")
    )
    made = both(first, other)
    assert len(sections(made)) == 1
    assert any(w.startswith("Seed") and "0 (before), 1 (after)" in w for w in warnings(made))


def test_what_differs_is_said_at_the_top_and_only_that(base: RunTables):
    other = changed(base, versions={"python": "3.11.9", "numpy": "2.5.0"}, commit="fedcba9", dirty=True)
    told = "\n".join(warnings(both(base, other)))
    assert "Commit differs: 0123abc (before), fedcba9 (after)." in told
    assert "Versions differ: numpy 2.4.0 (before), 2.5.0 (after)." in told
    assert "uncommitted changes in after" in told
    same = "\n".join(warnings(both(base, base)))
    assert "differ" not in same and "2 runs side by side: before, after" in same


def test_environment_has_what_is_common_once(base: RunTables):
    facts = dict(environment(both(base, changed(base, commit="fedcba9"))))
    assert facts["commit (before)"] == "0123abc" and facts["commit (after)"] == "fedcba9"
    assert facts["host.cpu"] == "A CPU" and "host.cpu (before)" not in facts
    assert "2 runs" in context(both(base, base))


def test_a_loaded_run_is_named_and_spoils_only_its_own_machine(base: RunTables, make: Callable[..., RunTables]):
    loaded = changed(make((NUTS, OTHER), load=3.1), host={**HOST, "cpu": "B CPU"})
    found = sections(both(base, loaded))
    assert [s.verdict.state for s in found] == ["clear", "not trusted"]
    assert plain(found[1].verdict.sentence).endswith("in after.")


def test_every_format_renders_and_the_log_is_where_it_lies(base: RunTables, make: Callable[..., RunTables]):
    broken = changed(make((Fake("torch.sgd", "point", status="failed", reason="NaN"),)))
    broken = dataclasses.replace(broken, fits=broken.fits.assign(log_tail="Traceback"))
    made = both(base, broken)
    cell = broken.fits["cell"].iloc[0]
    for text in (markdown.render(report(made)), html.render(report(made))):
        assert "side by side: before, after" in text and "torch.sgd @after" in text
    row = next(r for s in sections(made) for r in s.rows if r.state == "failed")
    assert row.log == (f"../after/fits/{cell}-0/log.txt", "Traceback")


def test_each_row_is_reproduced_with_the_seed_of_its_own_run(base: RunTables):
    entry = CellEntry(**{**ENTRY, "id": base.fits["cell"].iloc[0]})
    runs = [changed(base, seed=seed) for seed in (3, 4)]
    for tables in runs:
        tables.run.cells = [entry]
    made = both(*runs)
    mine = [r for s in sections(made) for r in s.rows if r.cell.endswith(entry.id)]
    assert sorted(reproduce(r, made.run).partition("--seed ")[2].split()[0] for r in mine) == ["3", "4"]


def test_names_that_are_there_twice_are_refused(base: RunTables):
    with pytest.raises(ValueError, match="twice"):
        combine([Source("a", base), Source("a", base)])


def test_a_run_without_metrics_or_curves_combines(base: RunTables):
    bare = dataclasses.replace(base, metrics=base.metrics.iloc[:0], curves=base.curves.iloc[:0])
    assert len(sections(both(bare, base))[0].rows) == 4
    assert len(sections(both(bare, bare))[0].rows) == 4


def test_the_verb_writes_a_folder_of_both_names_and_refuses_what_cannot_be(tmp_path: Path):
    for seed, name in enumerate(("one", "two")):
        store(stored_run(Cell(), seed=seed, name=name, rounds=3), tmp_path)
    (tmp_path / "two" / "curves.parquet").write_bytes(b"damaged")

    def call(*args: str) -> str:
        done = CliRunner().invoke(app, ["report", *args, "--results", str(tmp_path)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    call("one", "two")
    assert {f.name for f in (tmp_path / "one+two").iterdir()} == {"report.html", "report.md"}
    assert "torch.adam @two" in (tmp_path / "one+two" / "report.md").read_text()
    assert not (tmp_path / "one" / "report.md").exists()
    call("one", "--to", str(tmp_path / "to" / "there"))
    assert (tmp_path / "to" / "there" / "report.md").is_file() and not (tmp_path / "one" / "report.md").exists()
    for args, words in ((["one", "tow"], "did you mean two"), (["one", str(tmp_path / "one")], "named twice")):
        with pytest.raises(UsageError, match=words):
            call(*args)


def test_a_name_of_many_runs_fits_into_a_folders():
    folders = [RunFolder(Path(f"/r/{letter * 60}")) for letter in "abc"]
    assert combined_name(folders[:1]) == "a" * 60
    assert combined_name(folders) == f"{'a' * 60}+2-more"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Host(), ""),
        (Host(logical_cpus=2), "2 CPUs"),
        (Host(logical_cpus=2, usable_cpus=2), "2 CPUs"),
        (Host(logical_cpus=2, usable_cpus=1), "1 of 2 CPUs"),
    ],
)
def test_a_run_that_was_let_use_fewer_cpus_says_so(host, words):
    assert cpu_words(host) == words
