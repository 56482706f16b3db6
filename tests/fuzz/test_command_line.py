"""The command line itself, in this process, with arguments that nobody meant to type."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st

from bench.cli import main, signals
from tests.fuzz.inputs import SELECTORS, WORDS, spliced
from tests.fuzz.properties import assert_sentence, fuzzed

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-cli-"))
PATHS = ["../x", "/etc", "..", "", ".", "a/b", "latest", "x" * 300, "\n", "\0", "~", "\udcff", "r\n", "-x", "/dev/null"]
NAMES = st.sampled_from(PATHS) | WORDS
NUMBERS = st.sampled_from(["0", "-1", "1", "1e9", "nan", "inf", "9" * 50, "x", "", "2.5", "1_0"])


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """In an empty folder, with the signals of the test runner left alone."""
    monkeypatch.chdir(FOLDER)
    monkeypatch.setattr(signals, "install", lambda: None)


def command(*args: str) -> int:
    """Exit code of the command line; what it says of a mistake is a sentence, after click's usage where that errs."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["bench", *args]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    finally:
        sys.argv = before
    said = err.getvalue()
    assert code in {0, 2, 4, 5, 6}, (args, code, said)
    assert "Traceback" not in said
    if code == 2:
        lines = said.strip().splitlines()
        if lines[0].startswith("Usage: "):
            lines = [" ".join(line for line in lines if line.startswith(("Error", "error")))]
        assert len(lines) == 1, said
        assert lines[0].lower().startswith("error: "), said
        if said.startswith("error: "):
            assert_sentence(lines[0])
    assert not os.listdir(FOLDER), "a mistake leaves nothing behind"
    return code


@fuzzed(
    st.fixed_dictionaries(
        {"-s": spliced(SELECTORS), "-b": spliced(SELECTORS)},
        optional={
            "--suite": NAMES, "--budget": NAMES, "--track": NAMES, "--device": NAMES, "--reps": NUMBERS,
            "--rounds": NUMBERS, "--seed": NUMBERS, "--threads": NUMBERS, "--timeout": NUMBERS, "--memory": NUMBERS,
            "--max-disturbance": NUMBERS, "--config": NAMES, "--dtype": NAMES,
        },
    ),
    quick=30,
    slow=120,
)  # fmt: skip
def test_a_dry_run_shows_a_plan_or_refuses(given):
    command("run", "--dry-run", "--json", *(x for pair in given.items() for x in pair))


@fuzzed(
    st.sampled_from(
        ["info", "list", "score", "report", "compare", "export", "query", "plot", "verify", "run --resume"]
    ),
    st.lists(NAMES | spliced(SELECTORS), min_size=1, max_size=2),
    st.sampled_from(
        [(), ("--results", "../none"), ("--results", "/etc"), ("--results", "x" * 300), ("--results", "\0")]
    ),
    quick=60,
    slow=200,
)
def test_names_that_are_none_are_refused(verb, names, more):
    names = [name for name in names if not (verb == "verify" and set(name) & set("*?["))]
    verbs = verb.split()
    if verbs == ["verify"]:
        names = ["-s", "nosuch", *names]
    code = command(*verbs, *names, *more)
    assert code != 0 or verb in {"info", "list", "query"}


@fuzzed(st.sampled_from(PATHS), quick=16, slow=16)
def test_a_run_name_never_leads_out_of_the_results(name):
    assert command("run", "-s", "nosuch", "--name", name) == 2
    assert command("run", "-s", "s0-uniform", "-b", "numpy.gd", "--name", name, "--results", "none") == 2


@pytest.fixture(scope="module", autouse=True)
def tidy():
    import shutil

    yield
    shutil.rmtree(FOLDER, ignore_errors=True)
