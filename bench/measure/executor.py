"""The seam between what asks for work in a child and where it is done: a request goes in, how it ended comes out.

`run`, `ab`, `verify`, `check` and `calibrate` start every child with `Executor.submit`. A request is plain values that
JSON can carry; it names no folder, process or count of CPUs of the machine that asks, so that another machine can do
it. `bench.measure.local` is the executor of this machine, `bench.measure.cluster` one of many slots on any machines.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from bench.cell import Cell

Work = Literal["fit", "until", "verify", "check", "calibrate"]
WORKERS: Mapping[Work, str] = {
    "fit": "bench.measure.worker",
    "until": "bench.score.until",
    "verify": "bench.verify.worker",
    "check": "bench.check.worker",
    "calibrate": "bench.calibration.worker",
}
"""The module whose `answer(request, …)` does each kind of work in the child."""
MEASURED: tuple[Work, ...] = ("fit", "until")
"""Work whose seconds are told: fits, and those that run until their error meets a target."""


class Needs(NamedTuple):
    """What the import in a child depends on; `threads` None are all CPUs of the machine it runs on."""

    framework: str
    device: str
    dtype: str
    threads: int | None
    track: str


def needs_of(cell: Cell) -> Needs:
    """What a child that fits a cell must import."""
    return Needs(cell.backend.rpartition(".")[0], cell.device, cell.dtype, cell.threads, cell.track)


@dataclass(frozen=True, slots=True)
class Request:
    """What a child is to do.

    `task` is what its worker reads. `timeout` in seconds is for the whole child or, where `progress` names a file,
    for each time until that file grows. `memory` in bytes of resident memory of its process tree (None: 80 % of what
    is free when it starts). `name`, `progress` and `log` are file names inside the folder that the results go to:
    what the executor's own files begin with, what the child appends to, and what keeps the end of its output (empty:
    nothing does).
    """

    work: Work
    needs: Needs
    task: Mapping[str, Any]
    timeout: float
    memory: int | None = None
    name: str = "request"
    progress: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended: its exit code (negative: signal), the limit that ended it, its seconds and peak memory.

    `log` is the end of its output. A fit has beside it the load average before it began, and the seconds of a fixed
    workload timed before and after it (see `bench.measure.noise`). `host` and `slot` are empty on this machine.
    """

    code: int
    limit: Literal["", "timeout", "memory"]
    seconds: float
    peak_rss_bytes: int
    log: bytes = b""
    started: Literal["fresh", "forked"] = "fresh"
    load_average: float | None = None
    reference_seconds: tuple[float, float] | None = None
    host: str = ""
    slot: int | None = None

    def status(self, timeout: float) -> tuple[str, str]:
        """Status and sentence for whatever the child has left undone."""
        after = f"after {self.seconds:.1f} s"
        if self.limit == "timeout":
            return "timeout", f"stopped at its limit of {timeout:g} s"
        if self.limit == "memory":
            return "memory", f"stopped at {self.peak_rss_bytes / 2**20:.0f} MiB of resident memory {after}"
        if self.code == -signal.SIGKILL:
            why = "which is what the system does when memory ends"
            return "memory", f"killed from outside {after} (signal SIGKILL), {why}"
        if self.code < 0:
            return "crashed", f"ended by signal {signal.Signals(-self.code).name} {after}"
        return "crashed", f"left with exit code {self.code} {after} without a result"


class Submits(Protocol):
    """Where one child at a time runs."""

    def submit(self, request: Request, into: Path, tick: Callable[[], None]) -> End:
        """Have a child do the work; what it writes lies in the folder `into` when this returns.

        `tick` is called a few times a second meanwhile; what it raises ends the child. KeyboardInterrupt where the
        user has asked to end.
        """

    def slowness(self) -> float:
        """By how much the machine is slower than one for which the limits of budgets are ample, at least 1."""


class Executor(Submits, Protocol):
    """Where children run."""

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[str], None]) -> None:
        """Import ahead what children will need, {needs: its methods, and families}; `tick` is told what is at work."""

    def imports(self) -> dict[str, Any]:
        """What was imported ahead and how long that took, for run.json."""


class SlotLost(Exception):
    """A slot is gone, and with it what it had not handed over: the work is to be done by another."""


class Slot(Submits, Protocol):
    """One place of many where a child at a time runs, on CPUs and memory that no other has.

    What it does raises SlotLost. `number` counts the slots of one executor, `host` says on which machine it is; in the
    folder `along` it finds the scenarios that no catalog has.
    """

    number: int
    host: str
    along: Path | None

    def each(self, asked: Sequence[tuple[Request, Path]], tick: Callable[[], None]) -> Iterator[End]:
        """`submit` for each, one after the other, in one message; they come when the last has ended.

        Fewer come, the first ones, where they take longer than a message should.
        """


@runtime_checkable
class Wide(Executor, Protocol):
    """An executor of several slots, which work at the same time."""

    def width(self) -> int:
        """How many slots there are now."""

    def threads(self) -> int:
        """How many CPUs every slot has."""

    def machines(self) -> dict[str, dict[str, Any]]:
        """{host: facts} of all on which there have been slots, as `bench.measure.host.facts`."""

    def take(self) -> Slot | None:
        """A slot that is free and is now the caller's; None where there is none."""

    def give(self, slot: Slot) -> None:
        """Let others take it, unless it is lost."""

    def check(self) -> None:
        """Look whether work can go on; ClusterError where it cannot."""
