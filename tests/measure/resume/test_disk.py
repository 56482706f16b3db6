"""A disk that fills: one message, nothing corrupt, and the run goes on when there is room."""

import errno
import json
import os
import subprocess

import numpy as np
import pandas as pd
import pytest

from bench.disk import durable
from bench.store.folder import RunFolder
from bench.store.ledger import Ledger
from bench.store.records import Record
from tests.measure.resume.conftest import Place, same, tables


@pytest.fixture
def small(tmp_path):
    """A file system of its own, of so many KiB; growing it is a matter of mounting it again.

    Commands on it are processes of their own: scoring processes of this one would stay in it, and keep it mounted.
    """
    mounted = tmp_path / "small"
    mounted.mkdir()

    def mount(options, *more):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", *more, "-o", options, "tmpfs", mounted], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"mounting a tmpfs needs root and leave to: {done.stderr.strip()}")

    made = []

    def size(kib):
        mount(f"{'remount,' if made else ''}size={kib}k")
        if not made:
            made.append(Place(mounted))
            (tmp_path / "tmp").mkdir()
            made[0].env["TMPDIR"] = str(tmp_path / "tmp")  # the temporary folder is not what fills
            made[0].tmp = tmp_path / "tmp"
        return made[0]

    yield size
    for place in made:
        for process in place.started:
            process.kill()
            process.communicate()
        place.wait_for(lambda place=place: not place.left_running())
    if made:
        subprocess.run(["umount", mounted], check=True)


def fill_and_resume(small, tmp_path, *, fits, first):
    """Run on a disk of `first` KiB until it is full, look at what is there, give it room, and go on."""
    selection = ("-s", "correlated-rho95", "-b", "fake.instrument", "--reps", "2", "--rounds", str(fits // 2))
    place = small(first)
    said = place.process("run", *selection, "--name", "r", code=3)
    lines = [line for line in said.splitlines() if "error" in line]
    assert len(lines) == 1 and f"the file system at {place.path}" in lines[0]
    assert "--resume results/r" in lines[0]
    done = place.finished()  # every one of them can be read
    assert 0 < len(done) < fits
    for name in done:
        with np.load(place.run / "fits" / name / "draws.npz") as draws:
            assert all(np.isfinite(draws[key]).all() for key in draws.files)
    assert [json.loads(line) for line in (place.run / "children.jsonl").read_text().splitlines()]
    assert json.loads((place.run / "run.json").read_text())["cells"]
    statuses = {json.loads(f.read_text())["status"] for f in place.run.glob("fits/*/record.json")}
    assert statuses == {"ok"}, "a full disk is nobody's crash"
    place.quiet()
    small(1_000_000)
    place.process("run", "--resume", "r")
    assert done <= place.finished() and len(place.finished()) == fits
    place.process("check", "r")
    other = Place(tmp_path / "other")
    other.bench("run", *selection, "--name", "r")
    same(tables(place.run), tables(other.run))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path):
    (tmp_path / "other").mkdir()


@pytest.mark.slow
def test_a_run_on_a_disk_that_fills_ends_with_one_message_and_can_go_on(small, tmp_path):
    """Of 40 fits, from which on processes of their own score them."""
    fill_and_resume(small, tmp_path, fits=40, first=1400)


@pytest.mark.slow
def test_a_disk_that_fills_while_scoring_loses_no_fit(small):
    place = small(100_000)
    place.process(
        "run", "-s", "correlated-rho95", "-b", "fake.instrument", "--rounds", "4", "--name", "r", "--no-score"
    )
    used = sum(f.stat().st_blocks * 512 for f in place.path.rglob("*"))
    done = place.finished()
    small(used // 1024 + 100)
    said = place.process("score", "r", code=3)
    assert "No space left" in said
    assert place.finished() == done and not list(place.run.glob("fits/*/.*"))
    small(100_000)
    place.process("score", "r")
    place.process("check", "r")


def test_no_room_for_the_first_file_is_said_and_nothing_is_left(small):
    place = small(8)
    (place.path / "ballast").write_bytes(b"x" * 8192)
    said = place.process("run", "-s", "correlated-rho95", "-b", "fake.instrument", "--name", "r", code=3)
    assert "nothing was run" in said and not place.run.exists()


class Full:
    """Stands in for `os.fsync` on a full disk, from the n-th call on."""

    def __init__(self, after):
        self.left = after

    def __call__(self, descriptor):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", range(7))
def test_a_write_that_fails_at_any_step_changes_nothing(tmp_path, monkeypatch, after):
    folder = RunFolder.create(tmp_path, "r")
    old, new = (Record("abc", 0, 0, 0, True, "failed", reason) for reason in ("old", "new"))
    folder.write_fit(old, None, b"log")
    ledger = Ledger(tmp_path / "a.jsonl")
    ledger.append({"n": 0})
    draws = tmp_path / "draws"
    draws.write_bytes(b"draws")
    monkeypatch.setattr(durable.os, "fsync", Full(after))
    with pytest.raises(OSError, match="No space left"):
        folder.write_fit(new, draws, b"log")
        folder.write_fit(new, None, b"log")
    monkeypatch.setattr(durable.os, "fsync", Full(0))
    with pytest.raises(OSError, match="No space left"):
        ledger.append({"n": 1})
    assert folder.record("abc", 0) in (old, new)
    if after < 3:
        assert folder.record("abc", 0) == old
    assert [f.name for f in (folder.path / "fits").iterdir()] == ["abc-0"]
    assert ledger.entries() == [{"n": 0}] and ledger.path.read_bytes().endswith(b"\n")


def test_a_fit_is_never_absent_while_it_is_replaced(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path, "r")
    folder.write_fit(Record("abc", 0, 0, 0, True, "failed", "old"))
    seen = []
    original = durable.shutil.rmtree
    monkeypatch.setattr(
        durable.shutil, "rmtree", lambda *a, **k: (seen.append(folder.record("abc", 0)), original(*a, **k))
    )
    folder.write_fit(Record("abc", 0, 0, 0, True, "failed", "new"))
    assert [record.reason for record in seen] == ["new"]


def test_tables_are_whole_or_as_before(tmp_path, monkeypatch):
    from bench.store import tables as stored

    folder = RunFolder.create(tmp_path, "r")
    stored.write(folder, "metrics", stored.table("metrics", [("r", "c", "s", "b", 0, "mean", "x", 1.0)]))
    before = {f.name: f.read_bytes() for f in folder.path.glob("metrics.*")}
    monkeypatch.setattr(durable.os, "fsync", Full(0))
    with pytest.raises(OSError, match="No space left"):
        stored.write(folder, "metrics", stored.table("metrics"))
    assert {f.name: f.read_bytes() for f in folder.path.iterdir() if f.is_file()} == before
    assert len(pd.read_parquet(folder.path / "metrics.parquet")) == 1
