"""The executor of this machine: children forked where their framework is imported already, or started anew."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.catalog.frameworks import named
from bench.disk.durable import json_bytes, write_bytes
from bench.measure import interrupts, noise
from bench.measure.child import Child, watch
from bench.measure.environment import default_threads
from bench.measure.executor import MEASURED, WORKERS, End, Needs, Request
from bench.measure.fresh import FreshChild
from bench.measure.servers import Server
from bench.store import logs

RECENT = 0.05
"""Seconds for which a look at the machine after a child holds for the next: one takes 3 ms, as a small fit does."""
START_SECONDS = 300.0
"""How long an import may take before children of that framework start as fresh interpreters."""


class Local:
    """An `Executor`; what `prepare` has imported is forked, everything else is a fresh interpreter.

    `code` is the checkout that children run, instead of this process's own.
    """

    def __init__(self, code: Path | None = None) -> None:
        self._code = code
        self._servers: dict[Needs, Server] = {}
        self._seconds: dict[Needs, float] = {}
        self._waited = 0.0
        self._looked = -math.inf, 0.0

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[str], None]) -> None:
        """Start a fork server for each. As many import at a time as there are CPUs but one, which is left to others.

        The seconds of an import are shown, and scoring imports what it needs meanwhile. What cannot be imported has no
        server, and its children say what is wrong; nor has what starts threads when it is imported: a fork would wait
        for them for ever.
        """
        names: dict[Needs, set[str]] = {}
        for needs, asked in wanted.items():
            if not named(needs.framework).forkable:
                continue
            names.setdefault(_here(needs), set()).update(asked)
        waiting, starting = sorted(names), dict[Needs, Server]()
        began, cpus = time.perf_counter(), default_threads()
        at_once = max(1, cpus - 1)
        try:
            while waiting or starting:
                interrupts.check()
                while waiting and len(starting) < at_once + (cpus > 1):  # one more than import waits for its turn
                    needs = waiting.pop(0)
                    starting[needs] = Server(needs, sorted(names[needs]), self._code)
                for needs, server in list(starting.items())[:at_once]:
                    server.tell()
                    tick(needs.framework)
                    if self._has_started(needs, server):
                        del starting[needs]
        finally:
            self._waited += time.perf_counter() - began
            for server in starting.values():
                server.close()

    def _has_started(self, needs: Needs, server: Server) -> bool:
        """Whether it has imported, or will not and has been ended."""
        deadline = server.since + START_SECONDS
        try:
            answer = server.hear(0.02)
        except EOFError:
            answer, deadline = None, 0.0
        if answer is not None:
            self._servers[needs], self._seconds[needs] = server, float(answer["import"])
            return True
        if time.monotonic() > deadline:
            server.close()
            return True
        return False

    def imports(self) -> dict[str, Any]:
        """What was imported for which cells, `each` in how many seconds; and how long all took, some side by side."""
        each = [{**needs._asdict(), "seconds": seconds} for needs, seconds in sorted(self._seconds.items())]
        return {"seconds": self._waited, "each": each}

    @property
    def prepared(self) -> set[Needs]:
        """What children can be forked for."""
        return set(self._servers)

    def keep(self, kept: set[Needs]) -> None:
        """End the other fork servers, all at once: each takes a while to give its memory back."""
        ending = [self._servers.pop(needs) for needs in self.prepared - kept]
        for server in ending:
            server.kill()
        for server in ending:
            server.close()

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
        try:
            measured = request.work in MEASURED
            before, load = self._look() if measured else 0.0, os.getloadavg()[0]
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
                self._looked = time.monotonic(), noise.reference_workload()
                end = replace(end, load_average=load, reference_seconds=(before, self._looked[1]))
            return end
        finally:
            if request.log and log.is_file():
                write_bytes(into / request.log, logs.end(log))
            for used in (file, log):
                with contextlib.suppress(OSError):  # a child may have put anything in the way
                    used.unlink()

    def _look(self) -> float:
        """Seconds of the reference workload now: those after the last child where this one follows at once."""
        when, seconds = self._looked
        return seconds if time.monotonic() - when < RECENT else noise.reference_workload()

    def slowness(self) -> float:
        """That of this machine."""
        return noise.slowness()

    def _child(self, request: Request, needs: Needs, content: dict[str, Any], file: Path, log: Path) -> Child:
        """A fork of the server that fits, or a fresh interpreter where there is none or it has just gone."""
        module = WORKERS[request.work]
        if (server := self._servers.get(needs)) is not None:
            log.write_bytes(b"")
            forked = server.fork(content if request.work == "fit" else content | {"module": module})
            if forked is not None:
                return forked
            self._servers.pop(needs).close()
        assert needs.threads is not None
        file.write_bytes(json_bytes(content))
        return FreshChild(file, log, framework=needs.framework, threads=needs.threads, module=module, code=self._code)

    def close(self) -> None:
        """End every fork server."""
        self.keep(set())

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
