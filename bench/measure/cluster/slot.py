"""A slot, in a process of Dask's: its CPUs, its memory, its fork servers, and the children that it has made.

Whoever leads a run calls these functions in the process: `facts`, `arrange`, `bring`, `touch` and `release` by
`Client.run`, `prepare` and `serve` as tasks. A slot is its owner's for a lease, which `touch` renews: what a leader
that was killed leaves behind ends by itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from distributed import Worker, get_worker

from bench.measure import guardian, local, noise
from bench.measure.cluster import likeness
from bench.measure.executor import End, Needs, Request

LEASE = 30.0
"""Seconds after which a slot that hears nothing from its owner ends what is at work."""
RELEASE_SECONDS = 10.0
"""How long a slot may take to end a child."""
MESSAGE_SECONDS = 2.0
"""Children that are asked for together are handed over then, and the rest is asked for again: one was slow."""
NOISY = ("profile", "profile-cycle", "tick", "ticks", "monitor")
"""What Dask does many times a second in a process that should be idle while a fit is timed."""

Files = Mapping[str, bytes]
"""{path inside a folder: content}."""


class Share(NamedTuple):
    """What a slot has for itself: CPUs, bytes of memory, a GPU as CUDA_VISIBLE_DEVICES names it (empty: none).

    `apart`: the process leaves the session of its terminal, whose Ctrl-C is the leader's alone.
    """

    cpus: tuple[int, ...]
    memory: int
    gpu: str = ""
    apart: bool = False


class Done(NamedTuple):
    """How a child ended, and the files that it left."""

    end: End
    files: Files


class Ended(Exception):
    """The work was not finished since nobody waits for it any more."""


class Served:
    """The slot of one process, for one owner."""

    def __init__(self, worker: Worker, share: Share, owner: str) -> None:
        self.share, self.owner = share, owner
        self._worker, self._until = worker, time.monotonic() + LEASE
        self._scratch, self._at_work, self._ended = contextlib.ExitStack(), threading.Lock(), threading.Event()
        self.folder = self._scratch.enter_context(guardian.scratch("slot"))
        self.executor = local.Local()
        threading.Thread(target=self._watch, daemon=True).start()

    def renew(self) -> None:
        """Its owner still waits."""
        self._until = time.monotonic() + LEASE

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._ended.is_set() or time.monotonic() > self._until or self._worker.status.name != "running"

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            if self.over:
                self.close()

    def work(self, do: Callable[[Callable[[], None]], Any]) -> Any:
        """Do something for the task that runs in this thread; Ended where its owner takes it back meanwhile."""
        self.renew()
        task = self._worker.state.tasks.get(self._worker.get_current_task())

        def look() -> None:
            if self.over or task is None or task.state != "executing":
                raise KeyboardInterrupt

        with self._at_work:
            try:
                look()
                return do(look)
            except KeyboardInterrupt:  # which would end the process
                raise Ended from None

    def make(self, request: Request, look: Callable[[], None]) -> Done:
        """A child in the scratch folder, whose files are handed over and removed."""
        names = filter(None, (request.name, request.progress, request.log))
        try:
            for name in names:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            asked = replace(request, memory=request.memory or self.share.memory)
            end = self.executor.submit(asked, self.folder, look)
            return Done(end, _files(self.folder))
        finally:
            _clear(self.folder)

    def close(self) -> None:
        """End what is at work, and leave nothing; once."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._at_work.acquire(timeout=RELEASE_SECONDS):
            self._at_work.release()
        self.executor.close()
        self._scratch.close()


_served: dict[str, Served] = {}
"""By the address of the process at Dask's scheduler: in tests several are in one process."""


def facts(backends: list[str], *, dask_worker: Worker) -> dict[str, Any]:
    """What this process could be a slot of: its machine, its CPUs, and the code that its children would run."""
    served = _served.get(dask_worker.address)
    return {
        **likeness.machine(),
        "name": str(dask_worker.name),
        "cpus": sorted(os.sched_getaffinity(0)),
        "cores": likeness.cores(),
        "threads": dask_worker.state.nthreads,
        "memory": dask_worker.memory_manager.memory_limit or 0,
        "gpus": likeness.gpus(),
        "code": likeness.code(backends),
        "slowness": noise.slowness(),
        "owner": "" if served is None or served.over else served.owner,
    }


def arrange(share: Share, owner: str, *, dask_worker: Worker) -> None:
    """Be a slot with this share from now on, for this owner."""
    if (before := _served.pop(dask_worker.address, None)) is not None:
        before.close()
    if share.apart:
        with contextlib.suppress(OSError):
            os.setsid()
    if share.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = share.gpu
    os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)  # set by Dask for its own processes; fits are to be as elsewhere
    bind(share.cpus)
    for name in NOISY:
        if (callback := dask_worker.periodic_callbacks.get(name)) is not None:
            callback.stop()
    _served[dask_worker.address] = Served(dask_worker, share, owner)


def bind(cpus: tuple[int, ...]) -> None:
    """Bind every thread of this process, and so whatever they start."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cpus)


def bring(owner: str, files: Files, *, dask_worker: Worker) -> None:
    """Have these files in the folder where children work, for all that are made for this owner."""
    put(_of(dask_worker, owner).folder, files)


def touch(owner: str, *, dask_worker: Worker) -> None:
    """Renew the lease."""
    _of(dask_worker, owner).renew()


def release(owner: str, *, dask_worker: Worker) -> None:
    """End what is at work for this owner, and its fork servers."""
    served = _served.get(dask_worker.address)
    if served is not None and served.owner == owner:
        served.close()
        del _served[dask_worker.address]


def prepare(owner: str, wanted: Mapping[Needs, set[str]]) -> dict[str, Any]:
    """Import ahead; what was imported, as `Executor.imports` says it."""
    served = _of(get_worker(), owner)
    served.work(lambda look: served.executor.prepare(wanted, lambda _: look()))
    return served.executor.imports()


def serve(owner: str, requests: Sequence[Request]) -> list[Done]:
    """Have children made, one after the other: the first, and others as long as MESSAGE_SECONDS are not over."""
    served, began, done = _of(get_worker(), owner), time.monotonic(), list[Done]()
    for request in requests:
        if done and time.monotonic() - began > MESSAGE_SECONDS:
            break
        done.append(served.work(partial(served.make, request)))
    return done


def data(owner: str, asked: list[likeness.Asked]) -> list[str]:
    """Digests of data sets, as they are made here."""
    return likeness.digests(asked, _of(get_worker(), owner).folder)


def _of(worker: Worker, owner: str) -> Served:
    served = _served.get(worker.address)
    if served is None or served.owner != owner or served.over:
        raise Ended
    return served


def put(folder: Path, files: Files) -> None:
    """Write files below a folder; ValueError for one that would lie elsewhere."""
    for name, content in files.items():
        path = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{name} is no path inside a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


BROUGHT = "scenarios"
"""What of a slot's folder stays from one child to the next: files of scenarios that no catalog has."""


def _files(folder: Path) -> dict[str, bytes]:
    """Everything that a child left but what has a temporary name; no link is followed."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not n.startswith(".") and Path(place, n) != folder / BROUGHT]
        for name in names:
            path = Path(place, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def _clear(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name != BROUGHT:
                shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
