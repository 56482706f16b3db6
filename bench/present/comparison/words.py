"""The words of a comparison, the same in every format."""

from __future__ import annotations

from bench.comparison.measures import STATUS
from bench.comparison.rows import Comparison, Row
from bench.comparison.warnings import worst
from bench.words import format as fmt
from bench.words.clean import clean

CHANGED = ("worse", "better", "missing", "new")
"""Verdicts that are shown without being asked for."""
NUMBERS = ("A", "B", "B/A (interval)", "threshold")
"""Titles of the columns of numbers."""
ORDER = ("worse", "missing", "better", "new", "inconclusive", "same", "code-changed", "other-machine")


def headline(comparison: Comparison) -> str:
    """The one line that matters, first."""
    if failing := comparison.regressions:
        first = {row.cell: row for row in reversed(failing)}  # the row that stands first in each cell
        changes = fmt.some([_named(row) for row in reversed(first.values())])
        cells = fmt.count(len({row.cell for row in comparison.rows}), "cell")
        return f"Regression in {len(first)} of {cells}: {changes}."
    if comparison.outcome == "not comparable":
        gate = comparison.unchecked[0] if comparison.unchecked else ""
        return f"Not comparable: {f'--fail-on {gate!r} could not be checked' if gate else _nothing(comparison)}."
    counts = comparison.counts()
    totals = [f"{counts[v]} {v}" for v in CHANGED if v in counts]
    undecided = counts.get("inconclusive", 0)
    parts = [f"No regression in {fmt.count(comparison.cells, 'cell')}", *totals]
    if undecided:
        row = worst(list(comparison.rows))
        hidden = f": {row.metric} of {row.name} could hide up to {amount(row, row.hides)}" if row else ""
        parts.append(f"{undecided} inconclusive{hidden}")
    return "; ".join(parts) + "."


def _nothing(comparison: Comparison) -> str:
    if not comparison.cells:
        return "the runs have no cell in common"
    return "no metric could be compared in " + fmt.count(comparison.cells, "common cell")


def _named(row: Row) -> str:
    if row.metric in ("", STATUS):
        return f"{row.name} {'is missing' if not row.metric else 'fails'}"
    return f"{row.metric} of {row.name} {change(row)}"


def shown(comparison: Comparison, *, everything: bool) -> list[Row]:
    """The rows to print: what changed, or all; the gravest verdict first."""
    rows = [r for r in comparison.rows if everything or r.verdict in CHANGED]
    return sorted(rows, key=lambda r: (not r.regression, ORDER.index(r.verdict)))


def counted(comparison: Comparison) -> str:
    """`2 worse · 40 same · …` over all rows."""
    return " · ".join(f"{n} {verdict}" for verdict, n in comparison.counts().items())


def method(comparison: Comparison) -> str:
    """How the intervals are meant."""
    tests = fmt.count(comparison.tests, "comparison")
    return (
        f"Intervals at {100 * comparison.level:.4g} % each (Student t over rounds for times and memory, over fits for "
        f"scores): of the differences called among {tests}, at most 5 % are expected to be false. B/A "
        "is a geometric mean; called worse or better where the interval excludes 1 and both B/A and the medians over "
        "all fits pass the threshold, same only where the whole interval lies within it."
    )


def provenance(comparison: Comparison) -> list[str]:
    """What differs between the runs besides numbers, one line each."""
    groups = (("machine", comparison.machine), ("harness", comparison.harness), ("versions", comparison.versions))
    return [f"{name}: {clean('; '.join(facts))}" for name, facts in groups if facts]


def amount(row: Row, number: float | None) -> str:
    """A ratio `1.18×`, or a signed difference with its unit."""
    if number is None:
        return fmt.NONE
    return fmt.times(number) if row.scale == "ratio" else fmt.difference(number, row.unit)


def change(row: Row) -> str:
    """The change with its interval; a dash where there is none."""
    if row.change is None or row.interval is None:
        return fmt.NONE
    low, high = row.interval
    if row.scale == "ratio":
        return f"{fmt.times(row.change)} ({fmt.interval(low, high)})"
    return f"{amount(row, row.change)} ({fmt.significant(low)} to {fmt.significant(high)})"


def value(row: Row, number: float | None) -> str:
    """A value of the row's metric with its unit."""
    if number is None or not row.metric:
        return fmt.NONE
    return f"{fmt.share(number)} ok" if row.metric == STATUS else fmt.quantity(number, row.unit)


def numbers(row: Row) -> tuple[str, ...]:
    """What stands under NUMBERS."""
    return value(row, row.a), value(row, row.b), change(row), row.threshold


def remarks(row: Row) -> str:
    """Reason and flags."""
    return clean("; ".join(filter(None, [row.reason, *row.flags])))
