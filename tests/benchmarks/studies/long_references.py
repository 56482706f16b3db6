"""Are references by long runs right, and their stated errors honest? Against every exact reference of the catalog.

    python -m tests.benchmarks.studies.long_references [SCENARIO…] [--draws N] [-b SAMPLER…]

For each scenario with an exact reference `bench reference` makes a long one of the same data. Printed are what it is
worth, and z = (long − exact)/(sd·√(1/worth)) of all means: their root mean square is 1 where errors are as stated, and
the largest is what chance explains. A scenario of which no long run keeps the rules is named with the rule. The options
are those of `bench reference`; compiled samplers (`-b numpyro.nuts -b nutpie.nuts`) take minutes, torch hours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.catalog.places import scenario_files
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.errors import NoReference
from bench.reference import stored
from bench.reference.cache import reference


def exact_ones() -> list[str]:
    """Scenarios whose reference is exact."""
    names = []
    for name in scenario_files():
        try:
            if np.isinf(reference(dataset(scenario(name), seed=0, rep=0)).n_effective):
                names.append(name)
        except NoReference:
            continue
    return names


def main(arguments: list[str]) -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    asked.add_argument("--draws", default="5000")
    asked.add_argument("-b", "--backend", action="append", default=[], help="as of `bench reference`")
    given = asked.parse_args(arguments)
    options = ["--draws", given.draws, *(word for name in given.backend for word in ("-b", name))]
    every = []
    with tempfile.TemporaryDirectory() as place:
        for name in given.scenarios or exact_ones():
            file, began = Path(place) / f"{name}.npz", time.monotonic()
            line = [sys.executable, "-m", "bench", "reference", name, *options, "--out", str(file), "--json"]
            done = subprocess.run([*line, "--results", place], capture_output=True, text=True, check=False)
            said = json.loads(done.stdout) if done.stdout else {"faults": [done.stderr.strip()]}
            if said["faults"]:
                print(f"{name}: no long reference: {said['faults'][0]}", flush=True)
                continue
            data = dataset(scenario(name), seed=0, rep=0)
            exact, long = reference(data), stored.load(file, data)
            assert long is not None
            z = np.concatenate(
                [np.ravel((long.mean[n] - exact.mean[n]) / exact.sd[n]) * np.sqrt(long.n_effective) for n in data.names]
            )
            every.append(z)
            rms, largest = np.sqrt(np.mean(z**2)), np.abs(z).max()
            seconds = time.monotonic() - began
            found = f"{z.size} means, rms z {rms:.2f}, largest {largest:.1f}, {seconds:.0f} s"
            print(f"{name}: worth {long.n_effective:.0f}, {found}", flush=True)
    if every:
        z = np.concatenate(every)
        print(f"all: {z.size} means, rms z {np.sqrt(np.mean(z**2)):.2f}, largest {np.abs(z).max():.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
