"""Peak memory of programs of known size, and mapped files of which every page is known to be touched or not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.measure import residency
from tests.conftest import ROOT

SIZE = 8 * 2**20
SCRIPT = f"""
import mmap, os, sys
from bench.measure import residency

with open(sys.argv[1], "r+b") as stream:
    mapped = mmap.mmap(stream.fileno(), {SIZE}, prot=mmap.PROT_READ)

def touch():
    return sum(mapped[at] for at in range(0, {SIZE}, residency.PAGE))

touch()
server = residency.mapped_files()
residency.untouched(server)
assert residency.untouched(server) == 0, "a process has its own pages"
if not os.fork():
    residency.untouched(server)  # what looking itself touches
    before = residency.untouched(server)
    touch()
    print(before - residency.untouched(server), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not residency.mapped_files(), reason="the system has no /proc/self/pagemap")
def test_a_fork_lacks_the_file_pages_of_its_server_until_it_touches_them(tmp_path):
    file = tmp_path / "pages"
    file.write_bytes(os.urandom(SIZE))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(file)], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    # the code that touches them and that counts lies in files, too: some tens of pages
    assert SIZE <= int(done.stdout) <= SIZE + 2**20


def test_a_system_that_does_not_tell_counts_as_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(residency, "SELF", tmp_path)
    assert residency.mapped_files() == [] and residency.untouched([]) == 0


@pytest.mark.skipif(not (residency.SELF / "status").is_file(), reason="the system has no /proc/self/status")
def test_the_peak_is_that_of_this_program_and_not_of_its_large_parent():
    child = "from bench.measure import residency; a = b'x' * (80 * 2**20); del a; print(residency.peak_bytes())"
    parent = (
        f"import subprocess, sys; ballast = b'x' * (400 * 2**20)\n"
        f"print(subprocess.run([sys.executable, '-c', {child!r}], capture_output=True, text=True).stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    # an interpreter with NumPy and the 80 MiB that it gave back; getrusage says over 400
    assert 80 * 2**20 < int(done.stdout) < 200 * 2**20


def test_a_system_without_proc_gives_what_getrusage_says(tmp_path, monkeypatch):
    said = residency.peak_bytes()
    monkeypatch.setattr(residency, "SELF", tmp_path)
    assert residency.peak_bytes() >= 0.5 * said
