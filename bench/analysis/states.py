"""The state of a cell: what happened to its reps, and whether its diagnostics allow it to be ranked."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from bench.analysis.contender import TARGET
from bench.analysis.diagnostics import Diagnostic, objections
from bench.analysis.tables import CellTables


def state_of(
    cell: CellTables, kind: str, gates: tuple[Diagnostic, ...], accuracy: tuple[Diagnostic, ...]
) -> tuple[str, str]:
    """A state of the verdict's vocabulary and its reason (empty where there is nothing to explain)."""
    if cell.finished < cell.planned:
        bad = cell.fits[cell.fits["status"] != "ok"]
        if not cell.finished:
            worst = Counter(map(str, bad["status"])).most_common(1)[0][0]
            return worst, _reasons(bad)
        return "part of reps", f"{cell.finished} of {cell.planned} reps finished; {_reasons(bad, status=True)}"
    if kind == "exact":
        return "reference", ""
    reason = objections(gates)
    if kind == "point":
        return "point", reason
    if reason:
        return "not converged", reason
    if not accuracy:
        return "unchecked", "no reference posterior to be judged by"
    floor = cell.error_floor
    if floor >= TARGET:
        return "unchecked", f"the reference is itself worth {1.0 / floor:.0f} draws: b² below {floor:.2g} says nothing"
    reason = objections(accuracy)
    return ("off target", reason) if reason else ("met", "")


def _reasons(bad: pd.DataFrame, *, status: bool = False) -> str:
    counted: Counter[str] = Counter()
    for word, why in zip(bad["status"], bad["reason"], strict=True):
        why = str(why) if isinstance(why, str) and why else "no reason was recorded"
        counted[f"{word}: {why}" if status else why] += 1
    return "; ".join(f"{n}× {why}" if n > 1 and status else why for why, n in counted.most_common())
