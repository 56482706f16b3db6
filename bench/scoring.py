"""Stored fits → metrics and curves tables. Fits may be scored again at any time, without refitting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.metrics.across import CellScores
from bench.metrics.curves import curve
from bench.metrics.scores import score
from bench.store import tables
from bench.store.folder import RunFolder
from bench.stored import DamagedDraws, Problems, load_scored, stored_fits


def score_run(folder: RunFolder, progress: Callable[[str], None]) -> int:
    """Score every usable fit of a run, write its tables, say how many were scored; UsageError as `Problems.get`.

    A fit whose draws are damaged has no scores, and is in `folder.damage`.
    """
    manifest = folder.manifest()
    usable = [s for s in stored_fits(folder) if s.record.status == "ok"]
    problems = Problems(manifest["seed"])
    metric_rows: list[tuple[Any, ...]] = []
    curve_rows: list[tuple[Any, ...]] = []
    cells: dict[str, CellScores] = {}
    lost = 0
    # sorted by data set, so that each exact posterior is computed once and only one is held
    for i, stored in enumerate(sorted(usable, key=lambda s: (s.entry["scenario_label"], s.record.rep))):
        entry, record = stored.entry, stored.record
        progress(f"scoring {i + 1} of {len(usable)}: {entry['scenario_label']} × {entry['backend']}")
        try:
            scored = load_scored(folder, stored, problems)
        except DamagedDraws:
            lost += 1  # its row will say so
            continue
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
    return len(usable) - lost
