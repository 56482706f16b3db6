"""Every way a contender can go wrong ends as one row, forked and fresh alike, and leaves nothing behind."""

import contextlib
import ctypes
import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from bench.errors import NoReference
from bench.measure import guardian, servers
from bench.measure.contender import verdict
from bench.measure.environment import new_mark
from bench.store import logs
from bench.types import Diverged, Unavailable, Unsupported
from tests.conftest import FAKES
from tests.measure.test_runner import SCENARIO, fits, left_running

TIMEOUT = 5

FAULTS = {
    # fault: status, words of the reason, exit code of a dead child, words at the end of its log
    "exception": ("failed", "RuntimeError: planned", None, "Traceback"),
    "segfault": ("crashed", "SIGSEGV", -signal.SIGSEGV, "Segmentation fault"),
    "abort": ("crashed", "SIGABRT", -signal.SIGABRT, "Aborted"),
    "exit": ("crashed", "exit code 7", 7, ""),
    "exit_74": ("crashed", "exit code 1", 1, ""),
    "kill": ("memory", "SIGKILL", -signal.SIGKILL, ""),
    "memory": ("memory", "MiB of resident memory", -signal.SIGKILL, ""),
    "daemon_memory": ("memory", "MiB of resident memory", -signal.SIGKILL, ""),
    "device_memory": ("memory", "RESOURCE_EXHAUSTED", None, "Traceback"),
    "gil": ("timeout", f"limit of {TIMEOUT} s", -signal.SIGKILL, ""),
    "ignore_sigterm": ("timeout", f"limit of {TIMEOUT} s", -signal.SIGKILL, ""),
    "daemon": ("timeout", f"limit of {TIMEOUT} s", -signal.SIGKILL, ""),
    "nan": ("invalid", "non-finite", None, ""),
    "shape": ("invalid", "shape", None, ""),
    "names": ("invalid", "wieghts", None, ""),
    "support": ("invalid", "outside its support", None, ""),
    "flood": ("ok", "", None, ""),
    "diverged": ("failed", "diverged: loss is inf at step 3", None, "Diverged"),
    "unsupported": ("unsupported", "this prior is not for me", None, ""),
    "unavailable": ("unavailable", "no such device", None, ""),
    "speechless": ("failed", "Speechless: (ValueError when asked for its message)", None, "Traceback"),
    "surrogate": ("failed", r"not \udcff text \x1b]0;title\x07 \u202egnp \x00", None, "Traceback"),
    "daemon_stays": ("ok", "", None, ""),
    "odd_stats": ("ok", "", None, ""),
    "none": ("ok", "", None, ""),
}


def plug_in(folder: Path, name: str, source: str) -> None:
    """A framework of one backend."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("PACKAGES = ()\n\n\ndef environment(place, track):\n    return {}\n")
    (folder / name / "runtime.py").write_text((FAKES / "fake" / "runtime.py").read_text())
    (folder / name / "one.py").write_text(source)


@pytest.fixture
def more(tmp_path, monkeypatch):
    """Frameworks beside the fake one: some that cannot be imported, one that is not installed."""
    folder = tmp_path / "more"
    plug_in(folder, "raises", 'KIND = "mcmc"\nraise RuntimeError("on import")\n')
    plug_in(folder, "leaves", 'import os\nKIND = "mcmc"\nos._exit(9)\n')
    plug_in(folder, "incomplete", 'KIND = "mcmc"\n')
    plug_in(folder, "absent", 'KIND = "mcmc"\n')
    (folder / "absent" / "__init__.py").write_text('PACKAGES = ("no_such_package", "no.such.one")\nEXTRA = "torch"\n')
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}{os.pathsep}{folder}")


MORE = {
    "raises.one": ("failed", "RuntimeError: on import"),
    "leaves.one": ("crashed", "exit code 9"),
    "incomplete.one": ("failed", "AttributeError"),
    "absent.one": ("unavailable", "pip install 'posterior-bench[torch]'"),
}


def at_work(pid: int, folder) -> bool:
    """Whether a process that was started in the folder still runs; its number may be another's by now."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).cwd() == str(folder)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("how", ["forked", "fresh"])
