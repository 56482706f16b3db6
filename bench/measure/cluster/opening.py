"""What `--executor` names: slots of this machine, a scheduler that is there, or jobs of a batch system."""

from __future__ import annotations

import importlib.util
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.catalog import toml
from bench.errors import UsageError, shown
from bench.measure import guardian
from bench.words import format as fmt

if TYPE_CHECKING:
    from bench.measure.cluster.cluster import Cluster
    from bench.plan import Plan

LOCAL, HERE = "local", "dask"
SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://")
BATCH: Mapping[str, str] = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}
"""Types of a file, and the class of dask-jobqueue whose keys it has."""
ALLOWED = f"{LOCAL}, {HERE}, an address of a scheduler such as tcp://host:8786, or a .toml file of {', '.join(BATCH)}"
INSTALL = "pip install 'posterior-bench[dask]'"
SILENT = logging.CRITICAL + 10
CONNECT_SECONDS, CLOSE_SECONDS, LOOK_SECONDS = 20.0, 10.0, 0.5
TRIES = 5
"""How often, on average, a slot of this machine may end while it starts."""


def known(executor: str | None) -> str:
    """The word as it will be used, `local` where none was said; UsageError for what is none, or cannot be here."""
    named = executor or LOCAL
    if named == LOCAL:
        return named
    if named != HERE and not named.startswith(SCHEMES) and not named.endswith(".toml"):
        raise UsageError(f"--executor {shown(named)} is not allowed; {ALLOWED}")
    packages = ["distributed", *(["dask_jobqueue"] if named.endswith(".toml") else [])]
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise UsageError(f"--executor {named} needs {', '.join(missing)}, which is not installed; {INSTALL}")
    if named.endswith(".toml"):
        read(Path(named))
    return named


def read(file: Path) -> tuple[str, int, dict[str, Any]]:
    """Type, number of jobs, and what goes to dask-jobqueue as it stands; UsageError."""
    table = dict(toml.read(file, f"--executor {file}"))
    type_, jobs = table.pop("type", None), table.pop("jobs", 1)
    if type_ not in BATCH:
        raise UsageError(f"{file}: type = {shown(type_)} is not allowed; one of {', '.join(BATCH)}")
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= 10**4:
        raise UsageError(f"{file}: jobs = {shown(jobs)} is not allowed; how many jobs are submitted, at least 1")
    if unknown := sorted(set(table) - set(keys(type_))):
        raise UsageError(f"{file}: {unknown[0]} is not allowed; {', '.join(['type', 'jobs', *keys(type_)])}")
    if missing := [key for key in ("cores", "memory") if key not in table]:
        raise UsageError(f"{file}: {missing[0]} is missing: what one job has, as in cores = 8 and memory = '32GB'")
    return type_, jobs, table


def keys(type_: str) -> list[str]:
    """What dask-jobqueue takes for one of its classes."""
    import inspect

    import dask_jobqueue

    class_ = getattr(dask_jobqueue, BATCH[type_])
    taken = [class_, class_.job_cls, *class_.job_cls.__mro__[1:2]]
    named = {name for one in taken for name in inspect.signature(one.__init__).parameters}
    return sorted(named - {"self", "n_workers", "job_cls", "loop", "asynchronous", "scheduler", "config_name", "kwargs",
                           "base_class_kwargs", "job_kwargs", "name"})  # fmt: skip


