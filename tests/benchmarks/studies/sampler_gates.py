"""Does every gradient sampler meet the target? `python tests/benchmarks/studies/sampler_gates.py`, some minutes.

Two correlated features (correlated-rho95), 3 rounds of 2 fits. Prints a line per sampler: its state, what objects, its
error and warm seconds; ends with 1 where one has not met the target.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SAMPLERS = ("numpyro.nuts", "torch.nuts", "torch.hmc", "pyro.nuts[jit_compile=true]")


def main() -> int:
    """Run, and read the states as the report does."""
    sys.path.insert(0, str(ROOT))
    from bench.analysis.sections import report
    from bench.pipeline import run_tables
    from bench.store.folder import RunFolder

    named = [word for sampler in SAMPLERS for word in ("-b", sampler)]
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "bench", "run", "-s", "correlated-rho95", *named, "--budget", "standard"]
        command += ["--rounds", "3", "--reps", "2", "--results", place, "--name", "gates"]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
        rows = report(run_tables(RunFolder.open(Path(place), "gates"))).sections[0].rows
    for row in rows:
        print(f"{row.label}: {row.state} {row.reason}; b2_max {row.b2_max}, {row.warm} s warm")
    return int(any(row.state != "met" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
