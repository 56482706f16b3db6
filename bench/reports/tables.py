"""The tables of a run, and what they say of one cell: pure summaries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

SEED = 20260101
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class RunTables:
    """A run as tables: `run` is run.json, the frames have its tidy columns, `scenarios` describes them by name.

    A description may hold `description`, `source`, `family`, `priors`, `fixed_data` and `notes` (list of sentences).
    """

    run: Mapping[str, Any]
    fits: pd.DataFrame
    metrics: pd.DataFrame
    curves: pd.DataFrame
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class CellTables:
    """The rows of one cell: `fits` in rep order, `metrics` and `curves` with a numeric `rep` (NaN: across reps)."""

    fits: pd.DataFrame
    metrics: pd.DataFrame
    curves: pd.DataFrame

    @property
    def ok(self) -> pd.DataFrame:
        """Fits that finished."""
        return self.fits[self.fits["status"] == "ok"]

    @property
    def warm(self) -> pd.DataFrame:
        """Finished fits of a program that was compiled before."""
        return self.ok[~self.ok["cold"].astype(bool)]

    @property
    def notes(self) -> list[str]:
        """Sentences that the backend wants its reader to know, each once."""
        if "notes" not in self.fits:
            return []
        there = self.fits["notes"].dropna().astype(str)
        return list(dict.fromkeys(note for text in there for note in text.split(" · ") if note))

    @cached_property
    def by_metric(self) -> dict[str, pd.DataFrame]:
        """Metric rows by metric name."""
        return {str(name): rows for name, rows in self.metrics.groupby("metric", sort=True)}

    def values(self, metric: str) -> pd.DataFrame:
        """Per-rep rows of a metric."""
        rows = self.by_metric.get(metric, self.metrics.iloc[:0])
        return rows[rows["rep"].notna()]

    def across(self, metric: str) -> float | None:
        """The value of a metric taken across reps, if there is one."""
        rows = self.by_metric.get(metric, self.metrics.iloc[:0])
        found = rows.loc[rows["rep"].isna(), "value"]
        return float(found.iloc[0]) if len(found) else None

    def median(self, metric: str, *, warm: bool = False) -> float | None:
        """Median over (warm) reps."""
        rows = self.values(metric)
        if warm:
            rows = rows[rows["rep"].isin(self.warm["rep"])]
        return middle(rows["value"])

    def phase(self, column: str, *, cold: bool) -> float | None:
        """Median seconds of a phase over cold or warm finished reps."""
        rows = self.ok[self.ok["cold"].astype(bool)] if cold else self.warm
        return middle(rows[column])

    @cached_property
    def b2(self) -> pd.DataFrame | None:
        """b² as (rep × f); None where it was not measured or an f has several rows."""
        named = [m for m in self.by_metric if m.startswith("b2") and m not in ("b2_max", "b2_avg")]
        rows = pd.concat([self.values(m) for m in named]) if named else self.metrics.iloc[:0]
        if rows.empty or rows.duplicated(["rep", "metric", "part"]).any():
            return None
        return rows.pivot_table(index="rep", columns=["metric", "part"], values="value")

    @property
    def b2_max(self) -> float | None:
        """The largest over f of the mean over reps of b²; its bound from per-rep maxima where f are not stored."""
        stored = self.across("b2_max")
        if stored is not None:
            return stored
        if self.b2 is not None:
            return float(self.b2.mean().max())
        rows = self.values("b2_max")["value"]
        return float(rows.mean()) if len(rows) else None

    @property
    def b2_interval(self) -> tuple[float, float] | None:
        """95 % percentile bootstrap of b2_max over rounds; None below three rounds or where one is infinite."""
        table = self.b2
        if table is None:
            return None
        rounds = self.fits.set_index("rep")["round"].reindex(table.index)
        groups = [table[(rounds == r).to_numpy()] for r in sorted(rounds.unique())]
        if len(groups) < 3 or not np.isfinite(table.to_numpy()).all():
            return None
        sums = np.array([g.sum().to_numpy() for g in groups])
        sizes = np.array([len(g) for g in groups])
        picks = np.random.default_rng(SEED).integers(len(groups), size=(RESAMPLES, len(groups)))
        worst = (sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)[:, None]).max(axis=1)
        low, high = np.quantile(worst, [0.025, 0.975])
        return float(low), float(high)

    @property
    def error_floor(self) -> float:
        """b² below which the reference's own error certifies nothing, 1 over the draws it is worth; 0 if exact."""
        draws = self.median("reference_draws")
        return 0.0 if draws is None else 1.0 / draws

    @property
    def coverage(self) -> tuple[float, int] | None:
        """Share of (rep, part) whose 90 % interval holds the truth, and how many there are."""
        rows = self.values("covered_90")["value"]
        return (float(rows.mean()), len(rows)) if len(rows) else None

    @property
    def has_time_to_accuracy(self) -> bool:
        """Whether the warm seconds to the target are known, per rep or across reps."""
        return self._per_rep_times or self.across("time_to_accuracy") is not None

    @property
    def _per_rep_times(self) -> bool:
        return bool(self.values("time_to_accuracy")["rep"].isin(self.warm["rep"]).any())

    def times(self, *, finish: bool) -> dict[int, float]:
        """{round: median over its warm reps of the seconds to the target, or of the whole fit}.

        A target met by the mean over reps has one time; a round's share of it is as its warm seconds to their median.
        """
        seconds = self.warm.set_index("rep")["seconds_total"].astype("float64")
        target = self.across("time_to_accuracy")
        if not finish and not self._per_rep_times and target is not None and len(seconds):
            seconds = seconds * (target / seconds.median())
        elif not finish:
            seconds = self.values("time_to_accuracy").set_index("rep")["value"].reindex(seconds.index).dropna()
        rounds = self.warm.set_index("rep")["round"].reindex(seconds.index)
        grouped = seconds.groupby(rounds).median()
        return {int(str(r)): float(s) for r, s in grouped.items() if s > 0}


def middle(values: pd.Series[Any]) -> float | None:
    """Median of what is there."""
    there = pd.to_numeric(values, errors="coerce").dropna()
    return float(there.median()) if len(there) else None


def split(tables: RunTables) -> dict[str, CellTables]:
    """The tables of every planned cell, by cell id, in the order of the fits."""
    fits = _numbered(tables.fits).sort_values("rep", kind="stable")
    metrics, curves = _numbered(tables.metrics), _numbered(tables.curves)
    metrics = metrics.assign(part=metrics["part"].fillna("").astype(str))
    by_metric, by_curve = dict(iter(metrics.groupby("cell"))), dict(iter(curves.groupby("cell")))
    return {
        str(cell): CellTables(
            fits=fits[fits["cell"] == cell],
            metrics=by_metric.get(cell, metrics.iloc[:0]),
            curves=by_curve.get(cell, curves.iloc[:0]),
        )
        for cell in tables.fits["cell"].drop_duplicates()
    }


def label(row: pd.Series[Any]) -> str:
    """`framework.method[k=v,…]` of a row of fits; `options` may be JSON or already written out."""
    backend, options = str(row["backend"]), row["options"]
    if isinstance(options, str) and options.startswith(("{", "[")):
        options = json.loads(options)
    if isinstance(options, Mapping):
        options = list(options.items())
    if isinstance(options, (list, tuple)):
        options = ",".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in options)
    return f"{backend}[{options}]" if isinstance(options, str) and options and "[" not in backend else backend


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    numeric = [column for column in ("rep", "value") if column in frame]
    return frame.assign(**{c: pd.to_numeric(frame[c], errors="coerce").astype("float64") for c in numeric})
