"""A calibration in slots: the data sets of a cell in parts, each with a child and a compilation of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from bench.calibration.trial import Trial
from bench.disk.durable import remove, write_bytes
from bench.measure.blocks import LANES, spread, tell
from bench.measure.executor import End, Request, Slot, SlotLost, Wide
from bench.measure.homes import Homes
from bench.measure.job import new_child
from bench.plan import Planned
from bench.store.folder import CalibrationFolder
from bench.store.ledger import Ledger

if TYPE_CHECKING:
    from bench.calibration.study import Study

MOST = 50
"""Data sets of a part at most: what a lost slot takes along is fitted again."""


class Watcher(Protocol):
    """Who wants to see a calibration go by (the CLI's progress display)."""

    def starts(self, planned: Planned, missing: int) -> None:
        """A cell is about to be worked on, with so many data sets missing."""

    def refused(self, planned: Planned, reason: str) -> None:
        """A cell is left out."""

    def ends(self, planned: Planned, trials: Sequence[Trial]) -> None:
        """These data sets have ended."""


class Part(NamedTuple):
    """Some data sets of one cell."""

    planned: Planned
    numbers: Sequence[int]


class Parts:
    """What a study has left to do, divided between slots."""

    def __init__(self, study: Study, cells: Sequence[Planned], executor: Wide) -> None:
        self._study, self._executor, self._cells = study, executor, cells
        self._said: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._telling = threading.Lock()

    def run(self) -> None:
        """Fit all that is missing; ClusterError where there are no slots left."""
        pieces: list[Part] = []
        for planned in self._cells:
            self._study.folder.ledger(planned.cell.id).mend()
            missing = self._study.missing(planned)
            self._study.watcher.starts(planned, len(missing))
            size = min(MOST, -(-len(missing) // max(1, self._executor.width()))) or 1
            pieces += [Part(planned, missing[i : i + size]) for i in range(0, len(missing), size)]
        try:
            spread(Homes(pieces, _name), self._fit, self._executor, partial(tell, self._said))
        finally:
            remove(self._study.folder.path / LANES)

    def _fit(self, part: Part, slot: Slot, tick: Callable[[], None]) -> Part | None:
        """Fit a part in a folder of its own, and add its lines to the ledger."""
        tick()
        folder, cell = self._study.folder, part.planned.cell.id
        slot.along = folder.path
        lane = CalibrationFolder(folder.path / LANES / new_child())
        (lane.path / lane.INNER).mkdir(parents=True)
        try:
            replace(self._study, folder=lane, executor=_Lane(slot, tick), watcher=_Unseen()).fit(*part)
            entries = lane.ledger(cell).entries()
            with self._telling:
                for entry in entries:
                    folder.ledger(cell).append(entry)
                for log in (lane.path / lane.INNER).glob("*.log"):
                    write_bytes(folder.path / folder.INNER / log.name, log.read_bytes())
        except SlotLost:
            return part
        finally:
            remove(lane.path)
        self._said.put(partial(self._study.watcher.ends, part.planned, [Trial.of(entry) for entry in entries]))
        return None


class _Lane:
    """A slot in which the children of one part add to one ledger, each in a folder of its own."""

    def __init__(self, slot: Slot, tick: Callable[[], None]) -> None:
        self._slot, self._tick = slot, tick

    def slowness(self) -> float:
        """That of its machine."""
        return self._slot.slowness()

    def submit(self, request: Request, into: Path, tick: Callable[[], None]) -> End:
        """Have a child made; `tick`, which shows what is finished meanwhile, has nothing to show here."""
        fresh = into / new_child()
        fresh.mkdir()
        end = self._slot.submit(request, fresh, self._tick)
        for entry in Ledger(fresh / request.progress).entries():
            Ledger(into / request.progress).append(entry)
        if (fresh / request.log).is_file():
            os.replace(fresh / request.log, into / request.log)
        return end


class _Unseen:
    """A watcher that waits until a part is done."""

    def starts(self, *args: Any, **named: Any) -> None:
        """Said with the rest of the part."""

    refused = ends = starts


def _name(part: Part) -> str:
    """Each part is at home wherever there is a slot for it: seconds are not what a calibration is about."""
    return f"{part.planned.cell.id} {part.numbers[0]}"
