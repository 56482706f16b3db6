"""The values of one measure in two runs of one cell, reduced to the units that repeat, paired where data are shared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.analysis.tables import CellTables
from bench.comparison.measures import COLUMNS, Measure
from bench.stats.intervals import MIN_UNITS, Estimate, paired, unpaired

Values = Mapping[int, float]
"""A value per rep."""


class Sample(NamedTuple):
    """Medians over fits for display, the estimate, or why there is none."""

    a: float | None
    b: float | None
    estimate: Estimate | None = None
    reason: str = ""


class Fit(NamedTuple):
    """What a finished fit is matched by; `seed` is None for fixed data."""

    round: int
    cold: bool
    seed: int | None
    digest: str


class Finished(NamedTuple):
    """The finished fits of a cell by rep, with their columns and their scores of the whole fit, {name: {rep: value}}.

    Plain mappings: a comparison asks a thousand small questions, each of which would cost a table milliseconds.
    """

    fits: Mapping[int, Fit]
    columns: Mapping[str, Values]
    scores: Mapping[str, Values]


def finished(cell: CellTables) -> Finished:
    """Read the tables of a cell once."""
    ok = cell.ok.reindex(columns=["rep", "round", "cold", "data_seed", "data_digest"])
    seeds = [None if pd.isna(s) else int(s) for s in ok["data_seed"]]
    digests = ["" if pd.isna(d) else str(d) for d in ok["data_digest"]]
    reps = [int(r) for r in ok["rep"]]
    named = zip(reps, ok["round"], ok["cold"], seeds, digests, strict=True)
    fits = {rep: Fit(int(round_), bool(cold), seed, digest) for rep, round_, cold, seed, digest in named}
    columns = {c: _known(reps, cell.numbers(c).tolist()) for c in COLUMNS}
    scores = {
        metric: {rep: value for rep, value in by_rep.items() if rep in fits and not math.isnan(value)}
        for metric, by_rep in scored(cell).items()
    }
    return Finished(fits, columns, scores)


def scored(cell: CellTables) -> dict[str, dict[int, float]]:
    """{metric: {rep: value}} of the scores of whole fits."""
    scores: dict[str, dict[int, float]] = {}
    for metric, rep, value in cell.of_whole_fits():
        scores.setdefault(metric, {})[rep] = value
    return scores


def _known(reps: list[int], values: Iterable[float]) -> dict[int, float]:
    return {rep: value for rep, value in zip(reps, values, strict=True) if not math.isnan(value)}


def sample(measure: Measure, a: Finished, b: Finished) -> Sample | None:
    """What the two runs say of a measure; None where neither has it."""
    x, y = values(measure, a), values(measure, b)
    if not (x or y) or (measure.scale == "ratio" and not any([*x.values(), *y.values()])):
        return None
    shown = Sample(median(x.values()) if x else None, median(y.values()) if y else None)
    if not (x and y):
        return shown
    if why := unusable(measure, [*x.values(), *y.values()]):
        return shown._replace(reason=why)
    estimate, reason = _estimate(measure, x, y, a, b)
    return shown._replace(estimate=estimate, reason=reason)


def values(measure: Measure, run: Finished) -> Values:
    """The measure of every finished fit that has it."""
    numbers = run.columns[measure.column] if measure.column else run.scores.get(measure.metric, {})
    if measure.inverse:
        numbers = {rep: 1.0 / value if value else math.inf for rep, value in numbers.items()}
    if measure.reps == "all":
        return numbers
    return {rep: value for rep, value in numbers.items() if run.fits[rep].cold == (measure.reps == "cold")}


def unusable(measure: Measure, numbers: Iterable[float]) -> str:
    """Why values of the measure cannot be compared; empty where they can."""
    numbers = list(numbers)
    if not all(map(math.isfinite, numbers)):
        return "some values are not finite"
    return "some values are 0 or below, and have no ratio" if measure.scale == "ratio" and min(numbers) <= 0 else ""


def _estimate(measure: Measure, x: Values, y: Values, a: Finished, b: Finished) -> tuple[Estimate | None, str]:
    sides = units(measure, x, a), units(measure, y, b)
    shared = _shared(measure, x, y, a, b)
    left, right = (units(measure, {r: v[r] for r in shared}, run) for v, run in ((x, a), (y, b)))
    if left and len(left) == min(map(len, sides)):
        change = np.array([right[unit] - left[unit] for unit in left])
        identical = measure.per == "fit" and not change.any()
        return (
            (paired(change, trim=measure.trimmed), "")
            if len(change) >= MIN_UNITS or identical
            else (None, _few(measure, len(change)))
        )
    if (least := min(map(len, sides))) < MIN_UNITS:
        return None, _few(measure, least)
    first, second = (np.array(list(side.values())) for side in sides)
    return unpaired(first, second, trim=measure.trimmed), ""


def _few(measure: Measure, n: int) -> str:
    return f"{n} {measure.per if n == 1 else f'{measure.per}s'}, {MIN_UNITS} needed"


def _shared(measure: Measure, x: Values, y: Values, a: Finished, b: Finished) -> list[int]:
    """Reps that saw the same data in both runs, and, where rounds are compared, stood in the same one.

    With fixed data a round of one run has no more to do with its namesake than with any other, so times are not
    paired; the fit of a rep has the same seed, so scores are.
    """
    reps = [r for r in x if r in y and a.fits[r][2:] == b.fits[r][2:]]
    if measure.per == "fit":
        return reps
    return [r for r in reps if a.fits[r].seed is not None and a.fits[r].round == b.fits[r].round]


def units(measure: Measure, numbers: Values, run: Finished) -> dict[int, float]:
    """One value per round or fit, on the scale compared."""
    groups: dict[int, list[float]] = {}
    for rep, value in numbers.items():
        groups.setdefault(run.fits[rep].round if measure.per == "round" else rep, []).append(value)
    reduced = {unit: max(group) if measure.largest else median(group) for unit, group in groups.items()}
    return {unit: measure.compared(value) for unit, value in reduced.items()}
