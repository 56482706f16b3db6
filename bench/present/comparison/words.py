"""The words of a comparison, the same in every format."""

from __future__ import annotations

from bench.compare.measures import STATUS
from bench.compare.rows import Comparison, Row
from bench.compare.warnings import NAMED, worst
from bench.words import format as fmt
from bench.words.clean import clean

CHANGED = ("worse", "better", "missing", "new")
"""Verdicts that are shown without being asked for."""
ORDER = ("worse", "missing", "better", "new", "inconclusive", "same", "code-changed", "other-machine")


def headline(made: Comparison) -> str:
    """The one line that matters, first."""
    cells = fmt.count(made.cells, "cell")
    if failing := made.regressions:
        first = {row.cell: row for row in reversed(failing)}  # the row that stands first in each cell
        named = ", ".join(_named(row) for row in list(reversed(first.values()))[:NAMED])
        more = f" and {len(first) - NAMED} more" if len(first) > NAMED else ""
        return f"Regression in {len(first)} of {fmt.count(len({r.cell for r in made.rows}), 'cell')}: {named}{more}."
    if made.outcome == "not comparable":
        why = f"--fail-on {made.unchecked[0]!r} could not be checked" if made.unchecked else _nothing(made)
        return f"Not comparable: {why}."
    counts = made.counts()
    said = [f"{counts[v]} {v}" for v in ("worse", "better", "missing", "new") if v in counts]
    undecided = counts.get("inconclusive", 0)
    parts = [f"No regression in {cells}", *said]
    if undecided:
        row = worst(list(made.rows))
        hidden = f": {row.metric} of {row.name} could hide up to {amount(row, row.hides)}" if row else ""
        parts.append(f"{undecided} inconclusive{hidden}")
    return "; ".join(parts) + "."


def _nothing(made: Comparison) -> str:
    if not made.cells:
        return "the runs have no cell in common"
    return "no metric could be compared in " + fmt.count(made.cells, "common cell")


def _named(row: Row) -> str:
    if row.metric in ("", STATUS):
        return f"{row.name} {'is missing' if not row.metric else 'fails'}"
    return f"{row.metric} of {row.name} {change(row)}"


def shown(made: Comparison, *, everything: bool) -> list[Row]:
    """The rows to print: what changed, or all; the gravest verdict first."""
    rows = [r for r in made.rows if everything or r.verdict in CHANGED]
    return sorted(rows, key=lambda r: (not r.regression, ORDER.index(r.verdict)))


def counted(made: Comparison) -> str:
    """`2 worse · 40 same · …` over all rows."""
    return " · ".join(f"{n} {verdict}" for verdict, n in made.counts().items())


def method(made: Comparison) -> str:
    """How the intervals are meant."""
    return (
        f"Intervals at {100 * made.level:.4g} % each (Student t over rounds for times and memory, over fits for "
        f"scores): of the differences called among {fmt.count(made.tests, 'comparison')}, at most 5 % are expected to "
        "be false. B/A is a geometric mean; called worse or better where the interval excludes 1 and B/A passes the "
        "threshold, same only where the whole interval lies within it."
    )


def provenance(made: Comparison) -> list[str]:
    """What differs between the runs besides numbers, one line each."""
    groups = (("machine", made.machine), ("harness", made.harness), ("versions", made.versions))
    return [f"{name}: {clean('; '.join(found))}" for name, found in groups if found]


def amount(row: Row, number: float | None) -> str:
    """A ratio `1.18×`, or a signed difference with its unit."""
    if number is None:
        return fmt.NONE
    if row.scale == "ratio":
        return fmt.times(number)
    sign = "+" if number > 0 else ""
    return f"{sign}{fmt.significant(number)} {row.unit}".strip()


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
    if row.metric == STATUS:
        return f"{fmt.share(number)} ok"
    if row.unit == "s":
        return fmt.seconds(number)
    if row.unit == "bytes":
        return f"{fmt.significant(number / 2**20)} MiB"
    return fmt.significant(number)


def remarks(row: Row) -> str:
    """Reason and flags."""
    return clean("; ".join(filter(None, [row.reason, *row.flags])))
