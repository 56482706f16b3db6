"""What a reader waits: seconds of one fit from a fresh start, and of each further fit in the same process."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench.analysis.columnar import medians
from bench.analysis.contender import ONCE, TARGET
from bench.analysis.labels import options_of
from bench.analysis.tables import ELSEWHERE, UNPAIRED, CellTables
from bench.types import Array

READ_OFF, MEASURED = "time_to_accuracy", "time_to_target"
"""The scores that hold the seconds to the target: read off the curve of the error, or of fits that ran until it."""


def measured(fits: pd.DataFrame) -> bool:
    """Whether all of these fits, of a scenario, that are to be ranked ran until their own error met the target."""
    ranked = fits[fits["kind"].isin(["vi", "mcmc"])]
    return len(ranked) > 0 and all(options_of(text).get("until") == TARGET for text in ranked["options"])


def metric_of(question: str, metric: str) -> str:
    """The score that holds the seconds to the target, which is `metric` of each further fit."""
    return f"{metric}_cold" if question == ONCE else metric


def to_target_known(cell: CellTables, question: str, metric: str) -> bool:
    """Whether the seconds to the target are known, per rep or across reps."""
    return _per_rep(cell, question, metric) or cell.across(metric_of(question, metric)) is not None


def whole(cell: CellTables, question: str) -> float | None:
    """Median seconds of a whole fit over its reps; once, with the import before it."""
    seconds = _column(cell, "seconds_total", question)
    if question == ONCE:
        seconds = seconds + _column(cell, "seconds_import", question)
    seconds = seconds[~np.isnan(seconds)]
    return float(np.median(seconds)) if len(seconds) else None


def times(cell: CellTables, question: str, metric: str, *, finish: bool) -> dict[int, float]:
    """{round: median over its reps of the seconds to the target (`metric`), or (`finish`) of the whole fit}.

    Once: of cold reps, the import before them included; many: of warm reps. A target that is known only for the mean
    over reps has one time; a round's share of it is as the seconds of its fits to their median. Rounds made on another
    machine than the scenario's own are among them, which `at_home` leaves out.
    """
    seconds = fits = _anywhere(cell, "seconds_total", question)
    name = metric_of(question, metric)
    target = cell.across(name)
    if not finish and not _per_rep(cell, question, metric) and target is not None:
        seconds = fits * (target / (np.nanmedian(fits) if not np.isnan(fits).all() else np.nan))
    elif not finish:
        known = {
            rep: value
            for score in (name, ELSEWHERE + name)
            for rep, value in zip(*cell.scores(score)[::2], strict=True)
        }
        seconds = np.array([known.get(rep, np.nan) for rep in _column(cell, "rep", question).tolist()])
        seconds = np.where(np.isnan(fits), np.nan, seconds)  # a compile that was reused leaves no cold seconds
    before = _anywhere(cell, "seconds_import", question) if question == ONCE else 0.0
    seconds = np.where(_column(cell, UNPAIRED, question) == 1.0, np.nan, seconds + before)
    by_round = medians(_column(cell, "round", question), seconds)
    return {int(number): value for number, value in by_round.items() if value > 0}


def at_home(cell: CellTables, question: str, times: Mapping[int, float]) -> dict[int, float]:
    """The times of rounds that were made on the scenario's own machine."""
    known = ~np.isnan(_column(cell, "seconds_total", question))
    rounds = set(_column(cell, "round", question)[known].tolist())
    return {number: value for number, value in times.items() if number in rounds}


def machines(cell: CellTables) -> dict[int, str]:
    """{round: the machine that it was made on}, where that is told."""
    fits = zip(cell.words("status"), cell.every("round").tolist(), cell.words("host"), strict=True)
    return {int(number): host for status, number, host in fits if status == "ok" and host}


def _anywhere(cell: CellTables, name: str, question: str) -> Array:
    """Seconds of all fits, whichever machine they were made on."""
    here = _column(cell, name, question)
    return np.where(np.isnan(here), _column(cell, ELSEWHERE + name, question), here)


def _column(cell: CellTables, name: str, question: str) -> Array:
    return cell.floats(name, cold=question == ONCE)


def _per_rep(cell: CellTables, question: str, metric: str) -> bool:
    reps = cell.scores(metric_of(question, metric)).rep
    return bool(np.isin(reps, _column(cell, "rep", question)).any())
