"""A framework that is NumPy; it says how long it compiled."""

import subprocess
import sys
import time

import scipy.optimize  # noqa: F401 -- references need it: imported by the fork server once, not by every child

COMPILED = [0.0]
PENDING = []
"""Work that a stand-in for a device has been given and has not finished."""


def burn(seconds):
    """Another process takes a CPU for so long; nobody waits for its end, which would make its work this process's."""
    code = "import sys, time\nuntil = time.perf_counter() + float(sys.argv[1])\nwhile time.perf_counter() < until: pass"
    subprocess.run(["sh", "-c", '"$@" &', "sh", sys.executable, "-c", code, str(seconds)], check=True)
    time.sleep(seconds + 0.05)


def synchronize():
    while PENDING:
        PENDING.pop().join()


def compile_seconds():
    return COMPILED[0]


def versions():
    return {"fake": "1"}
