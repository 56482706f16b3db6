"""Files of a run changed at random, as many as asked for: read, or refused with a sentence; no traceback, no hang.

python -m tests.benchmarks.studies.strangers 12500          each of eight kinds of file, half an hour in all

Prints per kind what was raised that may not be, once, with the seed that shows it again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.comparison import document
from bench.errors import described
from bench.pipeline import run_tables
from bench.store import netcdf
from bench.store.folder import RunFolder
from tests import small_run
from tests.store import strangers


def study(run: Path, kind: str, trials: int) -> set[str]:
    """What readers of this kind of file raised that they may not."""
    raised: set[str] = set()
    for seed in range(trials):
        try:
            strangers.trial(run, kind, np.random.default_rng(seed))
        except Exception as error:  # noqa: BLE001 -- whatever a reader may not raise
            if described(error) not in raised:
                print(f"{kind}, seed {seed}: {described(error)}", flush=True)
            raised.add(described(error))
    return raised


def main(trials: int) -> None:
    """Every kind of file in turn."""
    with tempfile.TemporaryDirectory() as place:
        run = small_run.make(Path(place))
        tables = run_tables(RunFolder(run))
        names = {cell.id: cell.name for cell in tables.run.cells}
        (run / "base.json").write_text(json.dumps({document.KEY: document.render(tables, names)}), encoding="utf-8")
        npz = small_run.fit_of(run, "fake.exact", 0) / "draws.npz"
        arrays = netcdf.load(npz.with_name("draws.nc"))
        for kind in strangers.READERS:
            if kind == "draws.npz":
                np.savez(npz, **arrays)
            began = time.monotonic()
            raised = study(run, kind, trials)
            npz.unlink(missing_ok=True)
            print(f"{kind}: {trials} files, {len(raised)} faults, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
