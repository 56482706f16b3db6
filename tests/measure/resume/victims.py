"""SIGKILL of processes of every kind that a run has, at random moments from its start to its report."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.measure.resume.conftest import Place

SELECTION = ("-s", "correlated-rho95", "-b", "fake.instrument[cpu=[0.0,0.001,0.002]]", "--reps", "2", "--rounds", "7")
"""21 children of two fits each: from 40 fits on processes of their own score them."""
KINDS = {"parent": 1, "server": 1, "child": 2, "guardian": 1, "scorer": 2}
"""With weights: of a run that has a few kills, one is that of its parent, which ends it."""
IN_SLOTS = {"parent": 1, "slot": 3, "server": 1, "child": 2, "scorer": 1}
"""Of a run with `--executor dask`; a slot whose guardian is gone could not be left without files."""
AIM_SECONDS = 4.0
"""How long one of the kind that was drawn is waited for: children live for milliseconds, scorers at the end."""
HANG_SECONDS = 240.0
"""Without a change of the run's files. A run takes 5 s on two free cores; scoring gives up a process that stands still
after 20.
"""
ORPHAN_SECONDS, SLOT_ORPHAN_SECONDS = 5.0, 30.0
"""A process of a slot that has just been started looks for its parent when it has imported Dask."""


def kill_any(place: Place, kills: int, seed: int, *options: str) -> Counter[str]:
    """So many kills of runs with these options, counted by kind.

    AssertionError for a lost fit, a hang, an orphan or a file left in TMPDIR.
    A run meets kills until it ends or is killed itself, which it is not after its guardian: nobody is left to guard.
    One that was killed is resumed by the next.
    """
    drawn, counts = random.Random(seed), Counter[str]()
    while counts.total() < kills:
        if not (place.run / "run.json").is_file():
            place.clear()
            command = ("run", *SELECTION, "--name", "r", *options)
        else:
            command = ("run", "--resume", "results/r")
        whole = _whole_rounds(place)
        process = place.start(*command)  # whoever made the place ends what is left where this fails
        # output goes to a pipe that nobody reads until the end: it is short
        unguarded, until, files = False, time.monotonic() + HANG_SECONDS, list[Any]()
        while process.poll() is None and counts.total() < kills:
            if (now := list(os.walk(place.run))) != files:
                files, until = now, time.monotonic() + HANG_SECONDS
            assert time.monotonic() < until, f"{command} hangs after {counts}"
            if not _ended(process.pid, drawn.expovariate(2.0)):
                whole |= _whole_rounds(place)
                with contextlib.suppress(psutil.NoSuchProcess, IndexError):  # it has ended, or there is none
                    kind, victim = _victim(process.pid, drawn, IN_SLOTS if options else KINDS, unguarded=unguarded)
                    victim.kill()
                    counts[kind] += 1
                    unguarded |= kind == "guardian"
        try:
            _, err = process.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # with PYTHONFAULTHANDLER=1 it says what every thread is at
            raise AssertionError(f"it hangs after {counts}: {process.communicate()[1]}") from None
        assert process.returncode in (0, 3, -9), (process.returncode, err)
        # a process that multiprocessing was starting for a killed one says in its own words that nobody feeds it
        assert process.returncode == -9 or "Traceback" not in err, err
        _nothing_left(place, SLOT_ORPHAN_SECONDS if options else ORPHAN_SECONDS)
        assert not (left := [file.name for file in place.tmp.iterdir()]), f"files were left in TMPDIR: {left}"
        assert not (lost := whole - _whole_rounds(place)), f"finished fits were lost: {lost}"
        if process.returncode in (0, 3):
            assert (place.run / "report.html").is_file(), (process.returncode, err)
            assert not (left := list(place.run.rglob(".*"))), left
            place.clear()
    return counts


def _nothing_left(place: Place, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := place.left_running()) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left, left


def _whole_rounds(place: Place) -> set[str]:
    """Fits that are ok, of rounds that are: what is left of a broken round is made again with it."""
    children: dict[str, set[str]] = {}
    finished = place.finished()
    for name in finished:
        with contextlib.suppress(FileNotFoundError):
            children.setdefault(_round(name), set()).add(_record(place.run, name)["child"])
    sizes = Counter(map(_round, finished))
    return {name for name in finished if sizes[_round(name)] == 2 and len(children.get(_round(name), ())) == 1}


def _round(name: str) -> str:
    cell, _, rep = name.rpartition("-")
    return f"{cell} {int(rep) // 2}"


def _record(run: Path, name: str) -> dict[str, str]:
    return dict(json.loads((run / "fits" / name / "record.json").read_text()))


def _victim(
    parent: int, drawn: random.Random, kinds: Mapping[str, int], *, unguarded: bool
) -> tuple[str, psutil.Process]:
    """A process of the run, of a kind that is drawn; IndexError where there is none of it in time."""
    (kind,) = drawn.choices(list(kinds), list(kinds.values()))
    there = [] if kind != "parent" or unguarded else [psutil.Process(parent)]
    until = time.monotonic() + AIM_SECONDS
    while kind != "parent" and not there and time.monotonic() < until and not _ended(parent, 0.005):
        there = [process for other, process in _kinds(parent) if other == kind]
    time.sleep(drawn.uniform(0.0, 0.02))
    return kind, drawn.choice(there)


def _kinds(parent: int) -> Iterator[tuple[str, psutil.Process]]:
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(parent).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                command = " ".join(process.cmdline())
                if "bench.measure.forkserver" in command:
                    above = " ".join(process.parent().cmdline())
                    yield "child" if "bench.measure.forkserver" in above else "server", process
                elif "spawn_main" in command:
                    yield "slot", process
                elif "guardian.py" in command:
                    yield "guardian", process
                elif "bench.score" in command:
                    yield "scorer", process


def _ended(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        while time.monotonic() < until:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.02)
        return False
    return True
