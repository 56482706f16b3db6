"""The executor of this machine: children forked where their framework is imported already, or started anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.measure import noise
from bench.measure.child import watch
from bench.measure.environment import default_threads
from bench.measure.executor import WORKERS, End, Needs, Request
from bench.measure.fresh import FreshChild
from bench.measure.servers import ForkedChild, Servers
from bench.store import logs
from bench.store.durable import write_bytes, write_json


class Local:
    """An `Executor`; what `prepare` has imported is forked, everything else is a fresh interpreter.

    `code` is the checkout that children run, instead of this process's own.
    """

    def __init__(self, code: Path | None = None) -> None:
        self._code = code
        self._servers = Servers(code)

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[str], None]) -> None:
        """Start a fork server for each; one that cannot be imported has none, and its children say what is wrong."""
        together: dict[Needs, set[str]] = {}
        for needs, modules in wanted.items():
            together.setdefault(_here(needs), set()).update(modules)
        self._servers.start(together, tick)

    def imports(self) -> dict[str, Any]:
        """What was imported for which cells, and how long that took."""
        return self._servers.imports()

    @property
    def prepared(self) -> set[Needs]:
        """What children can be forked for."""
        return self._servers.keys

    def keep(self, needs: set[Needs]) -> None:
        """End the other fork servers."""
        self._servers.keep(needs)

    def submit(self, request: Request, into: Path, tick: Callable[[], None]) -> End:
        """Start a child, watch its limits, and remove what it was started with."""
        needs = _here(request.needs)
        file, log = into / f"{request.name}.json", into / f"{request.name}.log"
        content = {
            **request.task,
            "threads": needs.threads,
            "folder": str(into.resolve()),
            "log": str(log.resolve()),
            "parent": os.getpid(),
        }
        write_json(file, content)
        try:
            measured = request.work == "fit"
            before, load = noise.reference_workload() if measured else 0.0, os.getloadavg()[0]
            child = self._child(request, needs, content, file, log)
            end = watch(
                child,
                timeout=request.timeout,
                memory=request.memory or free_memory(),
                tick=tick,
                progress=into / request.progress if request.progress else None,
            )
            end = replace(end, log=logs.end(log), started="fresh" if isinstance(child, FreshChild) else "forked")
            if measured:
                end = replace(end, load_average=load, reference_seconds=(before, noise.reference_workload()))
            return end
        finally:
            if request.log and log.is_file():
                write_bytes(into / request.log, logs.end(log))
            for used in (file, log):
                used.unlink(missing_ok=True)

    def _child(
        self, request: Request, needs: Needs, content: dict[str, Any], file: Path, log: Path
    ) -> ForkedChild | FreshChild:
        module = WORKERS[request.work]
        forked = self._servers.fork(needs, content if request.work == "fit" else content | {"module": module}, log)
        assert needs.threads is not None
        return forked or FreshChild(file, log, threads=needs.threads, module=module, code=self._code)

    def close(self) -> None:
        """End every fork server."""
        self._servers.close()

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _here(needs: Needs) -> Needs:
    return needs._replace(threads=needs.threads or default_threads())


def free_memory() -> int:
    """80 % of the bytes that are free now."""
    import psutil

    return int(0.8 * psutil.virtual_memory().available)
