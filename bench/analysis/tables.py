"""The tables of a run, and what they say of one cell: pure summaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.analysis.columnar import Rows, Scores, Table, means, plain, runs_of
from bench.stats import bootstrap
from bench.store.manifest import Combined, Run
from bench.types import BAD_STATUSES, Array

if TYPE_CHECKING:
    from bench.calibration.quantities import Ranked

ELSEWHERE = "elsewhere_"
"""What stands before columns and scores of time that are of other machines than a scenario's own."""
UNPAIRED = "unpaired"
"""The column of fits that were not made on the machine of most contenders of their scenario and round."""
BETWEEN_NOTES = " · "
"""What stands between the notes of a fit in the table of fits."""


@dataclass(frozen=True, eq=False)
class RunTables:
    """A run as tables: its manifest, frames with the tidy columns, and the `calibrations` of its cells.

    These are the ranks of cells that a calibration has fitted too, by what its figure is to be called.
    """

    run: Run
    fits: pd.DataFrame
    metrics: pd.DataFrame
    curves: pd.DataFrame
    calibrations: Mapping[str, Ranked] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CellTables:
    """What a run knows of one cell. A run may have thousands, so frames are cut out only when they are asked for.

    The `fits` come in rep order; `metrics` and `curves` have a numeric `rep` (NaN: across reps).
    """

    _fits: Rows
    _metrics: Rows
    _curves: Rows
    _places: Mapping[str, npt.NDArray[np.intp]]

    @cached_property
    def fits(self) -> pd.DataFrame:
        """A row per planned rep."""
        return self._fits.frame

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Its scores."""
        return self._metrics.frame

    @cached_property
    def ok(self) -> pd.DataFrame:
        """Fits that finished."""
        return self.fits[self._ok]

    @cached_property
    def warm(self) -> pd.DataFrame:
        """Finished fits of a program that was compiled before."""
        return self.fits[self._warm]

    @cached_property
    def finished(self) -> int:
        """How many fits finished."""
        return int(self._ok.sum())

    @cached_property
    def planned(self) -> int:
        """How many fits were planned."""
        return len(self._fits)

    @cached_property
    def chains(self) -> int:
        """The most chains of a fit."""
        return int(self._fits.floats("chains").max())

    def first(self, column: str) -> str:
        """What the first rep says in a column; empty where there is no such column."""
        return str(self._fits.texts(column)[0])

    def texts(self, column: str) -> str:
        """What the reps say in a column, each once, with slashes between them."""
        return "/".join(sorted(set(self._fits.texts(column)) - {""}))

    def words(self, column: str) -> npt.NDArray[np.object_]:
        """A column of all planned reps as text; empty for what is missing."""
        return self._fits.texts(column)

    def numbers(self, column: str) -> Array:
        """A column of the finished fits; NaN for what is no number."""
        return self._fits.floats(column)[self._ok]

    def every(self, column: str) -> Array:
        """A column of all planned reps; NaN for what is no number."""
        return self._fits.floats(column)

    def curve(self, metric: str, *columns: str) -> dict[str, Array]:
        """{`rep` and these columns: values} of the trajectory of a metric in the finished fits, by rep and step."""
        rep, step = self._curves.floats("rep"), self._curves.floats("step")
        kept = np.flatnonzero((self._curves.texts("metric") == metric) & np.isin(rep, self.numbers("rep")))
        order = kept[np.lexsort((step[kept], rep[kept]))]
        return {column: self._curves.floats(column)[order] for column in ("rep", *columns)}

    def most(self, column: str) -> float | None:
        """The most of any finished rep."""
        values = self.numbers(column)
        return float(np.nanmax(values)) if not np.isnan(values).all() else None

    @cached_property
    def _ok(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._fits.texts("status") == "ok", dtype=np.bool_)

    @cached_property
    def _warm(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._ok & (self._fits.floats("cold") == 0.0), dtype=np.bool_)

    @cached_property
    def notes(self) -> list[str]:
        """Sentences that the backend wants its reader to know, each once."""
        texts = self._fits.texts("notes")
        return list(dict.fromkeys(note for text in texts for note in text.split(BETWEEN_NOTES) if note))

    def scores(self, metric: str) -> Scores:
        """Per-rep rows of a metric, as arrays."""
        rows = self._rows(metric)
        rep, value = rows.floats("rep"), rows.floats("value")
        known = ~np.isnan(value) & ~np.isnan(rep)
        return Scores(rep[known], rows.codes("part")[known], value[known])

    def values(self, metric: str) -> pd.DataFrame:
        """Per-rep rows of a metric, as a frame."""
        rows = self._rows(metric)
        return rows.frame[~np.isnan(rows.floats("rep"))]

    def by_part(self, metric: str, *, rep: float | None = None) -> dict[str, Array]:
        """{part: its values over all reps, or in one}, in the order of their names."""
        scores, names = self.scores(metric), self._metrics.table.names("part")
        kept = np.ones(len(scores.rep), dtype=np.bool_) if rep is None else scores.rep == rep
        part, value = scores.part[kept], scores.value[kept]
        return {names[p]: value[part == p] for p in np.unique(part)}

    def across(self, metric: str) -> float | None:
        """The value of a metric taken across reps, if there is one."""
        rows = self._rows(metric)
        values = rows.floats("value")[np.isnan(rows.floats("rep"))]
        values = values[~np.isnan(values)]
        return float(values[0]) if len(values) else None

    def by_rep(self, metric: str) -> list[tuple[int, str, float]]:
        """(rep, part, value) of per-rep rows."""
        scores, names = self.scores(metric), self._metrics.table.names("part")
        return [(int(rep), names[int(part)], float(value)) for rep, part, value in zip(*scores, strict=True)]

    def parts_across(self, metric: str) -> dict[str, float]:
        """{part: value} of a metric taken across reps."""
        rows = self._rows(metric)
        kept = np.isnan(rows.floats("rep")) & ~np.isnan(rows.floats("value"))
        return dict(zip(rows.texts("part")[kept], rows.floats("value")[kept].tolist(), strict=True))

    def of_whole_fits(self) -> list[tuple[str, int, float]]:
        """(metric, rep, value) of the scores that are of no part of a fit."""
        rows, rep = self._metrics, self._metrics.floats("rep")
        kept = ~np.isnan(rep) & np.asarray(rows.texts("part") == "", dtype=np.bool_)
        metrics, reps, values = rows.texts("metric")[kept], rep[kept].astype(np.int64), rows.floats("value")[kept]
        return list(zip(metrics.tolist(), reps.tolist(), values.tolist(), strict=True))

    def _rows(self, metric: str) -> Rows:
        return Rows(self._metrics.table, self._places.get(metric, NOWHERE))

    def median(self, metric: str, *, warm: bool = False) -> float | None:
        """Median over (warm) reps."""
        scores = self.scores(metric)
        return middle(scores.value[np.isin(scores.rep, self._fits.floats("rep")[self._warm])] if warm else scores.value)

    def typical(self, metric: str) -> float | None:
        """Median of the values of whole fits, per rep or across reps."""
        rows = self._rows(metric)
        return middle(rows.floats("value")[rows.texts("part") == ""])

    def least_mean(self, metric: str) -> float | None:
        """Averaged over reps per parameter, then the least."""
        scores = self.scores(metric)
        return float(means(scores.part, scores.value).min()) if len(scores.value) else None

    def phase(self, column: str, *, cold: bool) -> float | None:
        """Median seconds of a phase over cold or warm finished reps."""
        return middle(self.floats(column, cold=cold))

    @cached_property
    def _b2(self) -> tuple[Array, Array] | None:
        """Reps, and b² as (rep, part) with NaN for what was not measured; None where none was."""
        scores = self.scores("b2")
        if not len(scores.value):
            return None
        reps, row = np.unique(scores.rep, return_inverse=True)
        parts, column = np.unique(scores.part, return_inverse=True)
        table = np.full((len(reps), len(parts)), np.nan)
        table[row, column] = scores.value
        return reps, table

    @cached_property
    def b2_max(self) -> float | None:
        """The largest over f of the mean over reps of b²; its bound from per-rep maxima where f are not stored."""
        stored = self.across("b2_max")
        if stored is not None:
            return stored
        if self._b2 is not None:
            return float(np.nanmean(self._b2[1], axis=0).max())
        value = self.scores("b2_max").value
        return float(value.mean()) if len(value) else None

    @cached_property
    def b2_interval(self) -> tuple[float, float] | None:
        """95 % percentile bootstrap of b2_max over rounds; None below three rounds or where one is infinite."""
        if self._b2 is None or not np.isfinite(self._b2[1]).all():
            return None
        reps, table = self._b2
        rounds = self._round_of(reps)
        groups = np.unique(rounds[~np.isnan(rounds)])
        sums = np.array([table[rounds == r].sum(axis=0) for r in groups])
        return bootstrap.largest_mean(sums, np.array([float((rounds == r).sum()) for r in groups]))

    def _round_of(self, reps: Array) -> Array:
        """The round of each rep; NaN for one that the fits do not have."""
        known = dict(zip(self._fits.floats("rep").tolist(), self._fits.floats("round").tolist(), strict=True))
        return np.array([known.get(rep, np.nan) for rep in reps.tolist()])

    @cached_property
    def error_floor(self) -> float:
        """b² below which the reference's own error certifies nothing, 1 over the draws it is worth; 0 if exact."""
        draws = self.median("reference_draws")
        return 0.0 if draws is None else 1.0 / draws

    @cached_property
    def coverage(self) -> tuple[float, int] | None:
        """Share of (rep, part) whose 90 % interval holds the truth, and how many there are."""
        held = self.scores("covered_90").value
        return (float(held.mean()), len(held)) if len(held) else None

    def floats(self, column: str, *, cold: bool) -> Array:
        """A column of the finished cold or warm fits; NaN for what is no number."""
        return self._fits.floats(column)[self._ok & ~self._warm if cold else self._warm]


