"""One cell in this process: import, build, fit, draw, check, write. The only importer of backends.

Started by the runner as `python -m bench.measure.worker REQUEST.json`; whatever it prints is the fit's log.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog.backends import backend
from bench.catalog.places import backend_folders
from bench.catalog.scenarios import scenario
from bench.cell import BUDGET_OPTIONS, Cell
from bench.data import data_seed, dataset
from bench.errors import NoReference, printable, shown
from bench.measure import noise, residency
from bench.measure.clock import WallClock
from bench.measure.validity import complaint
from bench.store import logs
from bench.store.arrays import save
from bench.store.durable import STORAGE, has_room, unwritable
from bench.store.folder import Record, RunFolder, tail
from bench.types import Dataset, Diverged, Fit, Place, Unavailable, Unsupported, derive_seed


class Worker:
    """All reps of one cell in one round.

    Of a fork server: `imported`, the seconds it spent on the framework, and `mapped`, the files it had in memory.
    """

    def __init__(
        self, request: dict[str, Any], *, imported: float = 0.0, mapped: Sequence[residency.Mapped] = ()
    ) -> None:
        self.mapped = mapped
        self.request = request
        self.cell = Cell(**{**request["cell"], **{k: _pairs(request["cell"][k]) for k in ("overrides", "options")}})
        self.info = backend(self.cell.backend)
        self.scenario = scenario(self.cell.scenario, dict(self.cell.overrides))
        self.budget = self.cell.resolved_budget()
        self.place = Place(self.cell.device, self.cell.dtype, request["threads"])
        self.folder = RunFolder(Path(request["folder"]))
        self.cpus = sorted(os.sched_getaffinity(0))
        self.runtime: Any = None
        self.method: Any = None
        self.program: Any = None
        self.import_seconds = imported

    def run(self) -> None:
        """Make every rep; one that fails ends as a record, and the next is tried."""
        began = noise.look(self.cpus)
        for i, rep in enumerate(self.request["reps"]):
            record, fit, clock = self._record(rep, cold=i == 0), None, WallClock()
            before = noise.look(self.cpus)
            try:
                if self.method is None:
                    self.start()
                clock = WallClock(synchronize=self.runtime.synchronize, compile_seconds=self.runtime.compile_seconds)
                fit, data = self.rep(record, clock)
                record.status, record.reason = self.judge(record, fit, data, clock)
            except SystemExit as left:
                raise SystemExit(1 if left.code == STORAGE else left.code) from None  # the code of a full disk is ours
            except Exception as error:  # noqa: BLE001 -- a contender may raise anything; it becomes its row
                if unwritable(error) and not has_room(self.folder.path):
                    sys.exit(STORAGE)
                record.status, record.reason = verdict(error)
                traceback.print_exc()
            after = noise.look(self.cpus)
            # a fit of milliseconds is shorter than a tick: what can be said then is how it was since the child began
            found = noise.between(before, after, len(self.cpus)) or noise.between(began, after, len(self.cpus))
            if found is not None:
                record.disturbance = found.worst
                if found.worst > noise.DISTURBED:
                    record.notes.append(f"disturbed: others had {100 * found.worst:.0f} % of its CPUs' time")
            try:
                self.finish(record, fit, clock)
            except OSError as error:
                if not unwritable(error):
                    raise
                sys.exit(STORAGE)  # no row can say this: the run ends

    def start(self) -> None:
        """Import the framework and the method, after its environment is set, and open the device."""
        imported = load(self.info.framework, self.place, self.cell.track, [self.info.name])
        began = time.perf_counter()
        self.runtime = importlib.import_module(f"backends.{self.info.framework}.runtime")
        self.runtime.start(self.place)
        if self.request.get("compiled") and hasattr(self.runtime, "reuse_compiled"):
            self.runtime.reuse_compiled(self.request["compiled"])
        self.method = importlib.import_module(f"backends.{self.info.name}")
        self.import_seconds += imported + time.perf_counter() - began

    def rep(self, record: Record, clock: WallClock) -> tuple[Fit, Dataset]:
        """One fit, timed; the program is built and compiled before the first."""
        data = self.data(record.rep)
        record.data_digest = data.digest
        observed = data.observed()
        if self.program is None:
            with clock("build"):
                program = self.method.build(observed.skeleton(), self.budget, self.options(), self.place)
            if hasattr(self.method, "compile"):
                with clock("compile"):
                    self.method.compile(program, observed.skeleton())
            self.program = program
        assert record.fit_seed is not None
        state = self.method.fit(self.program, observed, record.fit_seed, clock)
        return self.method.draw(state), data

    def data(self, rep: int) -> Dataset:
        """What the rep fits, truth and hold-out included."""
        return dataset(self.scenario, seed=self.request["seed"], rep=rep)

    def options(self) -> Any:
        """The backend's options: on the track `defaults` as its framework ships, then what the user named."""
        made = getattr(self.method, "Options", dict)
        shipped = self.info.defaults if self.cell.track == "defaults" else {}
        return made(**{**shipped, **{k: v for k, v in self.cell.options if k not in BUDGET_OPTIONS}})

    def judge(self, record: Record, fit: Fit, data: Dataset, clock: WallClock) -> tuple[str, str]:
        """Status and reason of a fit that came back; books its statistics."""
        record.stats = {str(k): _plain(v) for k, v in fit.stats.items() if not isinstance(v, np.ndarray)}
        record.notes += [printable(str(note), 1000) for note in fit.notes]
        if record.cold and getattr(self.runtime, "reused_compiled", int)():
            record.stats["compile_reused"] = True
            record.notes.append("its program was compiled in an earlier round: no cold seconds")
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
        # as if it had done the import itself
        record.peak_rss_bytes = residency.peak_bytes() + residency.untouched(self.mapped)
        record.os_threads = _os_threads()
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
        log = logs.end(file)
        record.seconds_until_end = _age()
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
            child=request.get("child", ""),
            threads=len(self.cpus),
            load_average=os.getloadavg()[0],
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_seed=data_seed(self.scenario, seed=request["seed"], rep=rep),
            fit_seed=derive_seed(request["seed"], "fit", self.cell.backend_label, rep),
            scenario_digest=self.scenario.digest,
            backend_digest=self.info.digest,
        )


