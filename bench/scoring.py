"""Stored fits → metrics and curves tables. Fits may be scored again at any time, without refitting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.errors import NoReference, UsageError
from bench.metrics.across import CellScores
from bench.metrics.curves import curve
from bench.metrics.problem import Problem, Scored
from bench.metrics.scores import score
from bench.store import arrays, netcdf, tables
from bench.store.folder import Record, RunFolder
from bench.types import Checkpoint, Fit, Scenario


@dataclass(frozen=True, slots=True)
class Stored:
    """One fit that can be scored: its manifest entry and its record."""

    entry: Mapping[str, Any]
    record: Record


class Problems:
    """The problem of each data set, its exact posterior computed once for all backends that fitted it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.scenarios: dict[str, Scenario] = {}
        self.digest = ""
        self.problem: Problem | None = None

    def get(self, stored: Stored) -> Problem:
        """The problem a fit answers; UsageError when today's scenario gives other data than the fit saw."""
        record, label = stored.record, stored.entry["scenario_label"]
        if self.problem is None or self.digest != record.data_digest:
            if label not in self.scenarios:
                self.scenarios[label] = scenario(stored.entry["scenario"], dict(stored.entry["overrides"]))
            data = dataset(self.scenarios[label], seed=self.seed, rep=record.rep)
            if data.digest != record.data_digest:
                raise UsageError(
                    f"scenario {label} gives other data now than when rep {record.rep} of cell {record.cell} was "
                    "fitted: its file or generator has changed; run it again"
                )
            fam = family(data.family)
            try:
                self.problem = Problem(data=data, family=fam, reference=fam.reference(data), no_reference="")
            except NoReference as reason:
                self.problem = Problem(data=data, family=fam, reference=None, no_reference=str(reason))
            self.digest = record.data_digest
        return self.problem


def score_run(folder: RunFolder, progress: Callable[[str], None]) -> int:
    """Score every usable fit of a run, write its tables, say how many were scored; UsageError as `Problems.get`."""
    manifest = folder.manifest()
    usable = [s for s in _stored(folder) if s.record.status == "ok"]
    problems = Problems(manifest["seed"])
    metric_rows: list[tuple[Any, ...]] = []
    curve_rows: list[tuple[Any, ...]] = []
    cells: dict[str, CellScores] = {}
    # sorted by data set, so that each exact posterior is computed once and only one is held
    for i, stored in enumerate(sorted(usable, key=lambda s: (s.entry["scenario_label"], s.record.rep))):
        entry, record = stored.entry, stored.record
        progress(f"scoring {i + 1} of {len(usable)}: {entry['scenario_label']} × {entry['backend']}")
        problem = problems.get(stored)
        fit, checkpoints = _fit(folder, stored)
        scored = Scored(problem, fit, record.seconds, record.cold, checkpoints)
        rows, way = score(scored), curve(scored)
        key = (folder.name, entry["id"], entry["scenario_label"], entry["backend"])
        metric_rows += [(*key, record.rep, *row) for row in rows]
        curve_rows += [(*key, record.rep, *row) for row in way.rows()]
        cell = cells.setdefault(entry["id"], CellScores(entry["kind"], fresh_data=record.data_seed is not None))
        cell.add(record.rep, rows, way, cold=record.cold)
    for entry in manifest["cells"]:
        if entry["id"] in cells:
            key = (folder.name, entry["id"], entry["scenario_label"], entry["backend"])
            metric_rows += [(*key, *row) for row in cells[entry["id"]].rows()]
    tables.write(folder, "fits", tables.fits_table(folder))
    tables.write(folder, "metrics", tables.metrics_table(metric_rows))
    tables.write(folder, "curves", tables.curves_table(curve_rows))
    return len(usable)


def _stored(folder: RunFolder) -> Iterator[Stored]:
    for entry, rep in folder.planned():
        record = folder.record(entry["id"], rep)
        if record is not None:
            yield Stored(entry, record)


def _fit(folder: RunFolder, stored: Stored) -> tuple[Fit, list[Checkpoint]]:
    """A stored fit; the worker's draws.npz becomes draws.nc the first time."""
    record, entry = stored.record, stored.entry
    where = folder.fit(record.cell, record.rep)
    npz, nc = where / "draws.npz", where / "draws.nc"
    if npz.is_file():
        loaded = arrays.load(npz, entry["kind"], record.stats, record.notes)
        attributes = {"scenario": entry["scenario_label"], "backend": entry["backend"], "rep": record.rep}
        netcdf.convert(npz, nc, attributes)
        return loaded
    return netcdf.load(nc, entry["kind"], record.stats, record.notes)
