"""Fits of several machines: seconds of one of them in every absolute number, and of all in ratios within a round."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis.labels import scenario_of
from bench.analysis.tables import ELSEWHERE, UNPAIRED, CellTables, RunTables
from bench.score.catalog import METRICS

TIMES = ("s", "1/s")
"""Units of what depends on a machine's speed."""


def apart(tables: RunTables) -> RunTables:
    """The tables with the seconds of one machine per scenario, that of most of its fits, in their usual places.

    Those of other machines are under names that begin with `ELSEWHERE`, where only ratios within a round look. Sizes of
    a sweep are one scenario. What was made on one machine is as it was.
    """
    fits = tables.fits
    if "host" not in fits or fits["host"].nunique() < 2:
        return tables
    host = fits["host"].fillna("").astype(str)
    made = host[host != ""]
    scenarios = fits["scenario"].astype(str)
    own = made.groupby(scenarios.map(lambda text: scenario_of(text)[0])[made.index]).agg(_most)
    away = (host != scenarios.map(lambda text: own.get(scenario_of(text)[0], ""))) & (host != "")
    block = made.groupby([scenarios[made.index], fits["round"][made.index]]).transform(_most)
    seconds = [c for c in map(str, fits.columns) if c.startswith("seconds_") and c != "seconds_until_end"]
    columns: dict[str, pd.Series[Any]] = {c: fits[c].mask(away) for c in seconds}
    columns |= {f"{ELSEWHERE}{c}": fits[c].where(away) for c in seconds}
    columns[UNPAIRED] = (block.reindex(fits.index).fillna("") != host).astype(float)
    shown = fits.assign(**columns)
    return replace(
        tables, fits=shown, metrics=_scores(tables.metrics, fits, away), curves=_kept(tables.curves, fits, away)
    )


def _most(hosts: pd.Series[str]) -> str:
    """The machine with the most; of equal ones the first by name."""
    counts = hosts.value_counts()
    return str(min(counts[counts == counts.max()].index))


def _scores(metrics: pd.DataFrame, fits: pd.DataFrame, away: pd.Series[bool]) -> pd.DataFrame:
    """Scores of time of other machines under other names; across reps the median of what is left."""
    timed = metrics["metric"].isin([name for name, metric in METRICS.items() if metric.unit in TIMES])
    elsewhere = timed & _is_away(metrics, fits, away)
    renamed = metrics["metric"].mask(elsewhere, ELSEWHERE + metrics["metric"].astype(str))
    shown = metrics.assign(metric=renamed)
    left = shown[timed & ~elsewhere & metrics["rep"].notna()]
    keys = ["cell", "metric", "part"]
    medians = left.assign(part=left["part"].fillna("")).groupby(keys)["value"].median()
    across = timed & metrics["rep"].isna()
    now = pd.MultiIndex.from_frame(shown.loc[across, keys].fillna({"part": ""}))
    shown.loc[across, "value"] = medians.reindex(now).to_numpy()
    return shown[~(across & shown["value"].isna())]


def _kept(curves: pd.DataFrame, fits: pd.DataFrame, away: pd.Series[bool]) -> pd.DataFrame:
    return curves[~_is_away(curves, fits, away)]


def _is_away(rows: pd.DataFrame, fits: pd.DataFrame, away: pd.Series[bool]) -> pd.Series[Any]:
    """Whether each row is of a fit that was made elsewhere."""
    keys = pd.MultiIndex.from_frame(fits.loc[away, ["cell", "rep"]].astype({"rep": "float64"}))
    mine = pd.MultiIndex.from_arrays([rows["cell"], pd.to_numeric(rows["rep"]).astype("float64")])
    return pd.Series(np.asarray(mine.isin(keys)), index=rows.index)


def home(cell: CellTables) -> str:
    """The machine whose seconds a cell has; empty where it is the one that led the run, or there are none."""
    timed = (cell.words("status") == "ok") & ~np.isnan(cell.every("seconds_total"))
    return "/".join(sorted(set(cell.words("host")[timed]) - {""}))


def sentence(tables: RunTables) -> str:
    """Where fits were made, if on more than one machine; empty otherwise."""
    counts = tables.fits["host"].dropna().value_counts() if "host" in tables.fits else pd.Series(dtype=int)
    if len(counts) < 2:
        return ""
    known = tables.run.hosts
    cpus = [known[name].cpu if name in known else "unknown CPU" for name in map(str, counts.index)]
    listed = ", ".join(f"{n} on {name} ({cpu})" for name, n, cpu in zip(counts.index, counts, cpus, strict=True))
    return (
        f"Fits were made on {len(counts)} machines: {listed}. Seconds are those of one machine per scenario; ratios "
        "are of contenders on one machine in the same round."
    )
