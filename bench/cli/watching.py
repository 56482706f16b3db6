"""`bench run --watch`: a table of all cells while they are fitted, with what each has come to so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.cli.output import ERR
from bench.cli.progress import RunProgress
from bench.words import format as fmt

if TYPE_CHECKING:
    from bench.plan import Job
    from bench.store.records import Record

BESIDE = 7
"""Lines of a terminal that the table leaves to others."""


@dataclass(slots=True)
class _Line:
    """A cell: how many of its children there are and have ended, and what its fits took."""

    name: str
    children: int = 0
    ended: int = 0
    state: str = "waiting"
    moved: int = 0
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)


class Watch(RunProgress):
    """The bar of a run under a table of its cells; where stderr is no terminal, lines as ever."""

    def __init__(self, jobs: Sequence[Job], *, quiet: bool) -> None:
        super().__init__(jobs, quiet=quiet)
        self._lines: dict[str, _Line] = {}
        for job in jobs:
            self._line(job).children += 1
        self._moves = 0
        self._live = Live(get_renderable=self._shown, console=ERR, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if not self.plain:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.plain:
            self._live.stop()

    def starts(self, job: Job) -> None:
        """Mark the cell at work."""
        super().starts(job)
        self._move(job, "at work")

    def ends(self, job: Job, records: Sequence[Record]) -> None:
        """Book how its fits ended, and their seconds."""
        super().ends(job, records)
        line = self._line(job)
        line.ended += 1
        bad = next((r.status for r in records if r.status != "ok"), "")
        self._move(job, bad or ("ok" if line.ended == line.children else "waiting"))
        for record in records:
            if record.status == "ok":
                (line.cold if record.cold else line.warm).append(sum(record.seconds.values()))

    def _line(self, job: Job) -> _Line:
        return self._lines.setdefault(job.planned.cell.id, _Line(job.planned.name))

    def _move(self, job: Job, state: str) -> None:
        self._moves += 1
        line = self._line(job)
        line.state, line.moved = state, self._moves

    def _shown(self) -> RenderableType:
        """As many cells as the terminal has room for: those at work, then the latest that moved, then the rest."""
        lines = sorted(self._lines.values(), key=lambda line: (line.state != "at work", -line.moved))
        room = max(ERR.height - BESIDE, 1)
        table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column("cell", no_wrap=True, overflow="ellipsis", ratio=1)
        for title, width in (("rounds", 7), ("one fit", 8), ("further fit", 11)):
            table.add_column(title, justify="right", no_wrap=True, min_width=width)
        table.add_column("state", no_wrap=True, min_width=len("unavailable"))
        for line in lines[:room]:
            style = {"at work": "bold", "waiting": "dim", "ok": ""}.get(line.state, "yellow")
            seconds = (fmt.seconds(median(values)) if values else "" for values in (line.cold, line.warm))
            table.add_row(Text(line.name), f"{line.ended}/{line.children}", *seconds, line.state, style=style)
        more = [Text(f"and {len(lines) - room} more", style="dim")] if len(lines) > room else []
        return Group(table, *more, self.bar)