@contextmanager
def opened(
    executor: str,
    plan: Plan,
    threads: int | None,
    memory: int | None,
    *,
    say: Callable[[str], None],
    tick: Callable[[str], None],
) -> Iterator[Cluster]:
    """The slots of an executor other than `local`, for a plan; UsageError where there can be none.

    `threads` are CPUs of a slot, `memory` bytes that a child is allowed; `tick` is told what is waited for.
    """
    from bench.measure.cluster.cluster import Cluster
    from bench.measure.cluster.scheduler import within
    from bench.measure.cluster.shares import Terms

    for name in ("distributed", "tornado", "asyncio", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado", "asyncio"}:
            # what they say of killed processes and lost connections, the run says itself
            logging.getLogger(name).setLevel(SILENT)
    gpu = any(p.cell.device == "cuda" for p in plan.cells)
    refused: list[str] = []

    def look(text: str) -> None:
        if refused:
            raise UsageError(f"--executor {executor}: a job was not taken: {refused[0]}")
        tick(text)

    with _client(executor, threads, refused) as (client, slots, local):
        terms = Terms(threads or (1 if local else None), memory, gpu)
        cluster = Cluster(client, plan, terms, say, local=local)
        cluster.patient = executor.endswith(".toml")
        try:
            cluster.begin(slots, look)
            yield cluster
        finally:
            within(CLOSE_SECONDS, cluster.close)


@contextmanager
def _client(executor: str, threads: int | None, refused: list[str]) -> Iterator[tuple[Any, int, int]]:
    """A client, for how many processes to wait, and how many slots share this machine (0: it is not known).

    Why a batch system takes no job of ours is put into `refused`.
    """
    import dask
    from distributed import Client

    from bench.measure.cluster.scheduler import within

    quiet = {
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.allowed-failures": 0,
        "distributed.admin.large-graph-warning-threshold": "1TB",
    }
    with ExitStack() as own:
        own.enter_context(dask.config.set(quiet))
        engine: Any = None
        slots, local = 1, 0
        try:
            if executor == HERE:
                slots = local = _slots_here(threads or 1)
                folder = own.enter_context(guardian.scratch("dask"))
                own.enter_context(dask.config.set({"temporary-directory": str(folder)}))
                engine = _local(slots, threads or 1)
            elif executor.endswith(".toml"):
                engine = batch(Path(executor), refused)
            try:
                client = Client(engine or executor, timeout=CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError) as error:
                raise UsageError(f"--executor {executor}: no scheduler answers there: {error}") from None
            try:
                yield client, slots, local
            finally:
                within(CLOSE_SECONDS, client.close)
        finally:
            if engine is not None:
                within(CLOSE_SECONDS, engine.close)


def _local(slots: int, threads: int) -> Any:
    """A scheduler in this process, and a process for every slot, which start meanwhile."""
    from distributed import LocalCluster

    engine: Any = LocalCluster(
        n_workers=0,
        threads_per_worker=threads,
        processes=True,
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        silence_logs=SILENT,
    )
    engine.scale(slots)
    engine.loop.add_callback(_keep_alive, engine, slots)
    return engine


async def _keep_alive(engine: Any, slots: int) -> None:
    """Start anew what ended while it started, which Dask gives up; what never starts not for ever."""
    import asyncio  # here: 8 ms, before every run

    from distributed.core import Status

    for _ in range(TRIES * slots):
        failed: list[Any] = []
        while not failed:
            await asyncio.sleep(LOOK_SECONDS)
            if engine.status not in (Status.init, Status.created, Status.starting, Status.running):
                return
            failed = [name for name, one in engine.workers.items() if one.status in (Status.failed, Status.closed)]
        del engine.workers[failed[0]]
        engine.scale(slots)


def batch(file: Path, refused: list[str]) -> Any:
    """dask-jobqueue's cluster of a file, its jobs being submitted; UsageError where that cannot be.

    What the batch system says of a job that it does not take comes into `refused`, for dask-jobqueue only logs it.
    """
    import dask_jobqueue

    type_, jobs, table = read(file)
    class_ = getattr(dask_jobqueue, BATCH[type_])
    if shutil.which(submit := class_.job_cls.submit_command.split()[0]) is None:
        raise UsageError(f"--executor {file}: {submit} is not found here; start the run where jobs are submitted")
    table.setdefault("scheduler_options", {"dashboard_address": ":0"})
    try:
        engine = class_(**table, job_cls=_telling(class_.job_cls, refused))
    except (ValueError, TypeError, RuntimeError) as error:
        raise UsageError(f"{file}: {' '.join(str(error).split())}") from None
    engine.scale(jobs=jobs)
    return engine


def _telling(job: Any, refused: list[str]) -> Any:
    """The class of a job that tells why it was not taken."""

    class Telling(job):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                refused.append(" ".join(str(error).rpartition("stderr:")[2].split()))
                raise

    return Telling


def _slots_here(threads: int) -> int:
    import os

    from bench.measure.cluster.likeness import cores
    from bench.measure.cluster.shares import fitting

    usable = os.sched_getaffinity(0)
    if threads > len(usable):
        raise UsageError(f"--threads {threads}: this machine has {fmt.count(len(usable), 'CPU')} for slots")
    return fitting(usable, cores(), threads)