def load(framework: str, place: Place, track: str, methods: list[str]) -> float:
    """Set a framework's environment, then import its runtime and methods; the seconds it took."""
    began = time.perf_counter()
    backends = importlib.import_module("backends")
    backends.__path__ = [str(path) for path in backend_folders()]
    os.environ.update(importlib.import_module(f"backends.{framework}").environment(place, track))
    for module in (f"{framework}.runtime", *methods):
        importlib.import_module(f"backends.{module}")
    return time.perf_counter() - began


def verdict(error: Exception) -> tuple[str, str]:
    """Status and sentence of what a contender raised."""
    text = _said(error)
    if isinstance(error, Unavailable):
        return "unavailable", text
    if isinstance(error, Unsupported | NoReference):
        return "unsupported", text
    if isinstance(error, Diverged):
        return "failed", f"diverged: {text}"
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(e, MemoryError) or _OUT_OF_MEMORY.search(f"{type(e).__name__}: {_said(e)}") for e in causes):
        return "memory", f"{type(error).__name__}: {text}"
    return "failed", f"{type(error).__name__}: {text}"


_OUT_OF_MEMORY = re.compile(
    # torch.OutOfMemoryError and CUDA's own words; XLA; cuBLAS and cuDNN; torch and C++ on the CPU
    r"out.?of.?memory|RESOURCE_EXHAUSTED|(CUBLAS|CUDNN|CUSOLVER)_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation"
    r"|can't allocate memory|cannot allocate memory|bad_alloc",
    re.IGNORECASE,
)


def _said(error: BaseException) -> str:
    """What an error says, on one line that any file and terminal can take; a contender's may be unable to say it."""
    try:
        return printable(str(error), 500)
    except Exception as why:  # noqa: BLE001 -- whatever its __str__ raises
        return f"({type(why).__name__} when asked for its message)"


def _age() -> float:
    """Seconds since this process was started or forked, to a hundredth."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK"))


def _os_threads() -> int | None:
    """Threads that this process has now, from the process table: XLA and OpenBLAS tell nobody."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else None


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
    """A statistic as strict JSON takes it; whatever is no number, text or list of such is a text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | None) or (isinstance(value, int | float) and abs(value) <= sys.float_info.max):
        return value
    return shown(value) if not isinstance(value, str) else printable(value, 500)


def _pairs(value: list[list[Any]]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, item) for key, item in value)


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends; leave at once if that has happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what its descendants orphan still counts as its own
    if os.getppid() != parent:
        sys.exit(1)


def main(path: str, work: Callable[[dict[str, Any]], None] = lambda request: Worker(request).run()) -> None:
    """Do the work that the file `path` asks for, as the only thing this process does."""
    request = json.loads(Path(path).read_text())
    die_with_parent(request["parent"])
    faulthandler.enable()
    work(request)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # every result is on disk; a framework takes a third of a second to tear itself down


if __name__ == "__main__":
    main(sys.argv[1])
