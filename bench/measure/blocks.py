"""Run a plan on many slots: all contenders of a scenario and a round on one of them, one after the other.

What is compared is so measured on the same CPUs within minutes; and all rounds of a scenario on one machine, as long as
none is idle. A slot that is lost takes nothing along but the fit at work: what is left of its block is done by another.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from bench.cell import Cell
from bench.disk.durable import put_folder, remove, sync
from bench.measure import interrupts
from bench.measure.executor import Slot, SlotLost, Wide
from bench.measure.homes import Homes
from bench.measure.job import ATTEMPTS, Limits, answered, asked, disturbed, new_child, record_missing, refusal
from bench.measure.watchers import Watcher
from bench.plan import Job, Plan
from bench.store.folder import RunFolder
from bench.store.ledger import Ledger
from bench.store.records import Record
from bench.store.spares import Spares

MOST_SLOTS = 1024
LOOK_SECONDS = 0.1
TRIES = 5
"""How often a job may lose its slot before it is taken to be the cause."""
TOGETHER_SECONDS, TOGETHER = 1.0, 64
"""Contenders that are quick, by an earlier round or by the slowest that their backend has been on the scenario so far,
are asked for together, for so many seconds and so many children at most: a message costs as much as they do. Nothing is
handed over while one is at work.
"""
STORERS, WAITING = 4, 64
"""Threads that put fits on the disk, and how many jobs may wait for them."""
LANES = ".lanes"
"""The folder of a run in which what a slot hands over lies until it is a finished fit."""

P = TypeVar("P")
Do = Callable[[P, Slot, Callable[[], None]], P | None]
"""Do a piece in a slot; what is left of it where the slot is lost. What it is given last raises once all is to end."""


def spread(pieces: Homes[P], do: Do[P], executor: Wide, look: Callable[[], None]) -> None:
    """Do every piece, as many at a time as there are slots; `look` is called a few times a second.

    What `look` raises ends all, and so does Ctrl-C. ClusterError where work cannot go on.
    """
    stop = threading.Event()

    def tick() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    with ThreadPoolExecutor(MOST_SLOTS, "slot") as threads:
        busy: dict[Future[P | None], Slot] = {}
        try:
            while pieces or busy:
                interrupts.check()
                while pieces and (slot := executor.take()) is not None:
                    busy[threads.submit(do, pieces.next(slot.host), slot, tick)] = slot
                done = wait(busy, LOOK_SECONDS, FIRST_COMPLETED).done
                if not busy:
                    stop.wait(LOOK_SECONDS)
                look()
                executor.check()
                for future in done:
                    executor.give(busy.pop(future))
                    if (rest := future.result()) is not None:
                        pieces.back(rest)
        finally:
            stop.set()
    look()


def blocks(jobs: Iterable[Job]) -> list[list[Job]]:
    """The jobs of every scenario and round, in the order of their first."""
    found: dict[tuple[str, int], list[Job]] = {}
    for job in jobs:
        found.setdefault((job.planned.cell.scenario_label, job.round), []).append(job)
    return list(found.values())


def scenario(block: Sequence[Job]) -> str:
    """Whose rounds, and whose sizes in a sweep, are to be made on one machine."""
    return block[0].planned.cell.scenario


def _each(block: Sequence[Job]) -> str:
    """One that no other has."""
    return f"{block[0].planned.cell.id} {block[0].round}"


class Blocks:
    """The jobs of a run, made in slots; the records come as `bench.measure.run.execute` makes them."""

    def __init__(self, plan: Plan, folder: RunFolder, limits: Limits, watcher: Watcher, refused: Mapping[str, str]):
        self._plan, self._folder, self._limits, self._watcher, self._refused = plan, folder, limits, watcher, refused
        self._said: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._storing, self._room = ThreadPoolExecutor(STORERS, "stores"), threading.BoundedSemaphore(WAITING)
        self._telling, self._losses = threading.Lock(), dict[tuple[str, int], int]()
        self._took, self._slowest = dict[str, float](), dict[tuple[str, str], float]()

    def run(self, jobs: Iterable[Job], executor: Wide, *, timed: bool = True) -> None:
        """Make all of them, where seconds are not `timed` each wherever there is a slot; as `spread`."""
        pieces = Homes(blocks(jobs), scenario) if timed else Homes([[job] for job in jobs], _each)
        try:
            with self._storing:
                spread(pieces, self._block, executor, self._look)
        finally:
            remove(self._folder.path / LANES)
        self._look()

    def _look(self) -> None:
        """Tell the watcher, in the thread that it lives in; what kept a fit from being stored is raised here."""
        self._watcher.waits()
        tell(self._said)

    def _block(self, jobs: list[Job], slot: Slot, tick: Callable[[], None]) -> list[Job] | None:
        slot.along = self._folder.path
        left = deque((job, 1) for job in jobs if not self._refuses(job))
        try:
            while left:
                tick()
                self._part(left, slot, tick)
        except SlotLost as lost:
            job = left[0][0]
            key = job.planned.cell.id, job.round
            self._losses[key] = self._losses.get(key, 0) + 1
            if self._losses[key] == TRIES:
                why = f"its slot was lost {TRIES} times while it was at work, the last time: {lost}"
                self._missing(job, "crashed", why)
                left.popleft()
        return [job for job, _ in left] or None

    def _refuses(self, job: Job) -> bool:
        """Whether no child is made for a job; its records then say why."""
        why = self._refused.get(job.planned.cell.id)
        status, reason = ("invalid", why) if why else refusal(job.planned)
        if status:
            self._starts(job)
            self._missing(job, status, reason)
        return bool(status)

    def _missing(self, job: Job, status: str, why: str) -> None:
        lane = self._lane()
        self._stored(job, lane, record_missing(job, lane, status, why, child=new_child()))

    def _part(self, left: deque[tuple[Job, int]], slot: Slot, tick: Callable[[], None]) -> None:
        """Make the first of what is left, (job, attempt); each is out of it once its fits are on their way."""
        part = []
        for job in self._together([job for job, _ in left]):
            lane = self._lane()
            part.append((job, lane, asked(job, self._plan, lane, self._limits, slot.slowness())))
            self._starts(job)
        ends = slot.each([(request, lane.path) for _, lane, request in part], tick)
        asked_for = iter(part)
        for end in ends:
            job, lane, request = next(asked_for)
            attempt = left[0][1]
            self._learn(job.planned.cell, end.seconds)
            records = answered(job, lane, request, end, attempt)
            if attempt < ATTEMPTS and disturbed(records, self._limits):
                left[0] = job, attempt + 1
            else:
                self._stored(job, lane, records)
                left.popleft()
        for _, lane, _ in asked_for:
            remove(lane.path)

    def _learn(self, cell: Cell, seconds: float) -> None:
        like = cell.scenario, cell.backend
        self._took[cell.id], self._slowest[like] = seconds, max(seconds, self._slowest.get(like, 0.0))

    def _expected(self, cell: Cell) -> float:
        """Seconds of its child; TOGETHER_SECONDS where nothing like it has been made."""
        slowest = self._slowest.get((cell.scenario, cell.backend), TOGETHER_SECONDS)
        return self._took.get(cell.id, slowest)

    def _together(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """The first, and those after it that are likely to be quick."""
        yield jobs[0]
        seconds = self._expected(jobs[0].planned.cell)
        for job in jobs[1:TOGETHER]:
            seconds += self._expected(job.planned.cell)
            if seconds > TOGETHER_SECONDS or self._limits.disturbance is not None:
                return
            yield job

    def _starts(self, job: Job) -> None:
        self._said.put(partial(self._watcher.starts, job))

    def _lane(self) -> Lane:
        """A folder for one job, small however large the run is."""
        lane = Lane(self._folder.path / LANES / new_child())
        (lane.path / lane.INNER).mkdir(parents=True)
        return lane

    def _stored(self, job: Job, lane: Lane, records: list[Record]) -> None:
        """Have fits put into the run's folder; their slot does not wait for the disk."""
        self._room.acquire()
        self._storing.submit(self._store, job, lane, records)

    def _store(self, job: Job, lane: Lane, records: list[Record]) -> None:
        """Have its fits in the run's folder."""
        try:
            for record in records:
                ready = lane.fit(record.cell, record.rep)
                for file in ready.iterdir():
                    sync(file)
                put_folder(ready, self._folder.fit(record.cell, record.rep))
            remove(lane.path)
            with self._telling:
                for line in lane.lines:
                    self._folder.children.append(line)
            self._said.put(partial(self._watcher.ends, job, records))
        except BaseException as error:  # noqa: BLE001 -- raised where the run is led
            self._said.put(partial(_raise, error))
        finally:
            self._room.release()


def tell(said: SimpleQueue[Callable[[], None]]) -> None:
    """Do here what other threads have left to be done in this one."""
    with contextlib.suppress(Empty):
        while True:
            said.get_nowait()()


def _raise(error: BaseException) -> None:
    raise error


class Lane(RunFolder):
    """A run's folder for one job. No contender sees it, so that nothing has spares; lines on children are kept here."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lines: list[Mapping[str, Any]] = []

    @property
    def spares(self) -> Spares:
        """None."""
        return _NoSpares(self.path)

    @property
    def children(self) -> Ledger:
        """Its lines, which go into the run's ledger together with its fits."""
        return _Lines(self.path, self.lines)

    def mend(self) -> None:
        """Nobody can have spoilt it."""


class _NoSpares(Spares):
    def keep(self, name: str) -> None:
        """Nothing."""

    def forget(self, name: str) -> None:
        """Nothing."""


class _Lines(Ledger):
    def __init__(self, path: Path, lines: list[Mapping[str, Any]]) -> None:
        super().__init__(path)
        self._lines = lines

    def append(self, entry: Mapping[str, Any]) -> None:
        """Keep it in memory."""
        self._lines.append(entry)
