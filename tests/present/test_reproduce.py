"""The command of a row plans that row again."""

from __future__ import annotations

import json
import shlex
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from bench.analysis.sections import Row, Section, sections
from bench.analysis.tables import RunTables
from bench.catalog import toml
from bench.cli import app
from bench.present.reproduce import remedy, reproduce, selector
from bench.selection import parse
from bench.store.manifest import run_of
from tests.comparison.runs import ENTRY, with_facts
from tests.present.states import STATES


def planned(command: list[str]) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*command, "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    return cast(dict[str, Any], json.loads(done.stdout))


SELECTIONS = [
    ["-s", "s0-uniform", "-b", "numpyro.nuts", "--budget", "standard", "--seed", "7"],
    ["-s", "correlated-rho95[n_obs=[100,1000]]", "-b", "torch.adam[lr=0.05,steps=50]", "--reps", "2", "--rounds", "4"],
    ["-s", "correlated-rho95[weights=[[1.5,-2e-5]]]", "-b", "pyro.svi[guide=[manual,normal]]", "--threads", "1"],
    ["-s", "s0-uniform[priors.sigma={uniform=[0,5]}]", "-b", "*.nuts", "--track", "defaults", "--device", "cuda"],
    ["-s", "s0-uniform", "-b", "torch.adam", "--dtype", "float32", "--timeout", "9.5", "--memory", "4G"],
]  # fmt: skip


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_command_of_every_row_plans_that_cell_and_nothing_else(selection: list[str]):
    made = planned(["run", *selection])
    limits = {"timeout": 9.5, "memory": "4G"} if "--timeout" in selection else {}
    run = run_of({"seed": made["seed"], "cells": made["cells"], "options": limits})
    assert made["cells"]
    for cell in made["cells"]:
        row = cast(Row, SimpleNamespace(cell=cell["id"], label="", tables=None))
        words = shlex.split(reproduce(row, run))
        assert words[:4] == ["python", "-m", "bench", "run"]
        again = planned(words[3:])
        assert [(c["id"], c["reps"], c["rounds"]) for c in again["cells"]] == [
            (cell["id"], cell["reps"], cell["rounds"])
        ]
        assert again["seed"] == made["seed"]
        for name, value in limits.items():
            assert words[words.index(f"--{name}") + 1] == str(value)


@pytest.mark.parametrize(
    "value",
    [1, 0.1, 1e-5, True, "word", "two words", 'quote " and \\', "true", "", "é\u2028", [1, [2, 3]], ["a", "b c"],
     {"normal": [0, 10]}, {"odd key": "x"}],
)  # fmt: skip
def test_what_stands_in_brackets_reads_back_as_it_was(value: Any):
    text = selector("name", {"k": value})
    if isinstance(value, str) and ('"' in value or not value):
        inner = text.removeprefix("name[k=").removesuffix("]")
        assert toml.parse(f"k = {inner}", "k") == {"k": value}
        return
    read = parse(text).values["k"]
    assert read == ([value] if isinstance(value, list) else value)


def test_tables_without_a_manifest_give_what_they_know(standard: RunTables):
    row = next(r for r in sections(standard)[0].rows if r.label.startswith("pyro.svi"))
    assert reproduce(row, standard.run) == (
        "python -m bench run -s s0-exponential -b 'pyro.svi[guide=normal]' --budget standard --track matched "
        "--device cpu --dtype float64 --reps 3 --rounds 5"
    )


def test_entries_of_other_cells_do_not_stop_a_report(standard: RunTables):
    row = sections(standard)[0].rows[0]
    for cells in ([ENTRY], []):
        assert "-s s0-exponential -b numpyro.nuts" in reproduce(row, with_facts(standard, cells=cells).run)


@pytest.mark.parametrize(("state", "more"), [("not enough", set()), ("not trusted", {"--max-disturbance"})])
def test_a_missing_verdict_has_a_command_of_enough_rounds_for_those_that_could_be_judged(state: str, more: set[str]):
    tables = STATES[state]()
    words = shlex.split(remedy(sections(tables)[0], tables.run))
    assert {word for word in words if word.startswith("--max")} == more
    assert remedy(sections(tables)[0], replace(tables.run, state="interrupted")) == "", "what is missing comes first"
    cells = planned(words[3:])["cells"]
    assert {cell["backend"] for cell in cells} == {"numpyro.nuts", "pyro.nuts"}
    assert all(cell["rounds"] >= 5 and cell["reps"] * cell["rounds"] >= 5 for cell in cells)
    for state in ("clear", "none"):
        settled = STATES[state]()
        assert remedy(sections(settled)[0], settled.run) == ""


def test_where_none_met_the_target_a_quick_budget_is_to_be_followed_by_a_larger_one():
    tables = STATES["none"]()
    tables.fits["budget"] = "quick"
    words = shlex.split(remedy(sections(tables)[0], tables.run))
    assert words[words.index("--budget") + 1] == "standard" and {"a.nuts", "pyro.svi[guide=normal]"} <= set(words)


def test_cells_that_differ_by_device_are_planned_again_by_their_suite():
    made = planned(["run", "--suite", "gpu", "-s", "correlated-rho95", "-b", "torch.nuts"])
    run = run_of({"seed": 0, "cells": made["cells"], "options": {"suite": "gpu"}})
    rows = [SimpleNamespace(cell=cell["id"], state="met") for cell in made["cells"]]
    verdict = SimpleNamespace(answers={"once": SimpleNamespace(state="not enough")})
    words = shlex.split(remedy(cast(Section, SimpleNamespace(rows=rows, verdict=verdict)), run))
    assert words.count("-b") == 1 and "--device" not in words
    again = planned(words[3:])["cells"]
    assert {cell["device"] for cell in again} == {"cpu", "cuda"}
    assert {(cell["backend"], cell["device"]) for cell in made["cells"]} <= {(c["backend"], c["device"]) for c in again}