NOWHERE: npt.NDArray[np.intp] = np.array([], dtype=np.intp)


def failed(fits: pd.DataFrame) -> pd.Series[bool]:
    """Which fits count as failed: what cannot run here only where its cell was named without a glob or suite."""
    named = fits["explicit"].fillna(False).astype(bool) & fits["status"].isin(["unsupported", "unavailable"])
    return fits["status"].isin(list(BAD_STATUSES)) | named


def middle(values: Array) -> float | None:
    """Median of those that are numbers; None without any."""
    known = values[~np.isnan(values)]
    return float(median(known.tolist())) if len(known) else None  # of few numbers in a tenth of NumPy's time


def split(tables: RunTables) -> dict[str, CellTables]:
    """The tables of every planned cell, by cell id, in the order of the fits."""
    fits = Table(plain(_numbered(tables.fits).sort_values("rep", kind="stable")))
    scores = _numbered(tables.metrics)
    metrics = Table(plain(scores.assign(part=scores["part"].fillna("").astype(str))))
    curves = Table(plain(_numbered(tables.curves)))
    places, scored, drawn = runs_of(fits, "cell"), runs_of(metrics, "cell", "metric"), runs_of(curves, "cell")
    by_cell: dict[str, dict[str, npt.NDArray[np.intp]]] = {}
    for (cell, metric), rows in scored.items():
        by_cell.setdefault(cell, {})[metric] = rows
    all_scores = {cell: rows for (cell,), rows in runs_of(metrics, "cell").items()}
    return {
        cell: CellTables(
            Rows(fits, places[cell,]),
            Rows(metrics, all_scores.get(cell, NOWHERE)),
            Rows(curves, drawn.get((cell,), NOWHERE)),
            by_cell.get(cell, {}),
        )
        for cell in map(str, tables.fits["cell"].drop_duplicates())
    }


def parts(run: Run, fits: pd.DataFrame) -> list[tuple[str, Run, pd.DataFrame]]:
    """(name, manifest, fits) of every run that is combined here and has some of these fits; of a single run no name."""
    if not isinstance(run, Combined):
        return [("", run, fits)]
    return [(name, one, own) for name, one in run.runs.items() if len(own := fits[fits["origin"] == name])]


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    numeric = [column for column in ("rep", "value") if column in frame]
    return frame.assign(**{c: pd.to_numeric(frame[c], errors="coerce").astype("float64") for c in numeric})
