"""Is the time to a target, prorated by gradients, the time that a run of that length takes?

The same chains are run with 25, 50, …, 1000 draws after the same warmup; those of one seed share their draws, so that a
short run is the beginning of the longest. Per length: measured seconds over the seconds that the longest run of the
same round states for that draw, warm, with the 95 % interval of the rounds. Rounds interleave all lengths in random
order, and each shorter run is held against the mean of the two longest ones beside it.

    python tests/benchmarks/studies/prorated_seconds.py [--rounds 8] [--warmup 500] [--longest 1000] [--cpu] [backend…]

`--cpu` takes the process's seconds instead of the clock's, for a machine that others load.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.measure.runtime import runtime_of
from bench.stats.intervals import paired
from bench.types import Budget, Dataset, Place

SCENARIOS = ("s0-uniform", "eight-schools", "logistic")
BACKENDS = ("numpyro.nuts", "torch.nuts")
LENGTHS = (25, 50, 100, 250, 500, 1000)
CHAINS = 4


class Timed(NamedTuple):
    """A run's seconds in all, those before its first draw (none of one compiled program), and gradients executed."""

    seconds: float
    before: float
    warmup: int
    steps: Any  # (chain, draw)

    def prorated(self, draws: int) -> float:
        """Seconds to that draw as the harness states them: what is one program is divided by gradients."""
        done, total = self.steps[:, :draws].sum(), self.steps.sum()
        if self.before:
            return self.before + (self.seconds - self.before) * done / total
        return self.seconds * (self.warmup + done) / (self.warmup + total)


def runner(backend: str, data: Dataset, warmup: int, timer: Callable[[], float], draws: int) -> Callable[[], Timed]:
    """A program of that length, compiled, and run once for nothing."""
    runtime = runtime_of(backend.partition(".")[0])
    runtime.start(Place())
    method = importlib.import_module(f"backends.{backend}")
    budget = Budget("cut", CHAINS, warmup, draws, 0, 1, 1, 3600.0)
    program = method.build(data.skeleton(), budget, method.Options(), Place())
    if hasattr(method, "compile"):
        method.compile(program, data.skeleton())

    def run() -> Timed:
        clock = WallClock(synchronize=runtime.synchronize, timer=timer)
        stats = method.draw(method.fit(program, data, 1, clock)).stats
        seconds = clock.seconds.get("warmup", 0.0), sum(clock.seconds.get(p, 0.0) for p in ("sample", "warmup+sample"))
        warmup = stats.get("gradients_executed_warmup", stats["gradients_warmup"])
        return Timed(sum(seconds), seconds[0], warmup, stats["num_steps_executed"])

    run()
    return run


def ratios(run: Callable[[int], Callable[[], Timed]], lengths: list[int], rounds: int) -> dict[int, list[float]]:
    """Log ratios of measured over prorated seconds per length, one per round; `run(draws)` makes a program."""
    *shorter, longest = lengths
    runs = {draws: run(draws) for draws in lengths}
    order, logs = random.Random(0), {draws: list[float]() for draws in shorter}
    long = runs[longest]()
    for _ in range(rounds):
        for draws in order.sample(shorter, len(shorter)):
            short, before, long = runs[draws](), long, runs[longest]()
            if not np.array_equal(short.steps, long.steps[:, :draws]):
                raise RuntimeError(f"the run of {draws} draws is not the beginning of that of {longest}")
            stated = 0.5 * (before.prorated(draws) + long.prorated(draws))
            logs[draws].append(math.log(short.seconds / stated))
    return logs


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("backends", nargs="*", default=BACKENDS)
    words.add_argument("--rounds", type=int, default=8)
    words.add_argument("--warmup", type=int, default=500)
    words.add_argument("--longest", type=int, default=LENGTHS[-1])
    words.add_argument("--cpu", action="store_true")
    chosen = words.parse_args()
    timer = time.process_time if chosen.cpu else time.perf_counter
    lengths = [draws for draws in LENGTHS if draws <= chosen.longest]
    for backend in chosen.backends:
        for of in SCENARIOS:
            data = dataset(scenario(of), seed=0, rep=0).observed()
            run = partial(runner, backend, data, chosen.warmup, timer)
            for draws, logs in ratios(run, lengths, chosen.rounds).items():
                estimate = paired(np.array(logs))
                low, high = np.exp(estimate.interval(0.95))
                middle = math.exp(estimate.effect)
                print(f"{backend} {of} {draws:4d} draws: {middle:.3f} [{low:.3f}, {high:.3f}] of prorated", flush=True)


if __name__ == "__main__":
    main()
