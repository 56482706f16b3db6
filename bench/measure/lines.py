"""A run in lines of text, for whoever has no display of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

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


class Lines:
    """A watcher that gives `say` a line per density that is verified and per child that has ended.

    `names` {cell id: name} are other names than `scenario × backend`.
    """

    def __init__(self, say: Callable[[str], object], jobs: int, names: Mapping[str, str] | None = None) -> None:
        self._say, self._jobs, self._names = say, jobs, names or {}
        self._done, self._verified = 0, Seen()

    def imports(self, framework: str) -> None:
        """Nothing: many times a second."""

    def starts(self, job: Job) -> None:
        """Nothing: its end is said."""

    def waits(self) -> None:
        """Nothing."""

    def verifies(self, what: str) -> None:
        """Name the densities that are being verified, once."""
        for one in self._verified.new(what):
            self._say(f"verifying {one}")

    def ends(self, job: Job, records: Sequence[Record]) -> None:
        """How it ended."""
        self._done += 1
        bad = next((record for record in records if record.status != "ok"), None)
        seconds = sum(v for r in records for k, v in r.seconds.items() if k != "import")  # which children share
        how = f"{bad.status}: {bad.reason}" if bad else f"ok, {seconds:.2f} s"
        planned = job.planned
        self._say(f"[{self._done}/{self._jobs}] {self._names.get(planned.cell.id, planned.name)}: {how}")
