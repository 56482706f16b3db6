"""Runs of 500 and of 2 000 scored fits: the memory of their parents, and what every verb costs of each.

python tests/benchmarks/studies/big_runs.py                              makes both, ten minutes on two free cores
python tests/benchmarks/studies/big_runs.py --fits 100 400
python tests/benchmarks/studies/big_runs.py --results FOLDER             made there, or found from the last time

The contenders are quick ones, ten fits of each on every data set. Memory is read from the process table while fits are
made, and at its most with their scoring. Of verbs: CPU seconds, for other programs lengthen wall seconds, without those
of the processes that draw figures (at most 48, whatever the run); and those of starting a bare interpreter.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[3]
CONTENDERS = (
    "fake.exact", "fake.twin", "fake.exact[bias=0.02]", "fake.exact[spread=0.97]", "exact.posterior", "numpy.gd",
    "numpy.gd[lr=0.02]", "numpy.gd[lr=0.03]", "numpy.gd[lr=0.005]", "numpy.gd[lr=0.002]",
)  # fmt: skip
REPS, ROUNDS = 2, 5
SQL = "select backend, median(seconds_total) from fits where not cold group by backend"
VERBS: dict[str, Sequence[str]] = {
    "report": ("report", "r"),
    "check": ("check", "r"),
    "list runs": ("list", "runs"),
    "query": ("query", SQL),
    "history": ("history",),
    "export": ("export", "r", "--format", "csv", "--to", "{out}"),
}


class Cost(NamedTuple):
    """What a command took: CPU and wall seconds, and MiB of its largest process."""

    cpu: float
    wall: float
    mib: float


def environment() -> dict[str, str]:
    return {**os.environ, "BENCH_BACKENDS": str(ROOT / "tests" / "fakes"), "PYTHONPATH": str(ROOT)}


def cost(*arguments: str) -> Cost:
    """A Python command, its children included; it must end well."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace")
    _, status, own = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (arguments, process.returncode, said)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, time.perf_counter() - began, own.ru_maxrss / 1024)


def make(fits: int, results: Path) -> None:
    """The run `r` of so many fits, and a sentence on the memory of its parent."""
    data_sets = fits // (len(CONTENDERS) * REPS * ROUNDS)
    sizes = ",".join(str(50 + 10 * i) for i in range(data_sets))
    chosen = [part for name in CONTENDERS for part in ("-b", name)]
    command = [
        "-m", "bench", "run", "-s", f"correlated-rho95[n_obs=[{sizes}]]", *chosen, "--reps", str(REPS),
        "--rounds", str(ROUNDS), "--results", str(results), "--name", "r",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *command], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seen: list[tuple[int, float]] = []
    while process.poll() is None:
        with_fits = results / "r" / "fits"
        done = len(os.listdir(with_fits)) if with_fits.is_dir() else 0
        try:
            seen.append((done, psutil.Process(process.pid).memory_info().rss / 2**20))
        except psutil.Error:
            break
        time.sleep(0.5)
    assert process.wait() == 0, process.returncode
    made, mib = np.array(seen).T
    running = (made > 0.1 * fits) & (made < 0.99 * fits)  # scores and tables come after the last
    slope = 1000 * np.polyfit(made[running], mib[running], 1)[0]
    first, last = mib[running][:5].mean(), mib[running][-5:].mean()
    most = f"{mib.max():.0f} MiB at most while it scores and reports"
    print(f"{fits} fits: parent {first:.1f} MiB after a tenth, {last:.1f} MiB after the last", end=" ")
    print(f"({slope:+.2f} MiB per 1 000 fits), {most}", flush=True)


def main() -> None:
    """Make what is missing, then run every verb on each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = given.results or Path(scratch)
        costs: dict[int, dict[str, Cost]] = {}
        for fits in given.fits:
            results = place / str(fits)
            if not (results / "r" / "report.html").is_file():
                make(fits, results)
            costs[fits] = {
                verb: cost("-m", "bench", *(part.format(out=f"{scratch}/{fits}") for part in words),
                           "--results", str(results))
                for verb, words in VERBS.items()
            }  # fmt: skip
        bare = cost("-c", "pass").cpu
    print(f"a bare interpreter: {1e3 * bare:.0f} ms of CPU")
    small, large = given.fits[0], given.fits[-1]
    for verb in VERBS:
        words = [
            f"{costs[n][verb].cpu:6.2f} s of CPU, {costs[n][verb].wall:6.2f} s of wall, {costs[n][verb].mib:4.0f} MiB"
            for n in given.fits
        ]
        ratio = costs[large][verb].cpu / costs[small][verb].cpu
        print(f"{verb:10} {' | '.join(words)} | {ratio:.1f} times for {large / small:.0f} times the fits")


if __name__ == "__main__":
    main()
