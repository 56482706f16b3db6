"""Who sees a run go by: whoever wants to, and lines of text for who has no display of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.words import format as fmt

if TYPE_CHECKING:
    from bench.plan import Job
    from bench.store.records import Record


class Seen:
    """What has been named of several things that are done at once, `a; b`."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    @property
    def nothing(self) -> bool:
        """Whether nothing has been named yet."""
        return not self._named

    def new(self, text: str) -> list[str]:
        """What of the text has not been named yet; from now on it has."""
        found = [one for one in text.split("; ") if one not in self._named]
        self._named.update(found)
        return found


class Absent:
    """Which contenders turned out not to be available: each is said once, for all its fits."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._fits, self._said = Counter[tuple[str, str]](), set[str]()
        for job in jobs:
            self._fits[_contender(job)] += len(job.reps)

    def new(self, job: Job, reason: str) -> str:
        """The sentence on it; empty where it has been said."""
        text = f"{_contender(job)[0]}: unavailable, {fmt.count(self._fits[_contender(job)], 'fit')}: {reason}"
        said = text in self._said
        self._said.add(text)
        return "" if said else text


def _contender(job: Job) -> tuple[str, str]:
    """What is available, or is not: a contender on a device."""
    return job.planned.cell.backend, job.planned.cell.device


class Watcher:
    """Who sees a run go by, and what comes before its fits; whatever is not an event is called often. Shows nothing."""

    def imports(self, framework: str) -> None:
        """A framework is being imported."""

    def verifies(self, what: str) -> None:
        """Densities and methods are being verified."""

    def starts(self, job: Job) -> None:
        """A child is about to start."""

    def waits(self) -> None:
        """A child is at work."""

    def ends(self, job: Job, records: list[Record]) -> None:
        """It has ended."""


class Lines(Watcher):
    """A watcher that gives `say` a line per density that is verified, child that has ended and absent contender.

    `names` {cell id: name} are other names than `scenario × backend`.
    """

    def __init__(
        self, say: Callable[[str], object], jobs: Sequence[Job], names: Mapping[str, str] | None = None
    ) -> None:
        self._say, self._jobs, self._names = say, len(jobs), names or {}
        self._done, self._verified, self._absent = 0, Seen(), Absent(jobs)

    def verifies(self, what: str) -> None:
        """Name the densities that are being verified, once."""
        for one in self._verified.new(what):
            self._say(f"verifying {one}")

    def ends(self, job: Job, records: Sequence[Record]) -> None:
        """How it ended."""
        self._done += 1
        bad = next((record for record in records if record.status != "ok"), None)
        if bad and bad.status == "unavailable":
            if text := self._absent.new(job, bad.reason):
                self._say(text)
            return
        seconds = sum(v for r in records for k, v in r.seconds.items() if k != "import")  # which children share
        how = f"{bad.status}: {bad.reason}" if bad else f"ok, {seconds:.2f} s"
        planned = job.planned
        self._say(f"[{self._done}/{self._jobs}] {self._names.get(planned.cell.id, planned.name)}: {how}")
