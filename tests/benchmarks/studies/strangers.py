"""Files of a run changed at random, as many as asked for: read, or refused with a sentence; no traceback, no hang.

python -m tests.benchmarks.studies.strangers 12500          each of eight kinds of file, half an hour in all
python -m tests.benchmarks.studies.strangers 12500 0 20000  the same of other seeds, from this one on
python -m tests.benchmarks.studies.strangers 0 1000         so many odd command lines, each a process: ten minutes

Prints per kind what was raised that may not be, once, with the seed that shows it again.
"""

from __future__ import annotations

import json
import os
import subprocess
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
from tests.fuzz.inputs import ROOT, SELECTORS
from tests.fuzz.test_command_line import PATHS
from tests.store import strangers


def study(run: Path, kind: str, trials: int, first: int) -> set[str]:
    """What readers of this kind of file raised that they may not."""
    raised: set[str] = set()
    for seed in range(first, first + trials):
        try:
            strangers.trial(run, kind, np.random.default_rng(seed))
        except Exception as error:  # noqa: BLE001 -- whatever a reader may not raise
            if described(error) not in raised:
                print(f"{kind}, seed {seed}: {described(error)}", flush=True)
            raised.add(described(error))
    return raised


VERBS = ("info", "list", "score", "report", "compare", "export", "query", "plot", "check", "gate", "history", "publish",
         "run --dry-run -s", "run --dry-run -b", "run --dry-run --memory", "run --dry-run --timeout", "run --resume",
         "run --dry-run --suite", "run --dry-run --config", "verify -s nosuch -b", "new", "import", "")  # fmt: skip
SECONDS = 300
"""After which a command line hangs; it takes one, unless the machine is busy."""


def typed(trials: int) -> None:
    """Command lines that nobody meant to type, in processes of their own: an exit code of ours and no traceback."""
    words = [*PATHS, *SELECTORS, *map(str, strangers.ODD), "--json", "--help", "--results", "--format"]
    words = [word for word in words if "\0" not in word]  # no process can be given one
    faults = 0
    with tempfile.TemporaryDirectory() as place:
        for seed in range(trials):
            if seed % 100 == 0 and seed:
                print(f"{seed} command lines, {faults} faults so far", flush=True)
            rng = np.random.default_rng(seed)
            pick = [words[int(i)] for i in rng.integers(len(words), size=int(rng.integers(0, 4)))]
            command = [*VERBS[int(rng.integers(len(VERBS)))].split(), *(word[:100_000] for word in pick)]
            done = subprocess.run(
                [sys.executable, "-m", "bench", *map(os.fsencode, command)], check=False, capture_output=True,
                cwd=place, timeout=SECONDS, stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            if done.returncode not in {0, 2, 3, 4, 5, 6} or b"Traceback" in done.stderr + done.stdout:
                faults += 1
                print(f"seed {seed}, {command}: {done.returncode}, {done.stderr[-300:]!r}", flush=True)
    print(f"{trials} command lines, {faults} faults", flush=True)


def main(trials: int, commands: int = 0, first: int = 0) -> None:
    """Every kind of file in turn, then command lines."""
    typed(commands)
    if not trials:
        return
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
            raised = study(run, kind, trials, first)
            npz.unlink(missing_ok=True)
            print(f"{kind}: {trials} files, {len(raised)} faults, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
