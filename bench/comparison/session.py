"""Both sides in turn, round after round; more rounds only for what is still open."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from bench.comparison.sides import Side
from bench.measure import interrupts
from bench.measure.job import Limits, new_child, one, record_missing
from bench.measure.local import Local
from bench.measure.run import imports_of
from bench.plan import Job
from bench.types import derive_seed

GROWTH = 1.6
"""By what the number of rounds grows between two looks."""


class Watcher(Protocol):
    """Is told what is being measured."""

    def imports(self, framework: str) -> None:
        """A framework is being imported."""

    def starts(self, side: Side, job: Job) -> None:
        """A child is about to start."""

    def waits(self) -> None:
        """Called a few times a second while it runs."""


@dataclass
class Session:
    """The `rounds` made so far of each pair of cells, by the position of the pair in the plans."""

    sides: tuple[Side, Side]
    limits: Limits
    watcher: Watcher
    rounds: dict[int, int] = field(default_factory=dict)
    position: int = 0

    def run(
        self, looks: Sequence[int], still_open: Callable[[], set[int]], *, seconds: float | None = None
    ) -> Iterator[int]:
        """Bring the open pairs to each number of rounds in `looks`; yields that number after each look.

        `still_open` judges what there is and gives the pairs that need more. Nothing is begun after `seconds`, once the
        first look has been reached. KeyboardInterrupt passes through, with what was begun recorded as interrupted.
        """
        until = math.inf if seconds is None else time.monotonic() + seconds
        with ExitStack() as stack:
            for side in self.sides:
                stack.enter_context(side.folder.spares.kept())
            executors = [stack.enter_context(Local(side.source.code)) for side in self.sides]
            self._start(executors)
            pairs = set(range(len(self.sides[0].plan.cells)))
            for look, rounds in enumerate(looks):
                for round_ in range(rounds):
                    if look and time.monotonic() > until:
                        return
                    self._round(executors, {p for p in pairs if self.rounds.get(p, 0) <= round_}, round_)
                yield rounds
                pairs = still_open()
                if not pairs or time.monotonic() > until:
                    return

    def _start(self, executors: list[Local]) -> None:
        """Import the frameworks of both sides; what only one side can fork is started fresh on both."""
        if self.limits.fresh:
            return
        for side, executor in zip(self.sides, executors, strict=True):
            able = imports_of(p for p in side.plan.cells if p.cell.id not in side.refused)
            executor.prepare(able, self.watcher.imports)
        shared = executors[0].prepared & executors[1].prepared
        for executor in executors:
            executor.keep(shared)

    def _round(self, executors: list[Local], pairs: set[int], round_: int) -> None:
        """One child per side of every pair, pairs in a new order, the side that begins drawn each time."""
        seed = self.sides[0].plan.seed
        order = sorted(pairs)
        random.Random(derive_seed(seed, "order", round_)).shuffle(order)
        for pair in order:
            turns = [0, 1]
            random.Random(derive_seed(seed, "turns", round_, pair)).shuffle(turns)
            for turn in turns:
                side = self.sides[turn]
                job = Job(side.plan.cells[pair], round_, self.position)
                self.watcher.starts(side, job)
                try:
                    interrupts.check()
                    if why := side.refused.get(job.planned.cell.id):
                        record_missing(job, side.folder, "invalid", why, child=new_child())
                    else:
                        one(job, side.plan, side.folder, self.limits, executors[turn], self.watcher.waits)
                except KeyboardInterrupt:
                    record_missing(job, side.folder, "interrupted", "interrupted before this rep ended")
                    raise
                self.position += 1
            self.rounds[pair] = round_ + 1
            for side in self.sides:
                self._note_rounds(side, pair)

    def _note_rounds(self, side: Side, pair: int) -> None:
        """Say in run.json how many rounds the cell has now, so that its tables have no holes and no surplus."""
        manifest = side.folder.manifest()
        manifest.cells[pair].rounds = self.rounds[pair]
        side.folder.write_manifest(manifest)


def schedule(first: int, most: int) -> list[int]:
    """Numbers of rounds at which to look: `first`, growing by GROWTH, up to `most`."""
    looks = [first]
    while looks[-1] < most:
        looks.append(min(most, math.ceil(looks[-1] * GROWTH)))
    return looks
