"""Chains of Stan's NUTS, and what they write: one after another in this process, or shared out among forks of it.

httpstan's extension writes every draw to a Unix socket, as JSON; whoever called it reads there. Stan keeps one autodiff
tape per process, so chains side by side need processes; these end with the fit, so that their CPU time is counted.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.stan import runtime

CONNECTIONS = ("log", "inits", "draws", "diagnostics")
"""Of a chain, in the order in which the extension makes them."""
PAUSE = 0.001
"""Seconds between two looks at the sockets: to wake up for each draw would take the sampler's core from it."""

Call = Callable[..., int]


class Reader:
    """What each chain writes, by chain: its log and its draws."""

    def __init__(self, folder: str, chains: int) -> None:
        self.paths = [str(Path(folder) / str(chain)) for chain in range(chains)]
        self.written = [[bytearray() for _ in CONNECTIONS] for _ in self.paths]
        self._selector = selectors.DefaultSelector()
        self._listening = [socket.socket(socket.AF_UNIX) for _ in self.paths]
        for chain, (listening, path) in enumerate(zip(self._listening, self.paths, strict=True)):
            listening.bind(path)
            listening.listen(4)
            self._selector.register(listening, selectors.EVENT_READ, iter(self.written[chain]))

    def read(self, ended: Callable[[], bool]) -> None:
        """Take all that is written until the chains have ended."""
        while True:
            last = ended()  # asked first: what was written until then is there
            events = self._selector.select(0.0 if last else 0.01)
            for key, _ in events:
                self._take(key.fileobj, key.data)
            if last and not events:
                break
            if not last:
                time.sleep(PAUSE)
        for connection in self._listening:
            connection.close()
        self._selector.close()

    def _take(self, connection: Any, of: Iterator[bytearray] | bytearray) -> None:
        if not isinstance(of, bytearray):
            self._selector.register(connection.accept()[0], selectors.EVENT_READ, next(of))
        elif chunk := connection.recv(1 << 20):
            of += chunk
        else:
            self._selector.unregister(connection)
            connection.close()


def run(sample: Call, settings: Sequence[dict[str, Any]], processes: int) -> list[tuple[int, bytes, bytes]]:
    """Status, log and draws of a chain for each of `settings`, on so many processes at a time."""
    with tempfile.TemporaryDirectory(prefix="bench-chains-") as folder:
        reader = Reader(folder, len(settings))
        calls = [{"socket_filename": path, **own} for path, own in zip(reader.paths, settings, strict=True)]
        codes = _here(sample, calls, reader) if processes == 1 else _forked(sample, calls, reader, processes)
    return [(code, bytes(log), bytes(draws)) for code, (log, _, draws, _) in zip(codes, reader.written, strict=True)]


def _here(sample: Call, calls: Sequence[dict[str, Any]], reader: Reader) -> list[int]:
    """In this thread, which has the tape; the extension lets go of the interpreter meanwhile."""
    ended = threading.Event()
    thread = threading.Thread(target=reader.read, args=(ended.is_set,))
    thread.start()
    try:
        return [sample(**call) for call in calls]
    finally:
        ended.set()
        thread.join()


def _forked(sample: Call, calls: Sequence[dict[str, Any]], reader: Reader, processes: int) -> list[int]:
    context = multiprocessing.get_context("fork")
    memory = context.RawArray("q", processes)
    work = [(sample, calls[i::processes], memory, i) for i in range(processes)]
    forks = [context.Process(target=_in_fork, args=own, daemon=True) for own in work]
    for fork in forks:
        fork.start()
    reader.read(lambda: not any(fork.is_alive() for fork in forks))
    runtime.note_bytes_beside(sum(memory))
    return [forks[chain % processes].exitcode or 0 for chain in range(len(calls))]


def _in_fork(sample: Call, calls: Sequence[dict[str, Any]], memory: Any, place: int) -> None:
    failed = any([sample(**call) for call in calls])
    memory[place] = _own_bytes()
    sys.exit(int(failed))


def _own_bytes() -> int:
    """Memory that this process does not share with the one it was forked from; its tape and buffers do not shrink."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))