def test_one_run_with_every_fault_loses_no_healthy_row(bench, tmp_path, more, how):
    faulty = f"fake.faulty[fault=[{','.join(FAULTS)}]]"
    contenders = [x for b in ("fake.exact", faulty, "fake.exact[bias=1.0]", *MORE) for x in ("-b", b)]
    limits = ["--timeout", str(TIMEOUT), "--memory", "600M", "--name", "r", "--json"]
    done = bench("run", "-s", SCENARIO, *contenders, *limits, *(["--fresh"] if how == "fresh" else []), drawn=True)
    assert done.code == 3, done.err
    table = fits(tmp_path)
    assert len(table) == 2 * (2 + len(FAULTS) + len(MORE))
    assert set(table[table.backend == "fake.exact"].status) == {"ok"}
    for fault, (status, words, code, log) in FAULTS.items():
        rows = table[table.options == f"fault={fault}"]
        assert set(rows.status) == {status}, (fault, rows.reason.tolist())
        assert all(words in reason for reason in rows.reason), (fault, rows.reason.tolist())
        assert set(rows.exit_code.dropna()) == ({code} if code is not None else set()), fault
        assert all(log in tail for tail in rows.log_tail.fillna("")), fault
        assert (rows.seconds_until_end > 0).all(), fault
        assert (rows.peak_rss_bytes > 10 * 2**20).all(), fault
        if status == "timeout":
            assert (rows.seconds_until_end >= TIMEOUT).all()
        assert set(rows.started) == {how}
    for name, (status, words) in MORE.items():
        rows = table[table.backend == name]
        assert set(rows.status) == {status}, (name, rows.reason.tolist())
        assert all(words in reason for reason in rows.reason)
    assert not left_running(tmp_path)
    assert not at_work(int((tmp_path / "daemon.pid").read_text()), tmp_path)
    assert not [p for p in (tmp_path / "results" / "r" / "fits").iterdir() if p.name.startswith(".")]
    for file in ("report.html", "report.md", "fits.csv"):
        text = (tmp_path / "results" / "r" / file).read_text()
        assert "<script>alert(1)" not in text or file == "fits.csv"
        assert not {"\0", "\u202e"} & set(text) or file == "fits.csv"
    asked = bench("query", "select count(*) n from fits where log_tail like '%Traceback%'", "--format", "json")
    assert asked.json[0]["n"] >= 2


@pytest.mark.slow
def test_a_stopped_fork_server_ends_as_a_row_and_the_next_cell_runs(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "FORK_SECONDS", 5.0)
    contenders = ["-b", "fake.faulty[fault=stop_server]", "-b", "fake.exact"]
    done = bench("run", "-s", SCENARIO, *contenders, "--timeout", "3", "--name", "r", "--no-score")
    assert done.code == 3, done.err
    table = fits(tmp_path)
    assert set(table[table.backend == "fake.faulty"].status) == {"timeout"}
    assert set(table[table.backend == "fake.exact"].status) == {"ok"}
    assert not left_running(tmp_path)


@pytest.mark.parametrize("how", [(), pytest.param(("--fresh",), marks=pytest.mark.slow)])
def test_a_flood_of_output_does_not_fill_the_disk(bench, tmp_path, how):
    """400 MiB are printed; the log on disk is looked at from here every 50 ms meanwhile."""
    flood = ["-b", "fake.faulty[fault=gigabytes]", "--reps", "1", "--name", "r", "--no-score", *how]
    largest, ended = [0], threading.Event()

    def look():
        while not ended.wait(0.05):
            for log in (tmp_path / "results").glob("r/fits/.*.log"):
                with contextlib.suppress(FileNotFoundError):
                    largest.append(log.stat().st_blocks * 512)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        done = bench("run", "-s", SCENARIO, *flood)
    finally:
        ended.set()
        looking.join()
    assert done.code == 0, done.err
    assert set(fits(tmp_path).status) == {"ok"}
    # at most 5 ms per MiB: within the 0.2 s between two looks some 40 MiB beyond the allowed 16; thrice that is slack
    assert 0 < max(largest) < 200 * 2**20
    (kept,) = (tmp_path / "results" / "r" / "fits").glob("*/log.txt")
    assert kept.read_bytes() == b"y" * logs.LOG_LIMIT


