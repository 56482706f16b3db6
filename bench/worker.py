"""One cell in this process: import, build, fit, draw, check, write. The only importer of backends.

Started by the runner as `python -m bench.worker REQUEST.json`; whatever it prints is the fit's log.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bench.catalog.backends import backend
from bench.catalog.places import backend_folders
from bench.catalog.scenarios import scenario
from bench.clock import WallClock
from bench.data import data_seed, dataset
from bench.errors import NoReference
from bench.store.arrays import save
from bench.store.folder import Record, RunFolder, tail
from bench.types import BUDGET_OPTIONS, Cell, Dataset, Diverged, Fit, Place, Unavailable, Unsupported, derive_seed
from bench.validity import complaint


class Worker:
    """All reps of one cell in one round."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.cell = Cell(**{**request["cell"], **{k: _pairs(request["cell"][k]) for k in ("overrides", "options")}})
        self.info = backend(self.cell.backend)
        self.scenario = scenario(self.cell.scenario, dict(self.cell.overrides))
        self.budget = self.cell.resolved_budget()
        self.place = Place(self.cell.device, self.cell.dtype, request["threads"])
        self.folder = RunFolder(Path(request["folder"]))
        self.runtime: Any = None
        self.method: Any = None
        self.program: Any = None
        self.import_seconds = 0.0

    def run(self) -> None:
        """Make every rep; one that fails ends as a record, and the next is tried."""
        for i, rep in enumerate(self.request["reps"]):
            record, fit, clock = self._record(rep, cold=i == 0), None, WallClock()
            try:
                if self.method is None:
                    self.start()
                clock = WallClock(synchronize=self.runtime.synchronize, compile_seconds=self.runtime.compile_seconds)
                fit, data = self.rep(record, clock)
                record.status, record.reason = self.judge(record, fit, data, clock)
            except Exception as error:  # noqa: BLE001 -- a contender may raise anything; it becomes its row
                record.status, record.reason = _verdict(error)
                traceback.print_exc()
            self.finish(record, fit, clock)

    def start(self) -> None:
        """Import the framework and the method, after its environment is set."""
        began = time.perf_counter()
        folder = f"backends.{self.info.framework}"
        backends = importlib.import_module("backends")
        backends.__path__ = [str(path) for path in backend_folders()]
        os.environ.update(importlib.import_module(folder).environment(self.place, self.cell.track))
        self.runtime = importlib.import_module(f"{folder}.runtime")
        self.runtime.start(self.place)
        method: ModuleType = importlib.import_module(f"backends.{self.info.name}")
        self.import_seconds = time.perf_counter() - began
        self.method = method

    def rep(self, record: Record, clock: WallClock) -> tuple[Fit, Dataset]:
        """One fit, timed; the program is built and compiled before the first."""
        data = dataset(self.scenario, seed=self.request["seed"], rep=record.rep)
        record.data_digest = data.digest
        observed = data.observed()
        if self.program is None:
            with clock("build"):
                self.program = self.method.build(observed.skeleton(), self.budget, self.options(), self.place)
            if hasattr(self.method, "compile"):
                with clock("compile"):
                    self.method.compile(self.program, observed.skeleton())
        assert record.fit_seed is not None
        state = self.method.fit(self.program, observed, record.fit_seed, clock)
        return self.method.draw(state), data

    def options(self) -> Any:
        """The backend's options: on the track `defaults` as its framework ships, then what the user named."""
        made = getattr(self.method, "Options", dict)
        shipped = self.info.defaults if self.cell.track == "defaults" else {}
        return made(**{**shipped, **{k: v for k, v in self.cell.options if k not in BUDGET_OPTIONS}})

    def judge(self, record: Record, fit: Fit, data: Dataset, clock: WallClock) -> tuple[str, str]:
        """Status and reason of a fit that came back; books its statistics."""
        record.stats = {k: _plain(v) for k, v in fit.stats.items() if not isinstance(v, np.ndarray)}
        record.notes = list(fit.notes)
        if clock.recompiled and not record.cold:
            record.notes.append(f"compiled for {clock.recompiled:.2f} s inside a warm rep, booked as compile")
        wrong = complaint(fit, data, self.info.kind_of(dict(self.cell.options)))
        return ("invalid", f"unusable draws: {wrong}") if wrong else ("ok", "")

    def finish(self, record: Record, fit: Fit | None, clock: WallClock) -> None:
        """Complete the record and store the rep."""
        record.seconds = dict(clock.seconds)
        if record.cold:
            record.seconds["import"] = self.import_seconds
        _split(record)
        record.peak_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if self.runtime is not None:
            record.peak_device_bytes = self.runtime.peak_device_bytes()
            record.versions = self.runtime.versions()
            record.stats["library_threads"] = self.runtime.threads()
        arrays = None
        if record.status == "ok" and fit is not None:
            arrays = self.folder.path / "fits" / f".{record.cell}-{record.rep}.npz"
            save(arrays, fit, clock.checkpoints)
        sys.stdout.flush()
        sys.stderr.flush()
        file = Path(self.request["log"])
        log = file.read_bytes() if file.is_file() else b""
        if record.status != "ok":
            record.log_tail = tail(log)
        self.folder.write_fit(record, arrays, log)

    def _record(self, rep: int, *, cold: bool) -> Record:
        request = self.request
        return Record(
            cell=self.cell.id,
            rep=rep,
            round=request["round"],
            position=request["position"],
            cold=cold,
            status="failed",
            threads=len(os.sched_getaffinity(0)),
            load_average=os.getloadavg()[0],
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_seed=data_seed(self.scenario, seed=request["seed"], rep=rep),
            fit_seed=derive_seed(request["seed"], "fit", self.cell.backend_label, rep),
            scenario_digest=self.scenario.digest,
            backend_digest=self.info.digest,
        )


def _verdict(error: Exception) -> tuple[str, str]:
    """Status and sentence of what a contender raised."""
    text = " ".join(str(error).split())[:500]
    if isinstance(error, Unavailable):
        return "unavailable", text
    if isinstance(error, Unsupported | NoReference):
        return "unsupported", text
    if isinstance(error, Diverged):
        return "failed", f"diverged: {text}"
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return "memory", f"{type(error).__name__}: {text}"
    return "failed", f"{type(error).__name__}: {text}"


def _split(record: Record) -> None:
    """Divide the seconds of one compiled program between warmup and sample by gradients."""
    both = record.seconds.pop("warmup+sample", None)
    if both is None:
        return
    total = float(record.stats.get("gradients", 0.0))
    share = float(record.stats.get("gradients_warmup", 0.0)) / total if total else 0.0
    record.split = "prorated"
    record.seconds |= {"warmup": both * share, "sample": both * (1.0 - share)}


def _plain(value: Any) -> Any:
    """A statistic as strict JSON takes it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value


def _pairs(value: list[list[Any]]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, item) for key, item in value)


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends; leave at once if that has happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def main(path: str) -> None:
    """Run the request in the file `path`."""
    request = json.loads(Path(path).read_text())
    die_with_parent(request["parent"])
    faulthandler.enable()
    Worker(request).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # every result is on disk; a framework takes a third of a second to tear itself down


if __name__ == "__main__":
    main(sys.argv[1])
