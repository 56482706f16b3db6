"""A contender may leave processes behind, or break what it can write to: that costs its own rows at most."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from bench.disk.durable import put_folder
from bench.measure.child import Child, watch
from bench.measure.environment import new_mark
from bench.store.folder import RunFolder
from tests.conftest import FAKES
from tests.measure.test_faults import plug_in
from tests.measure.test_runner import SCENARIO, fits

STRAY = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(36, 1)  # as a worker does: it adopts what its descendants orphan
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})
    os._exit(0)
os.wait()
time.sleep(float(sys.argv[2]))
"""


class Plain(Child):
    """A child that a test has started."""

    def __init__(self, process, log, mark, **more):
        super().__init__(process.pid, log, mark, **more)
        self.process = process

    def wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def code(self):
        return self.process.wait()


def gone(pid):
    """Whether a process has ended, or does so soon."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def test_what_drops_its_environment_and_session_ends_with_the_child(tmp_path):
    command = [sys.executable, "-c", STRAY, str(tmp_path / "pid"), "0.3"]
    process = subprocess.Popen(command, start_new_session=True)
    end = watch(Plain(process, tmp_path / "log", new_mark()), timeout=30, memory=2**40, tick=lambda: None)
    assert end.code == 0
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_folder_of_fits_is_mended_and_what_lies_in_a_fits_place_is_replaced(tmp_path):
    folder = RunFolder.create(tmp_path, "r")
    inner, elsewhere = folder.path / "fits", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("")
    inner.rmdir()
    folder.mend()
    assert inner.is_dir()
    inner.rmdir()
    inner.symlink_to(elsewhere)
    folder.mend()
    assert inner.is_dir() and not inner.is_symlink() and (elsewhere / "precious").exists()
    for place in (inner / "a", inner / "b", inner / "c"):
        ready = inner / ".ready"
        ready.mkdir()
        {"a": lambda p: p.symlink_to(elsewhere), "b": lambda p: p.symlink_to("nowhere"), "c": Path.touch}[place.name](
            place
        )
        put_folder(ready, place)
        assert place.is_dir() and not place.is_symlink()
    assert (elsewhere / "precious").exists() and not list(inner.glob(".*"))


VANDAL = """
import os, resource, shutil, sys, time
from dataclasses import dataclass
from pathlib import Path
from backends.fake import exact
KIND = "mcmc"
@dataclass(frozen=True)
class Options:
    how: str = "none"
def build(data, budget, options, place):
    return budget, options.how
def fit(program, data, seed, clock):
    draws = exact.fit((program[0], exact.Options()), data, seed, clock)
    fits, how = Path("results/r/fits"), program[1]
    if how == "removes":
        shutil.rmtree(fits)
    if how == "file":
        shutil.rmtree(fits)
        fits.write_text("")
    if how == "link":
        shutil.rmtree(fits)
        fits.symlink_to("/proc")
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if how == "stray":
        pid = Path("stray.pid")
        pid.unlink(missing_ok=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                pid.write_text(str(os.getpid()))
                os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})
            os._exit(0)
        while not (pid.exists() and pid.read_text()):  # it would be killed before it has said who it is
            time.sleep(0.01)
    return draws
draw = exact.draw
"""
HOW = ("removes", "file", "link", "limit", "stray")


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("--fresh",)])
def test_a_run_goes_on_after_each_of_them(bench, tmp_path, monkeypatch, how):
    plug_in(tmp_path / "more", "vandal", VANDAL)
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}{os.pathsep}{tmp_path / 'more'}")
    contenders = ["-b", f"vandal.one[how=[{','.join(HOW)}]]", "-b", "fake.exact"]
    done = bench("run", "-s", SCENARIO, *contenders, "--reps", "1", "--rounds", "2", "--name", "r", *how)
    assert done.code == 3, done.err
    table = fits(tmp_path)
    assert isinstance(table, pd.DataFrame) and len(table) == 2 * (1 + len(HOW))
    assert set(table[table.backend == "fake.exact"].status) == {"ok"}
    last = table[(table["round"] == 1) & (table.position == table.position.max())]
    assert set(table[table.options.fillna("") == "how=stray"].status) <= {"ok", "interrupted"}
    assert set(table[table.options.fillna("") == "how=limit"].status) <= {"crashed", "failed", "interrupted"}
    assert len(last) and (tmp_path / "results" / "r" / "report.html").is_file()
    assert gone(int((tmp_path / "stray.pid").read_text()))
