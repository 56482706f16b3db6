"""README and docs: their links lead somewhere, their commands are commands, and the README is short."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest

from bench.catalog.places import backend_files, scenario_files, suite_files
from bench.cli import VERBS, Verbs
from bench.cli.beginning import CONTENDER
from bench.selection import expand, parse
from tests import in_process
from tests.conftest import ROOT
from tests.measure.inprocess import InProcess

PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
ONES_OWN = {"mine", "mine_base", "mymodel", "sensor", "clinic", "pressure"}
"""What the pages call the reader's own."""


def commands(page: Path) -> list[str]:
    """Lines of code that begin with `bench VERB`, without comments."""
    lines = re.findall(r"^(?:    )?(bench (?!VERB)[a-z].*)$", page.read_text().replace("\\\n", " "), re.MULTILINE)
    return [re.split(r"\s{2,}#|\s+#\s|\s>\s|\s&&\s", line)[0].strip() for line in lines]


CASES = [(page.name, line) for page in PAGES for line in dict.fromkeys(commands(page))]


def test_the_readme_fits_two_screens_and_names_every_suite():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    assert all(f"`{name}`" in text for name in suite_files())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_there_are_commands_of_nearly_every_verb():
    assert len(CASES) > 30
    assert set(VERBS) - {line.split()[1] for _, line in CASES} <= {"gate"}


@pytest.mark.parametrize(("page", "line"), CASES)
def test_a_command_has_options_and_names_that_there_are(page: str, line: str, tmp_path: Path):
    _, verb, *words = shlex.split(line)
    context = Verbs(name="bench").get_command(None, verb).make_context(verb, words)
    for option, known in (("scenario", scenario_files()), ("backend", backend_files())):
        value = context.params.get(option) or []
        for text in [value] if isinstance(value, str) else value:
            selector = parse(text)
            if verb != "new" and not selector.is_path and selector.name.partition(".")[0] not in ONES_OWN:
                assert expand(selector, known, option), text
    if verb == "run" and not any(own in line for own in ONES_OWN) and "--resume" not in words and "-c" not in words:
        planned = in_process.run(verb, *words, *(["--dry-run"] if "--dry-run" not in words else []), cwd=tmp_path)
        assert planned.code == 0, planned.err


def test_the_contender_of_the_page_is_the_one_that_is_written():
    text = CONTENDER.replace("NAME[", "mine.least_squares[")
    assert f"```python\n{text}```" in (ROOT / "docs" / "backends.md").read_text()
    code = [line for line in text.splitlines() if line.strip()]
    assert len(code) <= 25


NOT_HERE = {"ab", "calibrate", "doctor", "gate", "install", "verify"}
"""Verbs of minutes, or that need a network, a framework or files of pytest; all others of the README are run."""
SMALL = ["-b", "exact.posterior", "-b", "numpy.gd[steps=100]"]


@pytest.mark.slow
def test_the_commands_of_the_readme_do_what_they_say_one_after_the_other(tmp_path: Path):
    """As they are written, but for contenders and rounds: two that take milliseconds, in this process, once each."""
    here, done = tmp_path, []
    for line in commands(ROOT / "README.md"):
        _, verb, *words = shlex.split(line)
        if verb in NOT_HERE:
            continue
        if verb == "run" and "--dry-run" not in words:
            budget = {"-b", "--rounds", "--reps"}
            words = [word for before, word in pairwise(["", *words]) if not {before, word} & budget] + SMALL
            words += ["--rounds", "1", "--reps", "1"]
        with mock.patch("bench.measure.local.Local", InProcess):
            ended = in_process.run(verb, *words, cwd=here)
        too_few = {"compare": 6, "history": 4}.get(verb, 0)  # of one round nothing can be said
        assert ended.code in {0, too_few}, f"{line}: {ended.out}{ended.err}"
        here = here / words[0] if verb == "init" else here
        done.append(verb)
    assert {"list", "info", "init", "new", "check", "run", "plot", "query", "compare", "history"} <= {*done}
