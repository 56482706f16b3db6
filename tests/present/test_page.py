"""What the page says, without a browser: the first screen of every state, whole tables, honest blanks, bounded size."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from bench.analysis.contender import MANY
from bench.analysis.sections import Report, Section, report, sections
from bench.analysis.tables import RunTables
from bench.present.columns import page_columns
from bench.present.html import fits, results
from bench.present.html import report as html
from bench.present.html.fairness import settings, terms, work
from bench.present.html.flags import GATES, NOTES, STATES, WARNINGS, flags
from bench.present.html.uncompared import summary, uncompared
from bench.present.matrix import overall, view
from bench.words.sentence import plain
from tests.comparison.runs import with_facts
from tests.present.conftest import FAKES, Fake, without_figures
from tests.present.states import SCENARIOS, many, several
from tests.present.states import STATES as RUNS

GOLDEN = Path(__file__).parent / "golden"


@functools.cache
def shown(state: str) -> Report:
    """The report of a state, or of several scenarios; nothing changes it."""
    return report(several() if state == "several" else RUNS[state]())


@functools.cache
def page(state: str) -> str:
    """Its page, without figures."""
    with without_figures():
        return html.render(shown(state))


def words(page: str) -> str:
    """The words of some HTML, a line per block."""
    text = re.sub(r"<(style|script|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    text = re.sub(r"</?(p|li|h\d|tr|ul|table|section|div|caption)\b[^>]*>", "\n", text)
    text = re.sub(r"</t[hd]>", " | ", re.sub(r"<small>", " / ", text))
    lines = (" ".join(unescape(re.sub(r"<[^>]+>", "", line)).split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line.strip("| ")) + "\n"


def first_screen(page: str) -> str:
    """From the context line to the end of the decision matrix."""
    return words(page[page.index("<header>") : page.index('<section class="scenario"')])


@pytest.mark.parametrize("state", RUNS)
def test_first_screen_of_every_state(state: str):
    """Golden words; where they changed on purpose, delete the file and run again."""
    assert shown(state).sections[0].verdict.state == state
    said, file = first_screen(page(state)), GOLDEN / f"first-screen-{state.replace(' ', '-')}.txt"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
        pytest.fail(f"{file.name} was missing and has been written: look at it")
    assert said == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("state", ["equivalent", "no difference shown"])
def test_of_identical_twins_none_is_to_be_chosen(state: str):
    said = first_screen(page(state))
    assert "choose" not in said.lower() and ("equally fast" in said or "no difference shown between" in said.lower())
    assert "pyro.svi[guide=normal]" in said and "crashed: signal 11" in said and "compared: blackjax.nuts" in said


def test_same_bytes_in_another_process_with_other_hashes():
    program = (
        "import hashlib; from tests.present.states import STATES; from bench.present.html import report as html\n"
        "from bench.analysis.sections import report\n"
        "print(hashlib.sha256(html.render(report(STATES['clear']())).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.strip() == hashlib.sha256(html.render(shown("clear")).encode()).hexdigest()


def made(tables: RunTables) -> tuple[list[Section], results.Results]:
    whole = report(tables)
    return list(whole.sections), results.results(whole)


def test_every_blank_cell_says_why():
    table = results.results(shown("several"))
    blanks = [cell for entry in table.entries for cell in entry.cells if cell.text in ("–", "n/a")]
    assert blanks
    for cell in blanks:
        assert cell.small or 1 <= cell.note <= len(table.reasons)
    used = {cell.note for entry in table.entries for cell in entry.cells} - {0}
    assert used == set(range(1, len(table.reasons) + 1)), "no reason that nothing refers to"


def test_bars_grow_with_their_values_from_the_least_to_the_most():
    table = results.results(shown("several"))
    for i, column in enumerate(table.columns):
        pairs = sorted((e.cells[i].value, e.cells[i].bar) for e in table.entries if e.cells[i].value)
        if column.bar:
            bars = [bar for _, bar in pairs]
            assert bars == sorted(bars) and bars[0] == 4 and bars[-1] == 100
        else:
            assert not any(bar for _, bar in pairs)


def test_facts_are_what_a_loop_over_the_rows_gives():
    whole = shown("several")
    tables = whole.tables
    found = {
        row.cell: {
            column.key: number
            for column in page_columns(whole.sections)
            if (number := column.cell(row, section).value) is not None
        }
        for section, row in whole.rows
    }
    for cell, mine in list(tables.metrics.groupby("cell"))[:12]:
        r_hat = mine[mine["metric"] == "r_hat"]["value"]
        assert found[cell].get("r_hat", -math.inf) == (r_hat.max() if len(r_hat) else -math.inf)
        ess = mine[mine["metric"] == "ess_bulk"]
        if len(ess):
            least = min(group["value"].mean() for _, group in ess.groupby("part"))
            assert found[cell]["ess_bulk"] == pytest.approx(least, rel=1e-12)
    fits_ = tables.fits[(tables.fits["status"] == "ok") & tables.fits["cold"].astype(bool)]
    for cell, mine in fits_.groupby("cell"):
        assert found[cell]["seconds_import_cold"] == mine["seconds_import"].median()


def test_flags_number_what_they_count():
    found = shown("several").sections
    matrix = flags(found)
    counted = Counter(number for _, cells in matrix.rows for mine in cells for number in mine)
    assert counted == {number: count for number, _, count in matrix.key}
    key = {text for _, text, _ in matrix.key}
    assert {"timed out", "failed", STATES["off target"]} & key
    rows = dict(matrix.rows)
    assert "numpyro.nuts" not in rows and all(rows["stan.nuts"])
    texts = [*GATES.values(), *WARNINGS.values(), *NOTES.values(), *STATES.values()]
    assert len(set(texts)) == len(texts)


def test_every_gate_has_a_flag(make: Callable[..., RunTables]):
    bad = (
        Fake("a.x", "mcmc", 1.0, 0.002, r_hat=1.2),
        Fake("b.x", "mcmc", 1.0, 0.002, ess=50.0),
        Fake("c.x", "mcmc", 1.0, 0.002, divergences=3.0),
        Fake("e.x", "mcmc", 1.0, 0.002, gates={"e_bfmi": 0.1}),
        Fake("f.x", "mcmc", 1.0, 0.002, gates={"stuck_parameters": 1.0}),
        Fake("g.x", "vi", 1.0, 0.002, gates={"k_hat": 0.9}),
        Fake("h.x", "vi", 1.0, 0.002, gates={"log_ratios_lost": 4.0}),
        Fake("i.x", "mcmc", 1.0, 0.002, z_bias=8.0),
        Fake("j.x", "point", 1.0, 0.4, gates={"optimum_distance_sd": 0.5}),
        Fake("k.x", "mcmc", 1.0, 0.002, divergences=0.5),
        Fake("l.x", "mcmc", 1.0, 0.002, gates={"treedepth_hits": 2.0}),
    )
    found = flags(sections(make(bad)))
    matrix = dict(found.rows)
    key = {number: text for number, text, _ in found.key}
    for fake, text in zip(bad, [*GATES.values(), *WARNINGS.values()], strict=True):
        assert text in {key[number] for mine in matrix[fake.backend] for number in mine}, fake.backend


def test_what_could_not_be_compared_and_what_could_make_the_whole():
    found = shown("several").sections
    apart = uncompared(found)
    ranked, cells = map(int, re.findall(r"\d+", summary(found)))
    assert sum(entry.cells for entry in apart) + ranked == cells == 9 * len(SCENARIOS)
    assert any("timed out" in e.reason and "stan.nuts on 3 scenarios" in e.names for e in apart)


def test_fits_tell_how_they_are_made_again_and_what_their_gates_found():
    commands = re.findall(r'<pre class="command">(python -m bench run -s .*?)</pre>', page("several"))
    assert len(commands) == 9 * len(SCENARIOS)
    wanted = "-s s4-linear -b torch.adam[objective=map] --budget standard --track matched --device cpu --dtype float64 "
    assert sum(wanted in unescape(command).replace("'", "") for command in commands) == 1
    tables = shown("several").tables
    table = results.results(shown("several"))
    detail = {
        d.entry.name: d for d in fits.details(tables.run, table.entries, full=99, brief=99)
    }["s4-linear/numpyro.nuts"]  # fmt: skip
    assert (
        detail.sentence.startswith("Met target: largest error b² 0.00") and "15 of 15 reps finished" in detail.sentence
    )
    assert all(gate.holds for gate in detail.gates) and {"R-hat, largest", "k-hat"} - {
        g.name for g in detail.gates
    } == {"k-hat"}
    assert detail.reps and len(detail.reps.rows) == 15 and detail.reps.rows[0][2] == "cold"
    wrong = {d.entry.row.label: d for d in fits.details(tables.run, table.entries, full=99, brief=99)}
    assert not all(gate.holds for gate in wrong["pyro.svi[guide=normal]"].gates)


def test_parameters_show_reference_and_truth_from_what_was_scored(make: Callable[..., RunTables]):
    tables = make((Fake("a.nuts", "mcmc", 1.0, 0.002), Fake("b.nuts", "mcmc", 2.0, 0.002)))
    cell = tables.fits["cell"].iloc[0]
    key = tables.metrics[tables.metrics["cell"] == cell].iloc[0]
    # The reference is N(1, 0.2²), the truth 0.7; the fit says mean 1.1, sd 0.1.
    said = {"mean": 1.1, "sd": 0.1, "mean_error_sd": 0.5, "sd_ratio_log": math.log(0.5), "recovery_error": 0.4}
    added = [dict(key) | {"rep": 0, "metric": m, "part": "sigma", "value": v} for m, v in said.items()]
    more = dataclasses.replace(tables, metrics=pd.concat([tables.metrics, pd.DataFrame(added)], ignore_index=True))
    _, table = made(more)
    parameters = fits.details(more.run, table.entries, full=9, brief=9)[0].parameters
    assert parameters is not None
    row = dict(zip(parameters.heads, parameters.rows[0], strict=True))
    assert row["estimate in rep 0"] == "1.10 ± 0.10" and row["reference in rep 0"] == "1.00 ± 0.20"
    assert row["truth in rep 0"] == "0.700" and row["sd ratio"] == "0.50" and row["mean off, reference sd"] == "0.50"


def test_terms_of_each_backend_hold_its_settings_and_its_work(make: Callable[..., RunTables]):
    tables = make((Fake("a.nuts", "mcmc", 1.0, 0.002, {"target_accept": 0.9, "draws": 700}), *FAKES[:1]))
    known = {
        "a.nuts": {
            "options": {"target_accept": 0.8, "dense": False},
            "defaults": {"dense": True},
            "settings": "Inits zero.",
        }
    }
    run = with_facts(tables, backends=known).run
    found = sections(tables)
    row = next(r for r in found[0].rows if r.kind == "mcmc")
    assert settings(row, run) == "target_accept=0.9, dense=false · Inits zero."
    assert work(row, run) == "4 chains × (1,000 warmup + 700 draws)"
    mine = terms(report(dataclasses.replace(tables, run=run)))
    assert [t.backend for t in mine] == [r.label for r in found[0].rows]


def test_a_large_table_keeps_its_best_rows_and_the_rest_as_data(undrawn: None):
    whole = report(many())
    found, table, page = whole.sections, results.results(whole), html.render(whole)
    assert len(table.entries) == 520 and page.count('<tr class="state-') == results.PAGE
    rest = json.loads(re.search(r'id="rest">(.*?)</script>', page).group(1))
    assert len(rest["backend"]) == 320 and {len(column["text"]) for column in rest["cells"].values()} == {320}
    shown = re.findall(r'<tr class="state-([\w-]+)"', page)
    assert shown == sorted(shown, key=lambda state: state != "met"), "those that met the target first"
    assert "the 200 best of 520" in page and len(page.encode()) < 5 * 2**20
    matrix = view(found, MANY)
    assert matrix.columns == ["f0", "f1", "f2", "f3"] and "20 backends by framework" in matrix.note
    assert "fits stand here without their tables" in page


def test_a_page_that_grows_too_large_drops_detail_and_says_so(undrawn: None, monkeypatch: pytest.MonkeyPatch):
    whole = page("several")
    monkeypatch.setattr(html, "LEVELS", (html.LEVELS[0], html.Thinned(5, 20, True), html.Thinned(0, 3, False)))
    monkeypatch.setattr(html, "MOST_BYTES", len(whole.encode()) - 1)
    thinner = html.render(shown("several"))
    assert len(thinner) < len(whole) and "15 fits stand here without their tables and 7 have no section" in thinner
    assert thinner.count('<tr class="state-') == 27, "no row of the table is lost"


def test_the_whole_run_has_no_score_but_a_safest_choice(make: Callable[..., RunTables]):
    said = plain(overall(shown("several").sections))
    assert said.startswith(
        "For one fit and for each further fit: numpyro.nuts is in the best group in 3 of 3 scenarios and met the "
        "target in 3 of 3. "
    )
    assert said.endswith("Safest choice: numpyro.nuts met the target on all 3 and led each.")
    assert overall(shown("clear").sections) == (), "one scenario has no summary"
    pair = (Fake("a.nuts", "mcmc", 0.05, 0.002, compile=4.4), Fake("b.nuts", "mcmc", 1.0, 0.002, seed=1))
    split = plain(overall(sections(make(pair, scenarios=("s", "t")))))
    assert split.startswith("For one fit: b.nuts is in the best group in 2 of 2 ")
    assert " For each further fit: a.nuts is in the best group in 2 of 2 " in split
    none = make((Fake("a.nuts", "mcmc", 1.0, 0.05), Fake("b.nuts", "mcmc", 1.0, 0.06)), scenarios=("s", "t"))
    assert overall(sections(none)) == ()
    first, last = sections(make(pair, scenarios=("s", "t")))
    unjudged = {question: dataclasses.replace(last.answer(question), leader="") for question in last.verdict.answers}
    some = plain(
        overall([first, dataclasses.replace(last, verdict=dataclasses.replace(last.verdict, answers=unjudged))])
    )
    assert "met the target in 2 of 2. The safest choice can be named when all 2 scenarios have a verdict." in some
