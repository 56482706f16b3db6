"""The leader's end of a slot: requests go out as tasks of Dask for that one process, files come back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from distributed import Client

from bench.disk.durable import remove
from bench.measure.cluster import slot
from bench.measure.cluster.slot import Share
from bench.measure.executor import End, Needs, Request, SlotLost

LOOK_SECONDS = 0.2
T = TypeVar("T")


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
        return next(self.each([(request, into)], tick))

    def each(self, asked: Sequence[tuple[Request, Path]], tick: Callable[[], None]) -> Iterator[End]:
        """Have children made there, one after the other; the files of each are in its folder when it comes.

        Those that are not begun since others were slow do not come.
        """
        for request, into in asked:
            self._bring(request, into, tick)
        for (_, into), done in zip(asked, self._task(tick, slot.serve, [r for r, _ in asked]), strict=False):
            for folder in {into / Path(name).parent for name in done.files if len(Path(name).parts) > 2}:
                remove(folder)  # of a fit that is made again
            slot.put(into, done.files)
            yield replace(done.end, host=self.host, slot=self.number)

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[], None]) -> dict[str, Any]:
        """Import ahead there; what `Executor.imports` says of it."""
        return self._task(tick, slot.prepare, dict(wanted))

    def digests(self, asked: list[Any], files: slot.Files, tick: Callable[[], None]) -> list[str]:
        """Of data sets, as they are made there with these files of scenarios."""
        self.call(tick, slot.bring, files)
        return self._task(tick, slot.data, asked)

    def call(self, tick: Callable[[], None], function: Callable[..., Any], *args: Any) -> None:
        """Call a short function in the process at once, whatever is at work there; SlotLost."""

        async def called() -> None:
            await self._client.run(function, self._owner, *args, workers=[self.address])

        self._wait(called(), tick)

    def _task(self, tick: Callable[[], None], function: Callable[..., T], *args: Any) -> T:
        """What a function gives as a task of the process; whatever ends the wait ends the task.

        Whatever goes wrong there, a full disk or a killed process, makes it a lost slot: others have its work.
        """
        where = {"workers": [self.address], "allow_other_workers": False}
        with self._losing():
            future = self._client.submit(function, self._owner, *args, pure=False, retries=0, **where)

        async def result() -> T:
            found: T = await future
            return found

        try:
            found = self._wait(result(), tick)
        except BaseException:
            with contextlib.suppress(Exception):
                future.cancel()
            raise
        future.release()
        return found

    def _wait(self, answer: Coroutine[Any, Any, T], tick: Callable[[], None]) -> T:
        """What the client's loop is to wait for, unless the process or the scheduler ends meanwhile: SlotLost."""

        def look() -> None:
            tick()
            if self.lost.is_set() or self._client.status != "running":
                self.lost.set()
                raise SlotLost("its process has ended")

        with self._losing():
            waited = in_loop(self._client, answer)
        until_done(waited, look)
        with self._losing():
            return waited.result()

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        """Whatever Dask raises loses the slot."""
        try:
            yield
        except (Exception, CancelledError) as error:
            self.lost.set()
            raise SlotLost(f"{type(error).__name__}: {' '.join(str(error).split())}") from error

    def _bring(self, request: Request, into: Path, tick: Callable[[], None]) -> None:
        """Have the files of the request's scenarios there, where these are in no catalog."""
        for name in set(_scenarios(request)) - self._brought:
            files = dict(kept(into, name)) or (dict(kept(self.along, name)) if self.along is not None else {})
            if files:
                self.call(tick, slot.bring, files)
            self._brought.add(name)


def in_loop(client: Client, answer: Coroutine[Any, Any, T]) -> Future[T]:
    """Have the client's loop, in a thread of its own, wait for an answer."""
    loop: Any = client.loop
    return asyncio.run_coroutine_threadsafe(answer, loop.asyncio_loop)


def until_done(future: Future[T], tick: Callable[[], object]) -> Future[T]:
    """Wait for its end, calling `tick` a few times a second; what that raises cancels it."""
    try:
        while not wait([future], LOOK_SECONDS).done:
            tick()
    finally:
        future.cancel()
    return future


def _scenarios(request: Request) -> list[str]:
    named = [request.task["cell"]] if "cell" in request.task else request.task.get("tasks", ())
    return list(dict.fromkeys(str(task["scenario"]) for task in named))


def kept(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Path inside the folder and content of every file of a scenario that the folder brings along."""
    place = folder / slot.BROUGHT / name
    for file in sorted(place.rglob("*")) if place.is_dir() else ():
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_bytes()
