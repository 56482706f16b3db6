"""Whether a cell that finished still does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from bench.analysis.tables import CellTables
from bench.comparison.measures import STATUS
from bench.comparison.rows import Row, Verdict

WRONG = ("failed", "crashed", "timeout", "memory", "invalid", "unsupported")


def status_row(row: Row, a: CellTables, b: CellTables) -> Row:
    """The row on status: the shares of fits that finished, and a verdict without statistics.

    It compares ranks: all fits finished, some did, none did. So a first failure is a change, not noise; two unequal
    shares of which neither is all or none are inconclusive.
    """
    ranks = [_rank(cell) for cell in (a, b)]
    verdict: Verdict = "worse" if ranks[1] > ranks[0] else "better" if ranks[1] < ranks[0] else "same"
    shares = [cell.finished / cell.planned for cell in (a, b)]
    if verdict == "same" and ranks[0] == 1 and shares[0] != shares[1]:
        verdict = "inconclusive"
    reasons = [f"{name}: {text}" for name, cell in (("A", a), ("B", b)) if (text := _failures(cell))]
    return replace(row, metric=STATUS, verdict=verdict, reason="; ".join(reasons), a=shares[0], b=shares[1])


def _rank(cell: CellTables) -> int:
    """0 nothing went wrong, 1 part of it did, 2 no fit finished."""
    wrong = cell.fits["status"].isin(WRONG).any()
    return 0 if not wrong else 1 if cell.finished else 2


def _failures(cell: CellTables) -> str:
    """`2 of 15 fits failed: reason`, the commonest; empty where nothing went wrong."""
    wrong = cell.fits[cell.fits["status"].isin(WRONG)]
    if wrong.empty:
        return ""
    reasons = Counter(zip(wrong["status"].map(str), wrong["reason"].map(str), strict=True))
    (status, reason), _ = reasons.most_common(1)[0]
    return f"{len(wrong)} of {len(cell.fits)} fits not ok ({status}: {reason or 'no reason was recorded'})"
