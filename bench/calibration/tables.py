"""Data sets and verdicts of a calibration → two tidy tables: a row per data set, a row per data set × quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.calibration.ranks import LADDER, LEVELS
from bench.calibration.trial import Trial
from bench.calibration.verdict import Verdict
from bench.stats.coverage import interval_score
from bench.types import PHASES

KEY = ("run", "cell", "scenario", "backend", "dataset")
FITS: Mapping[str, str] = {
    **dict.fromkeys(KEY, "string"),
    "dataset": "Int64",
    "kind": "string",
    "status": "string",
    "reason": "string",
    **dict.fromkeys((f"seconds_{phase}" for phase in PHASES), "float64"),
    "seconds_total": "float64",
    "seconds_compiled": "float64",
    "draws": "Int64",
    "ess": "float64",
    "divergences": "Int64",
    "data_seed": "Int64",
    "fit_seed": "Int64",
    "data_digest": "string",
    "measured_at": "string",
}
"""Columns of `datasets`: every planned data set of every cell, whatever became of it."""
PER_LEVEL = [f"{what}_{100 * level:.0f}" for what in ("inside", "width", "score") for level in LEVELS]
RANKS: Mapping[str, str] = {
    **dict.fromkeys(KEY, "string"),
    "dataset": "Int64",
    "quantity": "string",
    "rank": "Int64",
    "draws": "Int64",
    "truth": "float64",
    "mean": "float64",
    "sd": "float64",
    "ess": "float64",
    **{name: "boolean" if name.startswith("inside") else "float64" for name in PER_LEVEL},
}
"""Columns of `calibration`: `rank` of the truth among `draws` thinned ones; width and interval score per level."""


def datasets(run: str, cells: Sequence[tuple[Verdict, Sequence[Trial]]]) -> pd.DataFrame:
    """The table of FITS."""
    rows = []
    for verdict, trials in cells:
        by_number = {t.number: t for t in trials}
        for number in range(verdict.planned):
            rows.append(_key(run, verdict, number) | _fit(by_number.get(number), verdict))
    return pd.DataFrame(rows, columns=list(FITS)).astype(dict(FITS))


def calibration(run: str, cells: Sequence[tuple[Verdict, Sequence[Trial]]]) -> pd.DataFrame:
    """The table of RANKS; cells without a verdict have no rank."""
    rows: list[dict[str, Any]] = []
    for verdict, trials in cells:
        draws = verdict.ranked.draws if verdict.ranked else None
        for trial in trials:
            for name, placed in trial.placed.items():
                low, high = np.asarray(placed.low), np.asarray(placed.high)
                scores = interval_score(low, high, np.asarray(placed.truth), np.array(LEVELS))
                levels = [*placed.held(), *(high - low), *scores]
                rows.append(
                    _key(run, verdict, trial.number)
                    | {"quantity": name, "draws": draws}
                    | {"rank": placed.ranks[LADDER.index(draws)] if draws else None}
                    | {k: getattr(placed, k) for k in ("truth", "mean", "sd", "ess")}
                    | dict(zip(PER_LEVEL, levels, strict=True))
                )
    return pd.DataFrame(rows, columns=list(RANKS)).astype(dict(RANKS))


def _key(run: str, verdict: Verdict, number: int) -> dict[str, Any]:
    return dict(zip(KEY, (run, verdict.cell, verdict.scenario, verdict.backend, number), strict=True))


def _fit(trial: Trial | None, verdict: Verdict) -> dict[str, Any]:
    if trial is None:
        refused = verdict.state in {"unsupported", "unavailable"} and not verdict.fits.ok
        status = verdict.state if refused else "interrupted"
        return {"kind": verdict.kind, "status": status, "reason": verdict.sentence if refused else "not reached"}
    ok = trial.status == "ok"
    return {
        "kind": verdict.kind,
        **{f"seconds_{phase}": trial.seconds.get(phase, 0.0 if ok else None) for phase in PHASES},
        "seconds_total": trial.total if ok else None,
        "seconds_compiled": trial.compiled,
        "ess": trial.ess if ok else None,
        "draws": trial.draws if ok else None,
        **{k: getattr(trial, k) for k in FITS if k in Trial.__dataclass_fields__ and k != "draws"},
    }
