"""Seconds per gradient as the harness states them, against a plain script of the same sampler without the harness.

python tests/benchmarks/studies/bare_samplers.py [--processes 5] [--fits 40] [CONTENDER …]

Both fit s0-uniform in one process of the framework's interpreter, which has compiled both before anything is measured;
then they fit in turn, in random order, so that whatever the machine does meets both. Their seconds are those of the
CPU, which what else runs here adds little to, over the gradients that the library states (of chains in lockstep those
that all of them execute). A process gives the median ratio harness / script; processes, which differ more than their
fits, give Student's t on the log scale, and whether that lies within 10 %.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bare.scripts import SCRIPTS, Size

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 0.1
"""By how much the two may differ."""
Cost = Callable[[int], float]
"""Of a seed: fits once, and returns the CPU seconds per gradient."""


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def harness(contender: str, size: Size, kept: Path) -> Cost:
    """A fit as a worker makes and books it; what Stan builds is kept in a folder."""
    from bench.catalog.scenarios import scenario
    from bench.cell import Cell
    from bench.data import dataset
    from bench.measure.contender import Contender

    budget = tuple(sorted(size._asdict().items()))
    cell = Cell("s0-uniform", (), contender, budget, "standard", "matched", "cpu", "float64")
    one = Contender(cell, len(os.sched_getaffinity(0)), compiled=kept if contender == "stan.nuts" else None)
    one.timer = cpu

    def fit(seed: int) -> float:
        attempt = one.attempt(lambda: dataset(scenario("s0-uniform"), seed=0, rep=0), seed, cold=seed == 0)
        assert attempt.status == "ok", attempt.reason
        fitting = sum(s for phase, s in attempt.clock.seconds.items() if {*phase.split("+")} & {"warmup", "sample"})
        return fitting / attempt.stats.get("gradients_executed", attempt.stats["gradients"])

    return fit


def script(contender: str, size: Size) -> Cost:
    """The plain script, measured around its call."""
    from bench.catalog.scenarios import scenario
    from bench.data import dataset

    arrays = dataset(scenario("s0-uniform"), seed=0, rep=0).arrays
    run = SCRIPTS[contender][0](arrays["x"], arrays["y"], size)

    def fit(seed: int) -> float:
        began = cpu()
        counted = run(seed)
        return (cpu() - began) / counted()

    return fit


def process(contender: str, fits: int, number: int, kept: Path) -> None:
    """Fit by both in turn; prints their costs, one pair a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints is no answer
    size, turns = SCRIPTS[contender][1], random.Random(number)
    sides = [harness(contender, size, kept)]
    sides[0](0)  # sets the framework's environment before the script imports it
    sides.append(script(contender, size))
    sides[1](0)
    for seed in range(1, fits + 1):
        found = [0.0, 0.0]
        for which in turns.sample((0, 1), 2):
            found[which] = sides[which](1000 * number + seed)
        print(json.dumps(found), file=answers, flush=True)


def start(contender: str, fits: int, number: int, kept: str) -> tuple[float, float]:
    """Median CPU seconds per gradient of the harness, and median log ratio to the script in the same turn."""
    from bench.catalog.environments import interpreter
    from bench.measure.environment import default_threads, environment

    words = ["--fits", str(fits), "--number", str(number), "--kept", kept]
    command = [interpreter(contender.rpartition(".")[0]), __file__, *words, contender]
    environ = {**environment(default_threads(), ROOT), "XDG_CACHE_HOME": kept}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    ours, theirs = np.array([json.loads(line) for line in done.stdout.splitlines()]).T
    return float(np.median(ours)), float(np.median(np.log(ours / theirs)))


def study(contender: str, processes: int, fits: int) -> None:
    """Print what each process finds, then the interval."""
    from scipy import stats

    began, logs = time.monotonic(), []
    with tempfile.TemporaryDirectory() as kept:
        for number in range(processes):
            ours, log = start(contender, fits, number, kept)
            logs.append(log)
            print(f"{contender}: {1e6 * ours:.2f} µs per gradient, harness / script {np.exp(log):.3f}", flush=True)
    low, high = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
    inside, outside = max(-low, high) < np.log1p(LIMIT), max(low, -high) > np.log1p(LIMIT)
    said = "within" if inside else "beyond" if outside else "undecided, more processes:"
    interval = f"95 % interval {np.exp(low):.3f} to {np.exp(high):.3f}"
    spent = f"{time.monotonic() - began:.0f} s"
    print(f"{contender}: harness / script {np.exp(np.mean(logs)):.3f} ({interval}), {said} {LIMIT:.0%}, in {spent}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", metavar="CONTENDER", help=", ".join(SCRIPTS))
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--fits", type=int, default=40, help="of each side in a process")
    parser.add_argument("--number", type=int, help="be this one of the processes")
    parser.add_argument("--kept", type=Path, help="its folder for what Stan builds")
    chosen = parser.parse_args()
    if chosen.number is not None:
        process(chosen.contenders[0], chosen.fits, chosen.number, chosen.kept)
        return
    for contender in chosen.contenders or SCRIPTS:
        study(contender, chosen.processes, chosen.fits)


if __name__ == "__main__":
    main()
