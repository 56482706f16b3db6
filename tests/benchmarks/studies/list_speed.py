"""What `bench list` costs in starts of a bare interpreter: `python tests/benchmarks/studies/list_speed.py [ROUNDS]`.

Both alternate, with bytecode written before. CPU seconds, for other programs lengthen wall seconds.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = {
    "a bare interpreter": ["-c", "pass"],
    "import typer": ["-c", "import typer"],
    "bench list": ["-m", "bench", "list"],
}


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """CPU seconds of one child, user and system."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int = 15) -> None:
    """Print medians, and ratios to the bare interpreter of the same round."""
    with tempfile.TemporaryDirectory() as folder:
        for arguments in COMMANDS.values():
            cpu_seconds(arguments, folder)
        rows = [{name: cpu_seconds(arguments, folder) for name, arguments in COMMANDS.items()} for _ in range(rounds)]
    for name in COMMANDS:
        ratio = median(row[name] / row["a bare interpreter"] for row in rows)
        print(f"{name}: {1e3 * median(row[name] for row in rows):.0f} ms, {ratio:.1f} times a bare interpreter")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
