"""Ctrl-C once, twice, and wherever it comes."""

import json
import random
import signal
import time

import pandas as pd
import pytest

from tests.measure.resume.conftest import FITS, SELECTION, same, tables

SLOW = 'import time\ntime.sleep(60)\nraise RuntimeError("not reached")\n'


def interrupt(process):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (process.returncode, err)
    assert "Traceback" not in err and "Exception ignored" not in err
    return out, err


def slow_framework(place, *, verification=False):
    """A framework that takes a minute to import, or to give its density when that is verified."""
    folder = place.path / "more" / "slow"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('PACKAGES = ("numpy",)\ndef environment(place, track):\n    return {}\n')
    (folder / "runtime.py").write_text("def start(place):\n    pass\n" if verification else SLOW)
    (folder / "one.py").write_text('"""Never there."""\nKIND = "mcmc"\n')
    if verification:
        begun = f"import pathlib, time\npathlib.Path({str(place.path / 'begun')!r}).touch()\ntime.sleep(60)\n"
        (folder / "models.py").write_text(
            "def log_density(data, params, place):\n" + "".join(f"    {line}\n" for line in begun.splitlines())
        )
    place.env["BENCH_BACKENDS"] += f":{place.path / 'more'}"


@pytest.mark.parametrize("verification", [False, True])
def test_ctrl_c_before_the_first_fit_leaves_a_run_that_can_go_on(place, verification):
    slow_framework(place, verification=verification)
    process = place.start("run", "-s", "correlated-rho95", "-b", "slow.one", "--name", "r")
    if verification:
        place.wait_for((place.path / "begun").exists)
    else:
        place.wait_for(lambda: any("bench.measure.forkserver slow " in line for line in place.left_running()))
    out, _ = interrupt(process)
    assert "bench run --resume results/r" in out
    assert set(pd.read_parquet(place.run / "fits.parquet").status) == {"interrupted"}
    assert (place.run / "report.html").is_file()
    place.quiet()


def test_ctrl_c_once_writes_what_there_is_and_the_resumed_run_is_as_an_undisturbed_one(place, undisturbed):
    process = place.start("run", *SELECTION, "--name", "r", "--json")
    place.wait_for(lambda: len(place.finished()) >= 2)
    out, _ = interrupt(process)
    said = json.loads(out)
    assert said["resume"].endswith("--resume results/r") and said["exit"] == 130
    assert json.loads((place.run / "run.json").read_text())["state"] == "interrupted"
    before, done = pd.read_parquet(place.run / "fits.parquet"), place.finished()
    assert set(before.status) == {"ok", "interrupted"} and len(before) == FITS
    place.bench("check", "r", code=3)
    at = {name: (place.run / "fits" / name / "record.json").stat().st_mtime_ns for name in done}
    whole = [n for n in done if f"{n.partition('-')[0]}-{int(n.partition('-')[2]) ^ 1}" in done]
    assert "missing of results/r: " in place.bench("run", "--resume", "r", "--dry-run")
    place.bench("run", "--resume", "r")
    same(tables(place.run), undisturbed)
    # rounds that were whole are left as they were; one that was broken off was made again
    assert all((place.run / "fits" / n / "record.json").stat().st_mtime_ns == at[n] for n in whole)
    assert "no problems found" in place.bench("check", "r")
    place.quiet()


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.slow) for s in (2, 3))])
def test_ctrl_c_twice_stops_at_once_whatever_it_is_doing(place, seed):
    process = place.start("run", *SELECTION, "--name", "r")
    place.wait_for((place.run / "run.json").is_file)
    time.sleep(random.Random(seed).uniform(0.0, 2.0))
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    # it may have come to its end between the two, and once it had ended before the first
    assert process.returncode in (130, 0), err
    assert "Traceback" not in err
    place.quiet()
    place.bench("run", "--resume", "r", "--no-score")
    assert len(place.finished()) == FITS


def test_sigterm_ends_a_run_like_ctrl_c(place):
    process = place.start("run", "-s", "correlated-rho95", "-b", "fake.faulty[fault=sleep]", "--name", "r")
    place.wait_for(lambda: list(place.run.glob("fits/.*-round*.log")))
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert set(pd.read_parquet(place.run / "fits.parquet").status) == {"interrupted"}
    assert (place.run / "report.md").is_file()
    place.quiet()


@pytest.mark.parametrize(
    "args",
    [("ab", "fake.exact", "fake.exact[sleep=9.0]", "-s", "correlated-rho95"),
     ("doctor", "-s", "correlated-rho95", "-b", "fake.exact[sleep=9.0]", "--rounds", "3"),
     ("check", "fake.exact[sleep=9.0]")],
)  # fmt: skip
def test_other_verbs_that_make_fits_leave_nothing_behind_either(place, args):
    process = place.start(*args)
    place.wait_for(lambda: any("bench.measure.worker" in x or "forkserver" in x or "check.worker" in x
                               for x in place.left_running()))  # fmt: skip
    time.sleep(1.0)
    interrupt(process)
    place.quiet()


def test_a_verb_that_only_reads_ends_at_once(place):
    process = place.start("query", "select count(*) from range(100000000000) a, range(1000) b")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    # 2: no runs, when it was quicker; a signal, or a word of Python's own: not yet our program
    assert process.returncode in (130, 2, -signal.SIGINT) or "Fatal Python error: init_import_site" in said
