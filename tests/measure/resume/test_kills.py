"""SIGKILL at any moment: no finished fit is lost, nothing stays behind, and what is missing is made."""

import random
import time

import pandas as pd
import pytest

from tests.measure.resume import victims
from tests.measure.resume.conftest import FITS, SELECTION, same, tables

LATEST = 1.1
"""The last moment to kill, in times that a whole run takes here and now: a few end before it."""


def at_work(place, process, seconds, fits):
    """Wait for so long, or until so many fits are there where that is a number; whether the process has not ended."""
    until = time.monotonic() + (seconds if fits is None else 300.0)
    while process.poll() is None and time.monotonic() < until and (fits is None or len(place.finished()) < fits):
        time.sleep(0.02)
    return process.poll() is None


def kill_and_resume(place, undisturbed, kills, seed):
    """Kill at random moments until so many kills have hit; every run that this breaks off is resumed to its end."""
    drawn, hits, resumed, while_fitting = random.Random(seed), 0, 0, 0
    began = time.monotonic()
    place.process("run", *SELECTION, "--name", "r")
    whole = time.monotonic() - began
    place.clear()
    while hits < kills:
        known = place.finished()
        begun = (place.run / "run.json").is_file()
        if not begun:
            place.clear()
        process = place.start("run", *(("--resume", "results/r") if begun else (*SELECTION, "--name", "r")))
        # every other kill is aimed at the fits, which are made in a small part of a run's time
        aim = drawn.randint(len(known) + 1, FITS - 1) if hits % 2 and len(known) < FITS - 1 else None
        if at_work(place, process, drawn.uniform(0.1, LATEST * whole), aim):
            process.kill()
            process.wait()
            hits += 1
            place.quiet()
            now = place.finished()
            while_fitting += 0 < len(now) < FITS
            assert known <= now, "a finished fit was lost"
            continue
        assert process.returncode == 0, process.communicate()[1]
        same(tables(place.run), undisturbed)
        resumed += begun
        place.clear()
    if (place.run / "run.json").is_file():
        known = place.finished()
        place.bench("run", "--resume", "results/r")
        assert known <= place.finished()
        same(tables(place.run), undisturbed)
        resumed += 1
        place.bench("check", "results/r")
    return resumed, while_fitting


@pytest.mark.slow
def test_four_kills_lose_nothing_and_every_resumed_run_ends_with_the_same_tables(place, undisturbed):
    """A fault that one kill in three meets is met here with probability 0.80; `studies/kills.py` makes hundreds."""
    resumed, while_fitting = kill_and_resume(place, undisturbed, kills=4, seed=1)
    assert resumed and while_fitting >= 1  # none would prove little; two are aimed
    place.quiet()


@pytest.mark.slow
def test_six_kills_of_any_process_lose_nothing(place):
    assert len(victims.kill_any(place, kills=6, seed=1)) >= 3  # kinds


def test_what_a_killed_run_has_started_dies_with_it_and_what_was_done_can_be_scored(place):
    """Its contender has a child, and one that has left its session, which only the guardian finds."""
    both = ("-b", "fake.exact", "-b", "fake.faulty[fault=daemon]", "--rounds", "3", "--timeout", "5")
    place.start("run", "-s", "correlated-rho95", *both, "--name", "r")
    # the server, the contender and those two
    place.wait_for(lambda: len(place.finished()) >= 2 and sum("forkserver" in x for x in place.left_running()) >= 4)
    place.started[0].kill()
    place.started[0].wait()
    place.quiet()
    place.bench("score", "r")
    statuses = pd.read_parquet(place.run / "fits.parquet").status
    assert len(statuses) == 12 and (statuses == "ok").sum() >= 2


def test_a_killed_doctor_leaves_no_temporary_folder(place):
    process = place.start("doctor", "-s", "correlated-rho95", "-b", "fake.exact[sleep=5.0]", "--rounds", "3")
    place.wait_for(lambda: list(place.tmp.glob("bench-doctor-*/doctor/fits/.*-round*.log")))
    process.kill()
    process.wait()
    place.quiet()
