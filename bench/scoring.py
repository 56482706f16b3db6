"""Stored fits → metrics and curves tables. Fits may be scored again at any time, without refitting."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from bench.metrics.across import CellScores
from bench.metrics.curves import Curve, curve
from bench.metrics.problem import Row
from bench.metrics.scores import score
from bench.runner.environment import default_threads
from bench.store.folder import RunFolder
from bench.stored import DamagedDraws, Problems, Stored, load_scored, stored_fits
from bench.worker import die_with_parent

TOGETHER = 16
"""Fits of one data set that are scored in one go; its reference is made once for them."""
WORTH_IT = 40
"""Fits from which other processes are started for it, which takes them most of a second."""
WATCH_SECONDS = 0.2

Progress = Callable[[str], None]


class Scores(NamedTuple):
    """One scored fit: its place in the run's order, its rows and its curve."""

    place: int
    rows: list[Row]
    way: Curve


class Batch(NamedTuple):
    """Fits of one data set, by their places."""

    fits: list[tuple[int, Stored]]

    @property
    def text(self) -> str:
        """What it is about."""
        return self.fits[0][1].scenario


def score_run(folder: RunFolder, progress: Progress) -> int:
    """Score every usable fit of a run, write its tables, say how many were scored; UsageError as `Problems.get`.

    A fit whose draws are damaged has no scores, and is in `folder.damage`.
    """
    from bench.store import tables

    manifest = folder.manifest()
    usable = [s for s in stored_fits(folder) if s.record.status == "ok"]
    # by data set, so that each reference is made once and only one is held
    usable.sort(key=lambda s: (s.entry["scenario_label"], s.record.rep))
    scored = sorted(_scored(folder, usable, manifest["seed"], progress), key=lambda s: s.place)
    metric_rows: list[tuple[Any, ...]] = []
    curve_rows: list[tuple[Any, ...]] = []
    cells: dict[str, CellScores] = {}
    for place, rows, way in scored:
        entry, record = usable[place].entry, usable[place].record
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
    return len(scored)


def score_batch(path: Path, batch: Batch, seed: int) -> tuple[list[Scores], dict[str, str]]:
    """Scores of fits of one data set, and what was found damaged."""
    folder, problems, found = RunFolder(path), Problems(seed), []
    for place, stored in batch.fits:
        try:
            scored = load_scored(folder, stored, problems)
        except DamagedDraws:
            continue  # its row will say so
        found.append(Scores(place, score(scored), curve(scored)))
    return found, folder.damage


def _scored(folder: RunFolder, usable: list[Stored], seed: int, progress: Progress) -> Iterator[Scores]:
    """All scores, in any order; in as many processes as there are CPUs where that pays."""
    batches = list(_batches(usable))
    processes = min(default_threads(), len(batches)) if len(usable) >= WORTH_IT else 1
    done = 0
    for batch, (found, damage) in (
        _in_processes(folder, batches, seed, progress, processes)
        if processes > 1
        else ((b, score_batch(folder.path, b, seed)) for b in batches)
    ):
        done += len(batch.fits)
        progress(f"scoring: {done} of {len(usable)}, {batch.text}")
        folder.damage |= damage
        yield from found


def _batches(usable: list[Stored]) -> Iterator[Batch]:
    numbered = list(enumerate(usable))
    for _, group in groupby(numbered, key=lambda pair: (pair[1].scenario, pair[1].record.data_digest)):
        fits = list(group)
        for at in range(0, len(fits), TOGETHER):
            yield Batch(fits[at : at + TOGETHER])


def _in_processes(
    folder: RunFolder, batches: list[Batch], seed: int, progress: Progress, processes: int
) -> Iterator[tuple[Batch, tuple[list[Scores], dict[str, str]]]]:
    """Batches as they are done; whatever `progress` raises ends the processes at once."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(os.getpid(),))
    try:
        left: dict[Future[Any], Batch] = {pool.submit(score_batch, folder.path, b, seed): b for b in batches}
        import bench.store.tables  # noqa: F401 -- pandas, while the others import what they need

        while left:
            progress("scoring")
            done, _ = wait(left, WATCH_SECONDS, FIRST_COMPLETED)
            for future in done:
                yield left.pop(future), future.result()
    except BaseException:
        for process in list(pool._processes.values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(parent: int) -> None:
    """A scoring process: Ctrl-C is its parent's to hear, and it does not outlive that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(parent)
