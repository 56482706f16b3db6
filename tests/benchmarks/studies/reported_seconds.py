"""Seconds that the harness reports of a fit against the same fit timed by hand in a bare script: median ratio.

python tests/benchmarks/studies/reported_seconds.py [--rounds 5]

The bare script makes data, program and fit itself, with one `perf_counter` around `fit` and a clock that does nothing.
Harness and bare script alternate, each in a process of its own; both use all CPUs the process may use.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

CASES = {
    "numpy.gd[steps=20000]": "s4-linear",
    "torch.adam[steps=3000]": "s4-linear",
    "pyro.svi[steps=1000]": "s1-known-noise",
    "numpyro.nuts": "s0-uniform",
}
REPS = 5
BARE = """
import contextlib, importlib, json, os, sys, time
from bench.catalog.backends import backend
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.selection import parse
from bench.cell import BUDGETS
from bench.measure.runtime import runtime_of
from bench.measure.contender import load
from bench.types import Place
from dataclasses import replace

class Clock:
    def __call__(self, phase):
        return contextlib.nullcontext()
    def checkpoint(self, step, estimate, *, gradients=None):
        pass

name, chosen = parse(sys.argv[1]).name, dict(parse(sys.argv[1]).values)
threads = len(os.sched_getaffinity(0))
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(threads)
place, framework = Place("cpu", "float64", threads), name.partition(".")[0]
load(framework, place, "matched", [])
runtime = runtime_of(framework)
runtime.start(place)
method = importlib.import_module(f"backends.{name}")
budget = replace(BUDGETS["quick"], **{k: v for k, v in chosen.items() if k == "steps"})
made = scenario(sys.argv[2])
program, seconds = None, []
for rep in range(int(sys.argv[3])):
    data = dataset(made, seed=0, rep=rep).observed()
    if program is None:
        program = method.build(data.skeleton(), budget, method.Options(), place)
        if hasattr(method, "compile"):
            method.compile(program, data.skeleton())
    began = time.perf_counter()
    state = method.fit(program, data, 1000 + rep, Clock())
    runtime.synchronize()
    seconds.append(time.perf_counter() - began)
    method.draw(state)
print(json.dumps(seconds[1:]))
"""


def bare(contender: str, scenario: str) -> float:
    """Median warm seconds by hand."""
    command = [sys.executable, "-c", BARE, contender, scenario, str(REPS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(np.median(json.loads(done.stdout.splitlines()[-1])))


def reported(contender: str, scenario: str) -> float:
    """Median warm seconds of warmup, sampling and transfer, as the harness says."""
    with tempfile.TemporaryDirectory() as folder:
        args = ["-s", scenario, "-b", contender, "--reps", str(REPS), "--no-score", "--results", folder, "--name", "r"]
        subprocess.run([sys.executable, "-m", "bench", "run", *args], check=True, capture_output=True)
        fits = pd.read_parquet(Path(folder) / "r" / "fits.parquet")
    warm = fits[~fits.cold]
    return float((warm.seconds_warmup + warm.seconds_sample + warm.seconds_transfer).median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rounds = parser.add_argument("--rounds", type=int, default=5).dest
    count = getattr(parser.parse_args(), rounds)
    ratios = []
    for contender, scenario in CASES.items():
        pairs = []
        for i in range(count):
            order = (reported, bare) if i % 2 else (bare, reported)
            found = {f.__name__: f(contender, scenario) for f in order}
            pairs.append(found["reported"] / found["bare"])
        ratios += pairs
        print(f"{contender} on {scenario}: median ratio {np.median(pairs):.3f} ({min(pairs):.3f} to {max(pairs):.3f})")
    print(f"harness / by hand over {len(ratios)} pairs: median ratio {np.median(ratios):.3f}")


if __name__ == "__main__":
    main()
