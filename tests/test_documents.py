"""README and docs: their links lead somewhere, their commands are commands, and the README is short."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest

from bench.catalog.places import backend_files, scenario_files, suite_files
from bench.cli import VERBS, Verbs
from bench.cli.beginning import CONTENDER
from bench.pytest_plugin import OPTIONS
from bench.selection import expand, parse
from tests import in_process
from tests.conftest import ROOT
from tests.measure.inprocess import InProcess

PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
LACKS = {"MissingParameter", "BadOptionUsage"}
"""What the command line says where an argument, or an option's value, is left out."""
OF_OTHERS = {"--help", "--version", "--install-completion", "--benchmark-json", "--strip-components", "--fits"}
"""Options of every verb, of `bench` itself, and of other programs: pytest-benchmark, tar, a study."""
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


def mentioned() -> Iterator[tuple[str, str]]:
    """Commands in sentences and in the workflow to copy, and the examples of every verb's help: where, and each."""
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        text = page.read_text()
        inside = re.findall(r"`(bench [a-z]+(?: [^`]+)?)`", " ".join(text.split()))
        yield from ((page.name, line) for line in [*inside, *re.findall(r"run: (bench [a-z].*)", text)])
    for verb in VERBS:
        text = Verbs(name="bench").get_command(None, verb).help
        yield from ((f"help of {verb}", line) for line in re.findall(r"^ +(bench [a-z].*)$", text, re.MULTILINE))


def test_every_verb_and_option_that_is_mentioned_is_one():
    """In the middle of a sentence a command may lack what it needs."""
    wrong, seen, verbs = [], list(mentioned()), Verbs(name="bench")
    for where, line in seen:
        _, verb, *words = shlex.split(re.split(r"\s{2,}|\s>\s", line)[0])
        try:
            verbs.get_command(None, verb).make_context(verb, words)
        except Exception as error:  # noqa: BLE001 -- of another class in each version of typer
            if type(error).__name__ not in LACKS:
                wrong.append(f"{where}: {line}: {error}")
    assert not wrong
    assert len(seen) > 150


def test_every_option_that_is_mentioned_is_one_of_some_verb_or_of_pytest():
    verbs = [Verbs(name="bench").get_command(None, verb) for verb in VERBS]
    known = {option for verb in verbs for one in verb.params for option in (*one.opts, *one.secondary_opts)}
    known |= {f"--bench-{name}" for name, _ in OPTIONS} | OF_OTHERS
    named = set[str]()
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        for code in re.findall(r"`([^`]+)`", " ".join(page.read_text().split())):
            named.update(re.findall(r"(?<![\w-])--[a-z][a-z-]+", code))
    assert len(named) > 30 and named <= known


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