def test_a_trimmed_log_keeps_its_end_and_grows_on(tmp_path):
    log = tmp_path / "log"
    with log.open("ab") as stream:
        stream.write(b"a" * (logs.ROOM + 2**20) + b"z" * 100)
        stream.flush()
        logs.trim(log)
        assert log.stat().st_blocks * 512 < 2**20
        assert logs.end(log).endswith(b"a" + b"z" * 100)
        stream.write(b"more")
    assert logs.end(log).endswith(b"zmore")
    assert len(logs.end(log)) == logs.LOG_LIMIT
    logs.trim(tmp_path / "none")
    assert logs.end(tmp_path / "none") == b""


def test_a_log_starts_afresh_where_no_holes_can_be_punched(tmp_path, monkeypatch):
    class NoHoles:
        def __getattr__(self, name):
            return lambda *_: -1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: NoHoles())
    log = tmp_path / "log"
    with log.open("ab") as stream:
        stream.write(b"a" * (logs.ROOM + 2**20))
        stream.flush()
        logs.trim(log)
        stream.write(b"more")
    assert log.read_bytes() == b"more"


def test_what_carries_a_mark_is_found_wherever_it_hangs(tmp_path):
    import subprocess
    import sys

    mark, other = new_mark(), new_mark()
    script = (  # it waits for the one in between, so that only the grandchild is left to be found
        "import os, time\nif os.fork():\n    os.wait()\n    raise SystemExit(0)\n"
        "os.setsid()\nif not os.fork(): time.sleep(60)\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], env={**os.environ, guardian.MARK: mark}, check=True)
    (stray,) = guardian.marked(mark)
    assert stray not in set(guardian.marked(other))
    os.kill(stray, signal.SIGKILL)
    until = time.monotonic() + 10
    while list(guardian.marked(mark)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not list(guardian.marked(mark))


class OutOfMemoryError(RuntimeError):
    """What torch raises, by name."""


MEMORY_ERRORS = [
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((10**12,), np.dtype(float)),
    OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 139.80 GiB"),
    OutOfMemoryError("XPU: Tried to allocate 20.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuda runtime error: CUDA_ERROR_OUT_OF_MEMORY"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 85899345920 bytes."),
    ValueError("RESOURCE_EXHAUSTED: Failed to allocate request for 80.00GiB (85899345920B) on device ordinal 0"),
    RuntimeError("std::bad_alloc"),
    OSError(12, "Cannot allocate memory"),
]


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=lambda e: f"{type(e).__name__}-{str(e)[:30]}")
def test_errors_of_exhausted_memory_are_memory(error):
    status, reason = verdict(error)
    assert status == "memory"
    assert type(error).__name__ in reason


def test_a_memory_error_is_found_behind_the_error_that_wraps_it():
    try:
        try:
            raise OutOfMemoryError("CUDA out of memory")
        except RuntimeError as inner:
            raise ValueError("while drawing site weights") from inner
    except ValueError as error:
        assert verdict(error) == ("memory", "ValueError: while drawing site weights")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("the memory of the process"), "failed"),
        (RuntimeError("out of range: memory index 3"), "failed"),
        (Diverged("loss is inf"), "failed"),
        (Unsupported("no"), "unsupported"),
        (NoReference("no"), "unsupported"),
        (Unavailable("no"), "unavailable"),
        (KeyError("x"), "failed"),
    ],
)
def test_other_errors_are_not(error, status):
    assert verdict(error)[0] == status


def test_an_endless_message_is_cut_and_one_line():
    status, reason = verdict(RuntimeError("line\n" * 10**6))
    assert status == "failed"
    assert len(reason) < 600
    assert "\n" not in reason


def test_a_child_that_exits_zero_without_a_result_is_a_crash(bench, tmp_path, monkeypatch):
    plug_in(tmp_path / "more", "quiet", 'import os\nKIND = "mcmc"\nos._exit(0)\n')
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}{os.pathsep}{tmp_path / 'more'}")
    bench("run", "-s", SCENARIO, "-b", "quiet.one", "--name", "r", "--no-score")
    assert set(fits(tmp_path).status) == {"crashed"}
    assert json.loads((tmp_path / "results" / "r" / "run.json").read_text())["state"] == "finished"
    assert isinstance(pd.read_csv(tmp_path / "results" / "r" / "fits.csv").log_tail, pd.Series)
