"""Numbers of every cell beside those of its row, summarised from the whole tables at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from bench.analysis.tables import RunTables

Facts = Mapping[str, Mapping[str, float]]
"""{cell: {fact: value}}; what a cell does not have is absent."""

PHASES = ("build", "compile", "warmup", "sample", "transfer")
MEDIANS = (
    "ess_per_second_sampling", "ess_per_second_cold", "ess_per_core_second", "ess_per_gradient", "seconds_per_gradient",
    "steps_per_second", "divergences", "treedepth_hits", "rms_z", "k_hat", "elbo_gap", "recovery_rmse_excess", "elpd",
    "predictive_mae", "predictive_crps", "time_to_accuracy_cold", "gradients_to_accuracy",
)  # fmt: skip
"""Metrics of a whole fit, or over reps, of which the median is shown."""


def facts(tables: RunTables) -> Facts:
    """What `extras` and the fits' sections show, by cell."""
    frames = [_medians(tables.metrics), _worst(tables.metrics), _seconds(tables.fits), _resources(tables.fits)]
    there = [frame for frame in frames if not frame.empty]
    if not there:
        return {}  # nothing has been fitted
    joined = pd.concat(there, axis=1)
    found: dict[str, dict[str, float]] = {}
    for cell, row in joined.to_dict("index").items():
        found[str(cell)] = {str(name): float(value) for name, value in row.items() if pd.notna(value)}
    return found


def words(tables: RunTables, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """{cell: {column: what its fits say there}}, several values joined by a slash."""
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        if column in tables.fits:
            there = tables.fits[["cell", column]].dropna().drop_duplicates()
            for cell, value in sorted(zip(there["cell"].astype(str), there[column].astype(str), strict=True)):
                mine = found.setdefault(cell, {})
                mine[column] = f"{mine[column]}/{value}" if column in mine else value
    return found


def numbered(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The frame with these columns as plain floats, whatever file or run they come from."""
    return frame.assign(**{c: pd.to_numeric(frame[c], errors="coerce").astype("float64") for c in columns})


def _medians(metrics: pd.DataFrame) -> pd.DataFrame:
    rows = numbered(metrics[metrics["metric"].isin(MEDIANS)], "value")
    rows = rows[rows["part"].isna() | (rows["part"] == "")]
    return rows.groupby(["cell", "metric"])["value"].median().unstack()


def _worst(metrics: pd.DataFrame) -> pd.DataFrame:
    """r_hat: the largest; e_bfmi: the least; ESS: averaged over reps per parameter, then the least."""
    rows = numbered(metrics[metrics["metric"].isin(["r_hat", "e_bfmi", "ess_bulk", "ess_tail"])], "value")
    by_part = rows.groupby(["cell", "metric", "part"], dropna=False)["value"]
    by_metric = ["cell", "metric"]
    worst = {
        "r_hat": by_part.max().groupby(by_metric).max(),
        "e_bfmi": by_part.min().groupby(by_metric).min(),
        "ess_bulk": by_part.mean().groupby(by_metric).min(),
        "ess_tail": by_part.mean().groupby(by_metric).min(),
    }
    return pd.DataFrame({name: found.xs(name, level="metric") for name, found in worst.items() if _has(found, name)})


def _has(found: pd.Series[float], metric: str) -> bool:
    return metric in found.index.get_level_values("metric")


def _seconds(fits: pd.DataFrame) -> pd.DataFrame:
    """Median seconds of every phase over finished reps: `import` and `cold compile` of cold ones, the others warm."""
    columns = [f"seconds_{phase}" for phase in ("import", *PHASES) if f"seconds_{phase}" in fits]
    ok = numbered(fits[fits["status"] == "ok"], *columns)
    cold = ok["cold"].astype(bool)
    medians = [part.groupby("cell")[columns].median() for part in (ok[cold], ok[~cold])]
    names = [{c: f"{c} {when}" for c in columns} for when in ("cold", "warm")]
    return pd.concat([m.rename(columns=n) for m, n in zip(medians, names, strict=True)], axis=1)


def _resources(fits: pd.DataFrame) -> pd.DataFrame:
    """The most any finished rep used."""
    names = ("peak_rss_bytes", "peak_device_bytes", "os_threads", "threads", "gradients", "gradients_warmup")
    columns = [name for name in names if name in fits]
    return numbered(fits[fits["status"] == "ok"], *columns).groupby("cell")[columns].max()
