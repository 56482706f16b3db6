"""SIGKILL of processes of every kind that a run has: no finished fit lost, no hang, no orphan, no file in TMPDIR.

python -m tests.benchmarks.studies.kills 500 1          so many kills, from that seed on; some seconds each
python -m tests.benchmarks.studies.kills 200 1 --executor dask     of runs in slots, the slots among the victims

Prints every ten kills of which kinds they were; the first fault ends it.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.measure.resume.conftest import Place
from tests.measure.resume.victims import kill_any

BATCH = 10


def main(kills: int, seed: int, *options: str) -> None:
    """That many kills."""
    counts = Counter[str]()
    while counts.total() < kills:
        with tempfile.TemporaryDirectory() as folder:
            place = Place(Path(folder))
            try:
                counts += kill_any(place, min(BATCH, kills - counts.total()), seed, *options)
            finally:
                for process in place.started:
                    process.kill()
                    process.wait()
        seed += 1
        print(f"{counts.total()} kills, nothing lost: {dict(counts)}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3] or [500, 1]), *sys.argv[3:])
