"""Files and arguments of users that cannot be: one message, exit 2, nothing run, nothing lost."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path
from typing import get_args

import pytest

from bench.catalog import backends, places, source, toml
from bench.catalog.backends import backend
from bench.catalog.frameworks import frameworks
from bench.catalog.scenarios import load, scenario
from bench.errors import MESSAGE_LIMIT, UsageError, shown, unknown
from bench.plan import Choice, make
from bench.selection import parse, sweeps
from bench.types import KINDS, Device, DType
from bench.words.clean import clean
from tests import in_process
from tests.conftest import FAKES
from tests.fuzz.properties import assert_sentence

GOOD = """
family = "linear"
n_obs = 20
weights = [1.0, -1.0]
noise = 0.3
[priors]
weights = {normal = [0, 10]}
bias = "flat"
sigma = {exponential = 1}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's own folders for scenarios and backends."""
    for name in ("scenarios", "backends/odd"):
        (tmp_path / "own" / name).mkdir(parents=True)
    (tmp_path / "own" / "backends" / "odd" / "__init__.py").write_text("PACKAGES = ()\n")
    monkeypatch.setenv("BENCH_SCENARIOS", str(tmp_path / "own" / "scenarios"))
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}{os.pathsep}{tmp_path / 'own' / 'backends'}")
    backends.forget()
    yield tmp_path / "own"
    backends.forget()


def refusal(call, *args, **named) -> str:
    with pytest.raises(UsageError) as refused:
        call(*args, **named)
    assert_sentence(str(refused.value))
    return str(refused.value)


