"""The leader's end of a slot: requests go out as tasks of Dask for that one process, files come back."""

from __future__ import annotations

import contextlib
import threading
import uuid
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Client, Future

from bench.disk.durable import remove
from bench.measure.cluster import slot
from bench.measure.cluster.slot import Share
from bench.measure.executor import End, Needs, Request, SlotLost

LOOK_SECONDS = 0.2


class Remote:
    """A `bench.measure.executor.Slot` in the process at `address`.

    `along` is the folder of the run, in which the scenarios that no catalog has are found.
    """

    def __init__(
        self, client: Client, address: str, owner: str, host: str, number: int, share: Share, slowness: float
    ) -> None:
        self.host, self.number, self.share, self.address = host, number, share, address
        self.lost = threading.Event()
        self.along: Path | None = None
        self._client, self._owner, self._slowness = client, owner, slowness
        self._brought: set[str] = set()

    def slowness(self) -> float:
        """That of its machine."""
        return self._slowness

    def submit(self, request: Request, into: Path, tick: Callable[[], None]) -> End:
        """Have a child made there; its files are put into the folder."""
        self._bring(request, into)
        done: slot.Done = self._task(tick, slot.serve, request)
        for folder in {into / Path(name).parent for name in done.files if len(Path(name).parts) > 2}:
            remove(folder)  # of a fit that is made again
        slot.put(into, done.files)
        return replace(done.end, host=self.host, slot=self.number)

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[], None]) -> dict[str, Any]:
        """Import ahead there; what `Executor.imports` says of it."""
        imported: dict[str, Any] = self._task(tick, slot.prepare, dict(wanted))
        return imported

    def digests(self, asked: list[Any], files: slot.Files, tick: Callable[[], None]) -> list[str]:
        """Of data sets, as they are made there with these files of scenarios."""
        self.call(slot.bring, files)
        found: list[str] = self._task(tick, slot.data, asked)
        return found

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a short function in the process at once, whatever is at work there; SlotLost."""
        try:
            self._client.run(function, self._owner, *args, workers=[self.address])
        except Exception as error:
            self.lost.set()
            raise SlotLost(f"{type(error).__name__}: {error}") from error

    def _task(self, tick: Callable[[], None], function: Callable[..., Any], *args: Any) -> Any:
        """What a function gives as a task of the process; whatever ends the wait ends the task.

        Whatever goes wrong there, a full disk or a killed process, makes it a lost slot: others have its work.
        """
        ended = threading.Event()
        where = {"workers": [self.address], "allow_other_workers": False}
        key = f"{function.__name__}-{uuid.uuid4().hex}"
        future = self._client.submit(function, self._owner, *args, key=key, pure=False, retries=0, **where)
        future.add_done_callback(lambda _: ended.set())
        try:
            while not ended.wait(LOOK_SECONDS):
                tick()
                if self.lost.is_set() or self._client.status != "running":
                    raise SlotLost("its process has ended")
            return self._result(future)
        except SlotLost:
            self.lost.set()
            raise
        finally:
            with contextlib.suppress(Exception):
                future.release() if ended.is_set() else future.cancel()

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except (Exception, CancelledError) as error:
            raise SlotLost(f"{type(error).__name__}: {' '.join(str(error).split())}") from error

    def _bring(self, request: Request, into: Path) -> None:
        """Have the files of the request's scenarios there, where these are in no catalog."""
        for name in set(_scenarios(request)) - self._brought:
            files = dict(kept(into, name)) or (dict(kept(self.along, name)) if self.along is not None else {})
            if files:
                self.call(slot.bring, files)
            self._brought.add(name)


def _scenarios(request: Request) -> list[str]:
    named = [request.task["cell"]] if "cell" in request.task else request.task.get("tasks", ())
    return list(dict.fromkeys(str(task["scenario"]) for task in named))


def kept(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Path inside the folder and content of every file of a scenario that the folder brings along."""
    place = folder / slot.BROUGHT / name
    for file in sorted(place.rglob("*")) if place.is_dir() else ():
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_bytes()
