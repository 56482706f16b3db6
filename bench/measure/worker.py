"""The reps of one cell in this process, each made, checked and stored.

Started by the executor as `python -m bench.measure.worker REQUEST.json`; whatever it prints is the fit's log.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import faulthandler
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.catalog import environments
from bench.catalog.scenarios import scenario
from bench.cell import cell_of
from bench.data import data_seed, dataset
from bench.disk.durable import STORAGE, has_room, unwritable
from bench.measure import noise, residency
from bench.measure.contender import Attempt, Contender, print_error
from bench.measure.pursuit import Judge
from bench.measure.runtime import facts
from bench.store import logs
from bench.store.arrays import save
from bench.store.folder import RunFolder
from bench.store.logs import tail
from bench.store.records import Record, now
from bench.types import Dataset, Scenario, derive_seed


class Worker:
    """All reps of one cell in one round.

    Of a fork server: `imported`, the seconds it spent on the framework, and `mapped`, the files it had in memory.
    `data` and `fit_seed` give a rep other data and another seed than those of the run. `judge` tells the errors of fits
    that run until a target.
    """

    def __init__(
        self,
        request: dict[str, Any],
        *,
        imported: float = 0.0,
        mapped: Sequence[residency.Mapped] = (),
        data: Callable[[int], Dataset] | None = None,
        fit_seed: Callable[[int], int] | None = None,
        judge: Callable[[float, Scenario, Dataset], Judge] | None = None,
    ) -> None:
        self.request, self.mapped = request, mapped
        self.cell = cell_of(request["cell"])
        self.folder = RunFolder(Path(request["folder"]))
        self.scenario = scenario(self.cell.scenario, dict(self.cell.overrides), self.folder.path)
        compiled = self.folder.path / request["compiled"] if request.get("compiled") else None
        self.contender = Contender(
            self.cell,
            request["threads"],
            imported=imported,
            compiled=compiled,
            judge=partial(judge, self.cell.resolved_budget().until, self.scenario) if judge else None,
            limit=request.get("limit", math.inf),
        )
        self.cpus = sorted(os.sched_getaffinity(0))
        self._data = data or (lambda rep: dataset(self.scenario, seed=request["seed"], rep=rep))
        self._fit_seed = fit_seed or (lambda rep: derive_seed(request["seed"], "fit", self.cell.backend_label, rep))

    def run(self) -> None:
        """Make every rep; one that fails ends as a record, and the next is tried."""
        began = noise.look(self.cpus)
        for i, rep in enumerate(self.request["reps"]):
            self._make(self._record(rep, cold=i == 0), began)

    def _make(self, record: Record, began: noise.Ticks | None) -> None:
        """One rep; a method of its own, so that nothing of its fit is in memory during the next."""
        before = noise.look(self.cpus)
        seed = self._fit_seed(record.rep)
        attempt = self.contender.attempt(lambda: self._data(record.rep), seed, cold=record.cold)
        if attempt.error is not None and _is_full(attempt.error) and not has_room(self.folder.path):
            sys.exit(STORAGE)
        print_error(attempt)
        after = noise.look(self.cpus)
        # a fit of milliseconds is shorter than a tick: what can be said then is how it was since the child began
        window = noise.between(before, after, len(self.cpus)) or noise.between(began, after, len(self.cpus))
        self._book(record, attempt)
        if window is not None:
            record.disturbance = window.worst
            if window.worst > noise.DISTURBED:
                record.notes.append(f"disturbed: others had {100 * window.worst:.0f} % of its CPUs' time")
        try:
            self._store(record, attempt)
        except OSError as error:
            if not _is_full(error):
                raise
            sys.exit(STORAGE)  # no row can say this: the run ends

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
            measured_at=now(),
            data_seed=data_seed(self.scenario, seed=request["seed"], rep=rep),
            fit_seed=self._fit_seed(rep),
            scenario_digest=self.scenario.digest,
            backend_digest=self.contender.info.digest,
            environment=environments.here(),
        )

    def _book(self, record: Record, attempt: Attempt) -> None:
        """How the attempt ended, with the statistics of its fit and the seconds of its phases."""
        record.status, record.reason, record.notes = attempt.status, attempt.reason, attempt.notes
        record.data_digest = attempt.data.digest if attempt.data is not None else ""
        record.stats, record.until = attempt.stats, attempt.until
        record.seconds = dict(attempt.clock.seconds)
        if record.cold:
            record.seconds["import"] = self.contender.import_seconds
        _split(record)

    def _store(self, record: Record, attempt: Attempt) -> None:
        """Complete the record with what the process has used, and store the rep."""
        # as if it had done the import itself
        record.peak_rss_bytes = residency.peak_bytes() + residency.untouched(self.mapped)
        record.os_threads = _os_threads()
        if self.contender.runtime is not None:
            record.peak_device_bytes, record.versions, threads, notes, beside = facts(self.contender.runtime)
            record.peak_rss_bytes += beside
            record.stats["library_threads"] = threads
            record.notes += notes
        arrays = None
        if record.status == "ok" and attempt.fit is not None:
            arrays = self.folder.path / "fits" / f".{record.cell}-{record.rep}.npz"
            save(arrays, attempt.fit, attempt.clock.checkpoints)
        sys.stdout.flush()
        sys.stderr.flush()
        log = logs.end(Path(self.request["log"]))
        record.seconds_until_end = _age()
        if record.status != "ok":
            record.log_tail = tail(log)
        self.folder.write_fit(record, arrays, log)


def _is_full(error: Exception) -> bool:
    """Whether the file system takes no more; a limit that a contender has set to its own process is nobody else's."""
    return unwritable(error) and getattr(error, "errno", None) != errno.EFBIG


def _age() -> float:
    """Seconds since this process was started or forked, to a hundredth."""
    started = int(Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK"))


def _os_threads() -> int | None:
    """Threads that this process has now, from the process table: XLA and OpenBLAS tell nobody."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else None


def _split(record: Record) -> None:
    """Divide the seconds of one compiled program between warmup and sample by gradients, executed ones if stated."""
    both = record.seconds.pop("warmup+sample", None)
    if both is None:
        return
    work = "gradients_executed" if "gradients_executed_warmup" in record.stats else "gradients"
    total = float(record.stats.get(work, 0.0))
    share = float(record.stats.get(f"{work}_warmup", 0.0)) / total if total else 0.0
    record.split = "prorated"
    record.seconds |= {"warmup": both * share, "sample": both * (1.0 - share)}


def _kill_children() -> bool:
    """Kill what this process started or adopted; whether there was any. Nothing where the system does not tell."""
    children = [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    for pid in children:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return bool(children)


def die_with_parent(parent: int) -> None:
    """Ask the system to kill this process when its parent ends; leave at once if that has happened."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what its descendants orphan still counts as its own
    if os.getppid() != parent:
        sys.exit(1)


def answer(request: dict[str, Any], imported: float = 0.0, mapped: Sequence[residency.Mapped] = ()) -> None:
    """Make the reps of a request; a fork server has `imported` in so many seconds, with the files `mapped`."""
    Worker(request, imported=imported, mapped=mapped).run()


def main(path: str, work: Callable[[dict[str, Any]], None] = answer) -> None:
    """Do the work that the file `path` asks for, as the only thing this process does."""
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    die_with_parent(request["parent"])
    faulthandler.enable()
    work(request)
    sys.stdout.flush()
    sys.stderr.flush()
    while _kill_children():  # theirs are adopted then
        pass
    os._exit(0)  # every result is on disk; a framework takes a third of a second to tear itself down


if __name__ == "__main__":
    main(sys.argv[1])