SCENARIOS = {
    "not_toml": (b"\x7fELF\0\0", "not a TOML file"),
    "binary": (bytes(range(128, 256)), "not a TOML file"),
    "empty": (b"", "family = ''"),
    "nested": (b"family = " + b"[" * 100_000, "nested more than 20 levels"),
    "dotted": (GOOD.encode() + b"x" + b".x" * 5000 + b" = 1\n", "nested more than 20 levels"),
    "digits": (b"n_obs = " + b"9" * 10_000, "not a TOML file"),
    "hexadecimal": (GOOD.replace("n_obs = 20", f"n_obs = 0x{'f' * 5000}").encode(), "n_obs = (int, too large to show)"),
    "huge": (b"#" * 2**20 + GOOD.encode(), "more than 1048576 bytes"),
    "terabytes": (GOOD.replace("n_obs = 20", "n_obs = 1_000_000_000_000").encode(), "n_obs = 1000000000000"),
    "whole": (GOOD.replace("n_obs = 20", "n_obs = 1e12").encode(), "n_obs = 1000000000000.0"),
    "wide": (GOOD.replace("[1.0, -1.0]", f"[{'1,' * 200_000}]").encode(), "weights = [1"),
    "infinite": (GOOD.replace("noise = 0.3", "noise = 1e300").encode(), "noise = 1e+300"),
    "denormal": (GOOD.replace("noise = 0.3", "noise = 1e-310").encode(), "noise = 1e-310"),
    "key": (b'"a\\nb\\u001b[31m" = 1\n' + GOOD.encode(), r"a b\x1b[31m = 1"),
    "elsewhere": (
        GOOD.encode() + b'[data]\nfile = "../../etc/passwd"\n',
        "in or below the folder of the scenario",
    ),
    "absolute": (GOOD.encode() + b'[data]\nfile = "/etc/passwd"\n', "in or below the folder of the scenario"),
    "code": (b"family = \"__import__('os').system('touch ran')\"", "family = "),
    "module": (b'family = "../../os"', "family = '../../os'"),
    "checks": (b'family = "checks"', "family = 'checks'"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_file_that_cannot_be_is_named_with_what_is_wrong(mine, name):
    content, words = SCENARIOS[name]
    (mine / "scenarios" / f"{name}.toml").write_bytes(content)
    said = refusal(scenario, name)
    assert said.startswith(f"{name}.toml: ")
    assert words in said
    assert "root:" not in said
    assert not Path("ran").exists()


def test_links_folders_and_devices_are_no_scenarios(mine):
    folder = mine / "scenarios"
    (folder / "loop.toml").symlink_to("loop.toml")
    (folder / "gone.toml").symlink_to("nowhere")
    (folder / "device.toml").symlink_to("/dev/zero")
    (folder / "folder.toml").mkdir()
    os.mkfifo(folder / "pipe.toml")
    (folder / "good.toml").write_text(GOOD)
    for name in ("loop", "gone", "device", "pipe"):
        assert f"{name}.toml: not readable: " in refusal(scenario, name)
    assert "folder" not in places.scenario_files()
    assert scenario("good").settings["n_obs"] == 20
    assert scenario("s0-uniform")


def test_a_folder_that_cannot_be_read_is_named(mine, monkeypatch):
    (mine / "circle").symlink_to(mine / "circle")
    for named in (mine / "nowhere", mine / "circle", mine / "backends" / "odd" / "__init__.py"):
        monkeypatch.setenv("BENCH_SCENARIOS", str(named))
        assert f"BENCH_SCENARIOS names {named}" in refusal(places.scenario_files)


def test_a_name_that_is_there_twice_is_refused_rather_than_hidden(mine):
    (mine / "scenarios" / "s0-uniform.toml").write_text(GOOD)
    assert "have the same name; rename one" in refusal(places.scenario_files)
    (mine / "scenarios" / "s0-uniform.toml").unlink()
    (mine / "backends" / "torch").mkdir()
    (mine / "backends" / "torch" / "adam.py").write_text("KIND = 'mcmc'\n")
    assert "have the same name; rename one" in refusal(places.backend_files)


BACKENDS = {
    "syntax": ("KIND = 'mcmc'\ndef (:\n", "invalid syntax"),
    "null": ("KIND = 'mcmc'\n\0", "null bytes"),
    "deep": (f"KIND = 'mcmc'\nx = {'(' * 5000}1{')' * 5000}\n", ""),
    "unknown_kind": ("KIND = 'sampler'\n", "KIND = 'sampler', but it must be one of point, vi, mcmc, exact"),
    "computed_kind": ("KIND = 'mc' + 'mc'.upper()\n", "it must be a literal: this file is read, not run"),
    "annotated": ("KIND: str\n", "KIND has no value"),
    "other": ("KINDNESS = 1\n", None),
    "within": ("def f():\n    KIND = 'mcmc'\n", None),
    "only_of": ("KIND_OF = {}\n", None),
    "families": ("KIND = 'mcmc'\nFAMILIES = ('linear')\n", "FAMILIES = 'linear', but it must be a tuple"),
    "devices": ("KIND = 'mcmc'\nDEVICES = ('tpu',)\n", "DEVICES = ('tpu',)"),
    "defaults": ("KIND = 'mcmc'\nDEFAULTS = [1]\n", "DEFAULTS = [1]"),
    "kind_of": ("KIND = 'mcmc'\nKIND_OF = {'a': 'mcmc'}\n", "KIND_OF = "),
    "no_default": ("KIND = 'mcmc'\nclass Options:\n    lr: float\n", "option lr has no default"),
    "computed": ("KIND = 'mcmc'\nclass Options:\n    lr: float = 1 / open('ran', 'w').close()\n", "must be a literal"),
    "typed": ("KIND = 'mcmc'\nclass Options:\n    lr: dict = {}\n", "option type dict is not int, float"),
    "budget": ("KIND = 'mcmc'\nclass Options:\n    steps: int = 1\n", "option steps is the budget's"),
}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_file_that_cannot_be_is_named_and_not_run(mine, name):
    source, words = BACKENDS[name]
    file = mine / "backends" / "odd" / f"{name}.py"
    file.write_text(source)
    said = refusal(backend, f"odd.{name}")
    assert str(file) in said
    assert (words if words is not None else 'KIND = "…"') in said
    assert not Path("ran").exists()
    assert backend("fake.exact").kind == "mcmc"


def test_a_backend_that_is_no_file_is_named(mine):
    folder = mine / "backends" / "odd"
    (folder / "loop.py").symlink_to("loop.py")
    (folder / "latin.py").write_bytes(b"KIND = 'mcmc'  # \xe9\n")
    assert "not a readable backend" in refusal(backend, "odd.loop")
    assert "not a readable backend" in refusal(backend, "odd.latin")
    assert "unknown backend '../odd.x'" in refusal(backend, "../odd.x")
    (folder / "__init__.py").write_text("PACKAGES = 3\n")
    (folder / "fine.py").write_text("KIND = 'mcmc'\n")
    backends.forget()
    assert "__init__.py: not a readable backend: PACKAGES = 3" in backend("odd.fine").home.unavailable
    assert not frameworks()["fake"].unavailable  # nobody else is the worse for it


@pytest.mark.parametrize("words", ["check", "publish latest --to", "install --remove", "new scenario", "info"])
def test_a_name_longer_than_any_file_may_have_is_refused(bench, words):
    done = bench(*words.split(), "9" * 300)
    assert done.code == 2 and done.err.startswith(("error: ", "Usage: ")) and "Traceback" not in done.err


@pytest.mark.parametrize(
    "words", ["init file", "new backend mine.z --out file", "reference s0-uniform --out file/x.npz"]
)
def test_a_file_where_a_folder_must_be_is_named_before_anything_is_made(tmp_path, words):
    (tmp_path / "file").write_text("precious")
    done = in_process.run(*words.split(), cwd=tmp_path)
    assert done.code == 2 and done.err.startswith("error: ") and "file" in done.err and "Traceback" not in done.err
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("file", "precious")]


def test_a_key_of_thousands_of_parts_is_refused_before_it_is_parsed():
    with pytest.raises(UsageError, match="nested more than"):
        toml.parse("a." * 20_000 + "a = 1", "long.toml")  # half a minute in the parser


def test_lists_show_what_is_broken_beside_what_is_not(bench, mine):
    (mine / "scenarios" / "bad.toml").write_text("family = ")
    (mine / "scenarios" / "loud.toml").write_text(GOOD.replace("n_obs", 'description = "\\u001b[31mred"\nn_obs', 1))
    (mine / "backends" / "odd" / "bad.py").write_text("KIND = \n")
    listed = bench("list", "--json")
    assert listed.code == 0, listed.err
    rows = {row["name"]: row for kind in listed.json.values() for row in kind}
    assert rows["bad"]["family"] == "broken" and "not a TOML file" in rows["bad"]["description"]
    assert rows["odd.bad"]["kind"] == "broken" and "bad.py" in rows["odd.bad"]["description"]
    assert {"s0-uniform", "fake.exact"} <= set(rows)
    assert "\x1b" not in bench("list").out + bench("info", "loud").out
    ran = bench("run", "-s", "correlated-rho95", "-b", "odd.bad", "--name", "r")
    assert ran.code == 2 and "bad.py" in ran.err and not (mine.parent / "results").exists()


def test_constants_said_twice_are_the_same():
    """bench.catalog.source may not import numpy, and bench.types does."""
    assert source.KINDS == KINDS
    assert get_args(Device) == source.DEVICES
    assert get_args(DType) == source.DTYPES


DIGITS = ",".join(f"k{i}=[0,1,2,3,4,5,6,7,8,9]" for i in range(9))
GUARDS = {
    "sweep of 10⁹": lambda: sweeps(parse(f"x[{DIGITS}]").values),
    "two lists of sweep": lambda: sweeps(dict(a=list(range(1000)), b=list(range(1000)))),
    "schools": lambda: scenario("eight-schools", {"data": {}, "errors": 1.0, "n_schools": 10**9, "mu": 0, "tau": 1}),
    "groups": lambda: scenario("varying-intercept", {"n_groups": 10**9}),
    "rows": lambda: scenario("correlated-rho95", {"n_obs": 10**12}),
    "columns": lambda: scenario("wide-n1000-p100", {"n_features": 10**9}),
    "design": lambda: scenario("wide-n1000-p100", {"n_obs": 10**8}),
    "weights": lambda: scenario("correlated-rho95", {"weights": [1.0] * (2 * 10**5)}),
    "hold-out": lambda: scenario("correlated-rho95", {"holdout": {"n_obs": 10**12}}),
    "outside": lambda: scenario("correlated-rho95", {"holdout": {"outside": {"low": 0, "high": 1, "n_obs": 10**12}}}),
    "rounds": lambda: make(Choice(scenarios=["s0-uniform"], backends=["numpy.gd"], rounds=10**9)),
    "cells": lambda: make(Choice(scenarios=["s0-uniform"], backends=["numpy.gd[lr=[1.0]]"], rounds=10**6, reps=10**6)),
    "text": lambda: parse("x[a=" + "1" * 10**7 + "]"),
    "steps": lambda: backend("torch.adam").validate({"steps": 10**12}),
    "names": lambda: (_ for _ in ()).throw(unknown("thing", "x" * 10**6, [f"name{i}" for i in range(10**4)])),
}


@pytest.mark.parametrize("name", GUARDS)
def test_what_would_take_all_memory_or_time_is_refused_before(name):
    tracemalloc.start()
    began = time.process_time()
    try:
        said = refusal(lambda: list(made) if hasattr(made := GUARDS[name](), "__next__") else made)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # the inputs themselves take tens of megabytes; what they ask for would take gigabytes and minutes
    assert peak < 200e6
    assert time.process_time() - began < 20
    assert len(said) <= MESSAGE_LIMIT + 1


def test_run_names_cannot_lead_elsewhere(bench, tmp_path):
    for name in ("../x", "a/b", "..", ".hidden", "latest", "x" * 101, "ü", "a b", "", "-x", "a\nb"):
        done = bench("run", "-s", "correlated-rho95", "-b", "fake.exact", f"--name={name}")
        assert done.code == 2, (name, done.err)
        assert len(done.err.strip().splitlines()) == 1 or done.err.startswith("Usage")
    assert sorted(os.listdir(tmp_path)) in ([], ["results"])
    assert not list(tmp_path.rglob("run.json"))


def test_a_run_of_a_newer_version_is_refused_by_every_reader_and_stays(bench, tmp_path):
    folder = tmp_path / "results" / "new"
    (folder / "fits").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"schema": 99, "cells": "what then?"}))
    before = (folder / "run.json").read_bytes()
    for verb in (
        ("score", "new"),
        ("report", "new"),
        ("info", "new"),
        ("run", "--resume", "new"),
        ("plot", "new", "loss"),
    ):
        done = bench(*verb)
        assert done.code == 2, (verb, done.err)
        assert "Traceback" not in done.err
    assert "schema 99" in bench("report", "new").err
    assert bench("list", "runs").code == 0
    assert (folder / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    "evil",
    ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "\x9b31m", "\x1bc", "a\0b",
     "\u202egnp.exe", "\u2066x\u2069", "\ufeff", "\udcff", "\u2028", "\x85", "\x7f", "\x1b", "\x1b[", "\x90q\x9c"],
)  # fmt: skip
def test_text_from_elsewhere_is_cleaned_of_what_is_obeyed(evil):
    found = clean(f"before {evil} after")
    assert found.isprintable()
    assert (found.startswith("before ") and found.endswith(" after")) or evil in ("\x1b[", "\x1b")
    assert clean(found) == found
    assert clean("a\nb") == "a\nb"
    assert clean("Größe ≥ 3 𝒩") == "Größe ≥ 3 𝒩"


def test_values_in_messages_are_cut_and_quick():
    assert shown("a") == "'a'"
    assert shown([1, "x"]) == "[1, 'x']"
    assert len(shown("x" * 10**6)) < 300
    assert len(shown([list(range(1000))] * 1000)) < 300
    assert "too large" in shown(10**5000)
    deep: list = []
    for _ in range(10**5):
        deep = [deep]
    assert len(shown(deep)) < 300


def test_a_file_written_here_is_read(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    assert load(tmp_path / "mine.toml").settings["n_obs"] == 20
