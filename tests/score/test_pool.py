"""Processes for scoring and drawing: all results, our own code, and nothing left of them whatever happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.measure.guardian import MARK, marked
from bench.score import pool, run

ROOT = Path(__file__).parents[2]


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
    import multiprocessing

    assert not multiprocessing.active_children()
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


def test_without_a_place_for_a_socket_the_work_is_done_here(tmp_path):
    long = tmp_path / ("x" * 120)  # a socket's path has 107 bytes at most
    long.mkdir()
    script = "import os\nfrom bench.score import pool\nprint(list(pool.each(abs, [-1, -2], lambda: None)))\n"
    out, err = started(tmp_path, script, TMPDIR=str(long)).communicate(timeout=60)
    assert out == "[(-1, 1), (-2, 2)]\n" and not err


LOADED = "'arviz_stats' in __import__('sys').modules"


def test_what_scoring_imports_is_there_before_the_first_fit(tmp_path):
    script = (
        "import sys\nfrom bench.score import pool, run\nassert 'arviz_stats' not in sys.modules\n"
        "run.prepare(int(sys.argv[1]))(lambda: None)\n"
        f"print({LOADED}, *(loaded for _, loaded in pool.each(eval, [{LOADED!r}], lambda: None)))\n"
    )
    for fits, expected in ((1, "True"), (run.WORTH_IT, "False True\n")):
        out, err = started(tmp_path, script.replace("sys.argv[1]", str(fits))).communicate(timeout=60)
        assert out.startswith(expected) and not err


WORKS = """
import time
from bench.score import pool, run
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
