"""What the calibrations that lie beside a run say of its cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.store.folder import CalibrationFolder, RunFolder

if TYPE_CHECKING:
    from bench.calibration.quantities import Ranked
    from bench.store.manifest import CellEntry, Run


def ranks_of(folder: RunFolder, run: Run) -> dict[str, Ranked]:
    """{cell with the calibration's name: its ranks}, of the cells that a calibration beside the run has fitted.

    It must have named the same cell, with the scenario and the backend's source as they were for the run. One that
    cannot be read, or has too few data sets for a verdict, says nothing here; its own report does.
    """
    cells = {entry.id: entry for entry in run.cells}
    calibrations = CalibrationFolder.all(folder.path.parent)
    return {name: ranked for one in calibrations for name, ranked in _ranked(one, cells)}


def _ranked(folder: CalibrationFolder, cells: Mapping[str, CellEntry]) -> Iterator[tuple[str, Ranked]]:
    from bench.calibration.study import trials
    from bench.calibration.verdict import judge

    try:
        manifest = folder.manifest()
        planned = manifest.datasets
        same = [entry for entry in manifest.cells if _same(entry, cells.get(entry.id), manifest.digests)]
        judged = [judge(entry, planned, trials(folder, entry.id, planned), ("", "")) for entry in same]
    except (UsageError, KeyError, TypeError, ValueError, AttributeError):
        return
    for verdict in judged:
        if verdict.ranked is not None:
            name = f"{verdict.backend} on {verdict.scenario} (calibration {folder.name}: {verdict.state})"
            yield name, verdict.ranked


def _same(entry: CellEntry, other: CellEntry | None, digests: Mapping[str, tuple[str, str]]) -> bool:
    return other is not None and digests[entry.id] == (other.scenario_digest, other.backend_digest)
