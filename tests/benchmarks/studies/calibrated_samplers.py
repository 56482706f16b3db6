"""Which samplers are calibrated, and is mean-field VI not? `python tests/benchmarks/studies/calibrated_samplers.py`.

200 data sets each, some minutes a cell. Prints a line per cell: what is expected, what was found, and the seconds; ends
with 1 where they differ. A right sampler is called miscalibrated once in 100 times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DATASETS = "200"
CELLS = [
    ("numpyro.nuts", "s0-uniform", "calibrated"),
    ("numpyro.nuts", "s3-best", "calibrated"),
    ("torch.metropolis[warmup=1000,draws=3000]", "s0-uniform", "calibrated"),
    ("torch.metropolis[warmup=1000,draws=3000]", "s3-best", "calibrated"),
    ("pyro.svi[lr=0.1,jit=true]", "correlated-rho95", "miscalibrated"),
]


def state(backend: str, scenario: str, folder: str) -> str:
    """What `bench calibrate` calls the cell."""
    cell = ["-s", scenario, "-b", backend, "--datasets", DATASETS, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "calibrate", *cell],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return str(json.loads(done.stdout)["cells"][0]["state"])


def main() -> int:
    """Every cell; 1 where one is not as expected."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for backend, scenario, expected in CELLS:
            began = time.monotonic()
            verdict = state(backend, scenario, folder)
            wrong += verdict != expected
            print(
                f"{scenario} x {backend}: {verdict}, expected {expected}; {time.monotonic() - began:.0f} s", flush=True
            )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
