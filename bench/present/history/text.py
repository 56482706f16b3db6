"""A history for the terminal."""

from __future__ import annotations

from bench.compare.measures import Measure
from bench.compare.series import Series
from bench.present.history import words
from bench.words import format as fmt
from bench.words.clean import clean

SHOWN = 12
"""Runs of each series listed, the latest."""
LINE = 60
"""Bars of a sparkline, the latest."""


def render(found: list[Series], measure: Measure, *, level: float, everything: bool) -> str:
    """A block per series: how it went, its steps, its latest runs (or all)."""
    blocks = [words.headline(found, measure)]
    for one in found:
        lines = [f"{clean(one.name)} · {fmt.count(len(one.points), 'run')} on {clean(one.machine)}"]
        if one.measured:
            lines.append(f"  {words.sparkline(one)[-LINE:]}")
        lines += [f"  {words.step(measure, one, change)}" for change in one.steps]
        lines += _runs(one, measure, everything=everything)
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, words.method(level)]) + "\n"


def _runs(one: Series, measure: Measure, *, everything: bool) -> list[str]:
    kept = one.points if everything else one.points[-SHOWN:]
    first = len(one.points) - len(kept)
    starts = {change.index for change in one.steps}
    rows = [
        (
            ">" if i in starts else " ", clean(p.run), clean(p.when[:16]), words.commit(p),
            words.value(measure, p.value) if p.value is not None else clean(p.status), words.interval(measure, p),
        )
        for i, p in enumerate(kept, start=first)
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    lines = ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [f"  … {fmt.count(first, 'earlier run')}; --all lists them", *lines] if first else lines
