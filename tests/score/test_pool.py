"""Processes for scoring and drawing: all results, our own code, and nothing left of them whatever happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.errors import UsageError
from bench.measure.guardian import MARK, marked
from bench.score import ahead, pool

ROOT = Path(__file__).parents[2]
pooled = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="on one CPU the work is done here; two are needed")


@pytest.fixture(autouse=True)
def _ended():
    pool.close()
    yield
    pool.close()


def started(tmp_path: Path, script: str, **variables: str) -> subprocess.Popen[str]:
    (tmp_path / "script.py").write_text(script)
    return subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", **variables}, start_new_session=True,
    )  # fmt: skip


def test_every_item_comes_back_with_its_result_from_other_processes():
    ticks = []
    found = dict(pool.each(abs, [-3, 2, -1], lambda: ticks.append(1)))
    assert found == {-3: 3, 2: 2, -1: 1} and ticks
    ((_, parent),) = pool.each(eval, ["__import__('os').getppid()"], lambda: None)
    assert parent != os.getpid()


def test_what_the_function_raises_is_raised_here_and_ends_them():
    with pytest.raises(ValueError, match="math domain"):
        list(pool.each(__import__("math").sqrt, [1.0, -1.0], lambda: None))
    assert not pool._workers and not pool._server
    assert dict(pool.each(abs, [-1], lambda: None)) == {-1: 1}  # and they can be had again


def test_a_script_without_a_guard_is_not_run_again_in_them(tmp_path):
    script = "print('once')\nfrom bench.score import pool\nprint(sorted(pool.each(abs, [-1, -2], lambda: None)))\n"
    out, err = started(tmp_path, script).communicate(timeout=60)
    assert out == "once\n[(-2, 2), (-1, 1)]\n" and not err


def test_they_import_this_checkout_whatever_lies_in_the_present_folder(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("raise ImportError('not ours')")
    script = (
        "import pkgutil\nfrom bench.score import pool\npool.start('bench.types')\n"
        "print(next(pool.each(pkgutil.resolve_name, ['bench.types:__file__'], lambda: None))[1])\n"
    )
    out, err = started(tmp_path, script).communicate(timeout=60)
    assert out.strip() == str(ROOT / "bench" / "types.py"), err


def test_where_no_process_can_be_started_the_work_is_done_here(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert list(pool.each(abs, [-1, -2], lambda: None)) == [(-1, 1), (-2, 2)]


SLOWLY = "(__import__('time').sleep(0.5), __import__('os').getpid())[1]"


def _with(how: signal.Signals, whom: str) -> set[int]:
    """The processes that did three tasks, after a signal to one worker, to all, or to what they are forked from."""
    hurt: list[int] = []
    if whom != "server":
        pool.start()
        pool.wait_until_ready(lambda: None)

    def hurt_once() -> None:
        at_work = [w.pid for w in pool._workers if w.busy]
        if not hurt and (whom == "server" or len(at_work) == len(pool._workers)):
            hurt.extend({"server": [pool._server[0].pid], "one": at_work[:1], "all": at_work}[whom])
            for pid in hurt:
                os.kill(pid, how)

    tasks = [f"{SLOWLY} + {i} * 0" for i in range(3)]
    results = dict(pool.each(eval, tasks, hurt_once))
    assert hurt and set(results) == set(tasks)
    return set(results.values()) - set(hurt)


@pooled
def test_a_killed_worker_costs_no_result():
    assert os.getpid() not in _with(signal.SIGKILL, "one")


@pooled
def test_with_all_workers_killed_or_what_they_are_forked_from_the_work_is_done_here():
    assert _with(signal.SIGKILL, "all") == {os.getpid()}
    pool.close()
    assert _with(signal.SIGKILL, "server") == {os.getpid()}


@pooled
def test_a_worker_that_stands_still_is_given_up(monkeypatch):
    monkeypatch.setattr(pool, "STALLED", 0.5)
    began = time.monotonic()
    assert os.getpid() not in _with(signal.SIGSTOP, "one")
    assert time.monotonic() - began < 20.0  # half a second of patience, and what starting takes on a busy machine


def test_an_error_that_cannot_be_pickled_is_told_in_words():
    script = 'exec(\'from bench.errors import ScenarioError; raise ScenarioError("lr", 0, "above 0")\')'
    with pytest.raises(UsageError, match="lr = 0 is not allowed; above 0"):
        list(pool.each(eval, [script], lambda: None))


LOADED = "'arviz_stats' in __import__('sys').modules"


@pooled
def test_what_scoring_imports_is_there_before_the_first_fit(tmp_path):
    script = (
        "import sys\nfrom bench.score import ahead, pool\nassert 'arviz_stats' not in sys.modules\n"
        "ahead.prepare(int(sys.argv[1]))(lambda: None)\n"
        f"print({LOADED}, *(loaded for _, loaded in pool.each(eval, [{LOADED!r}], lambda: None)))\n"
    )
    for fits, expected in ((1, "True"), (ahead.WORTH_IT, "False True\n")):
        out, err = started(tmp_path, script.replace("sys.argv[1]", str(fits))).communicate(timeout=60)
        assert out.startswith(expected) and not err


@pooled
def test_what_an_import_does_not_start_is_started_before_they_are_ready(tmp_path):
    (tmp_path / "engine.py").write_text(
        "import os, time\nstarted = []\ndef ready():\n    time.sleep(0.3)\n    started.append(os.getpid())\n"
    )
    script = (
        "import os, sys\nfrom bench.score import ahead, pool\n"
        "ahead.prepare(ahead.WORTH_IT, ['engine'], ['engine'])(lambda: None)\n"
        "print(all(w.ready for w in pool._workers), sys.modules['engine'].started == [os.getpid()])\n"
        "same = \"__import__('engine').started == [__import__('os').getpid()]\"\n"
        "print(*(found for _, found in pool.each(eval, [same], lambda: None)))\n"
    )
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    out, err = started(tmp_path, script, PYTHONPATH=paths).communicate(timeout=60)
    assert out == "True True\nTrue\n", err


@pooled
def test_what_cannot_be_started_ahead_costs_no_process(tmp_path):
    (tmp_path / "engine.py").write_text("def ready():\n    raise ValueError('no engine')\n")
    script = (
        "import os, sys\nfrom bench.score import ahead, pool\n"
        "ahead.prepare(ahead.WORTH_IT, ['engine'], ['engine'])(lambda: None)\n"
        "print(len(pool._workers) > 1, *(found != os.getpid() for _, found in pool.each(eval, [PID], lambda: None)))\n"
    ).replace("PID", "\"__import__('os').getpid()\"")
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    assert started(tmp_path, script, PYTHONPATH=paths).communicate(timeout=60) == ("True True\n", "")


WORKS = """
import signal, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who tests under nohup hands on that it is ignored
from bench.score import ahead, pool
def said():
    print("at work", flush=True)
list(pool.each(time.sleep, [100.0, 101.0], said))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_the_first_process_and_only_that_speaks_of_ctrl_c(tmp_path, how):
    mark = f"pool{os.getpid()}{how}"
    process = started(tmp_path, WORKS, **{MARK: mark})
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    deadline = time.monotonic() + 30
    while len(list(marked(mark))) < 3 and time.monotonic() < deadline:  # it, the one they are forked from, and one
        time.sleep(0.05)
    if how != signal.SIGKILL:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.kill()
    _, err = process.communicate(timeout=60)
    while list(marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(marked(mark))
    assert err.count("Traceback") == (how == signal.SIGINT)


@pooled
def test_what_still_imports_ends_with_the_first_process(tmp_path):
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(600)\n")
    first = "from bench.score import pool\npool.start('endless')\nprint(pool._server[0].pid, flush=True)\ninput()"
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", first],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        server = psutil.Process(int(process.stdout.readline()))
        process.kill()
    server.wait(60)  # psutil.TimeoutExpired where it goes on
