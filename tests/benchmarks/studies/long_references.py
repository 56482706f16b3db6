"""Are references by long runs right, and their stated errors honest? Against every exact reference of the catalog.

    python -m tests.benchmarks.studies.long_references [SCENARIO…] [--draws N] [-b SAMPLER…]

For each scenario with an exact reference `bench reference` makes a long one of the same data. Printed are what it is
worth, and z of all means, (long − exact)/(sd·√(1/worth)), and of all sds, the same by the error sd·√(1/(2·worth)) of
a normal posterior. Their root mean square is 1 where errors are as stated, and below 1 for functions that are known
better than the worst, whose effective draws are the worth: means by NUTS are. The largest is what chance explains. A
scenario of which no long run keeps the rules is named with the rule. The options are those of `bench reference`;
compiled samplers (`-b numpyro.nuts -b nutpie.nuts`) take minutes, torch hours.
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
            worth = long.n_effective
            z = np.stack(
                [
                    np.concatenate([np.ravel((long.mean[n] - exact.mean[n]) / exact.sd[n]) for n in data.names])
                    * np.sqrt(worth),
                    np.concatenate([np.ravel(long.sd[n] / exact.sd[n] - 1.0) for n in data.names])
                    * np.sqrt(2.0 * worth),
                ]
            )
            every.append(z)
            print(f"{name}: worth {worth:.0f}, {_told(z)}, {time.monotonic() - began:.0f} s", flush=True)
    if every:
        print(f"all: {_told(np.concatenate(every, axis=1))}")


def _told(z: np.ndarray) -> str:
    """Root mean square and largest of z (mean or sd, scalar)."""
    rms, largest = np.sqrt(np.mean(z**2, axis=1)), np.abs(z).max(axis=1)
    of_each = (
        f"{what}: rms z {a:.2f}, largest {b:.1f}" for what, a, b in zip(("means", "sds"), rms, largest, strict=True)
    )
    return f"{z.shape[1]} scalars, {'; '.join(of_each)}"


if __name__ == "__main__":
    main(sys.argv[1:])
