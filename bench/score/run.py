"""Stored fits → metrics and curves tables. Fits may be scored again at any time, without refitting."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.disk.durable import unwritable
from bench.errors import UsageError, described
from bench.score import pool
from bench.score.across import CellScores
from bench.score.ahead import IMPORTS, WORTH_IT
from bench.score.curves import Curve, curve
from bench.score.judged import Deviations
from bench.score.problem import Row
from bench.score.scores import score
from bench.score.stored import DamagedDraws, Problems, Stored, load_scored, stored_fits
from bench.store.folder import RunFolder

if TYPE_CHECKING:
    from bench.store.manifest import CellEntry

TOGETHER = 8
"""Fits of one data set that are scored in one go, at most; its reference is made once for them."""
Progress = Callable[[str], None]


class Scores(NamedTuple):
    """One scored fit: its place in the run's order, its rows, its curve and its deviations from the reference."""

    place: int
    rows: list[Row]
    curve: Curve
    deviations: Deviations | None


Batch = list[tuple[int, Stored]]
"""Fits of one data set, by their places."""


def score_run(folder: RunFolder, progress: Progress) -> int:
    """Score every usable fit of a run, write its tables, say how many were scored; UsageError as `Problems.get`.

    A fit whose draws are damaged has no scores, and is in `folder.damage`; one that cannot be scored for what it holds
    is in `folder.unscored`. Neither costs another fit its scores.
    """
    manifest = folder.manifest()
    usable = [s for s in stored_fits(folder) if s.record.status == "ok"]
    if len(usable) >= WORTH_IT:
        pool.start(*IMPORTS)
    from bench.store import tables  # pandas, beside what is imported there
    from bench.store.gathered import Gathered

    # by data set, so that each reference is made once and only one is held
    usable.sort(key=lambda s: (s.scenario, s.record.rep))
    places = {cell.id: len(usable) + number for number, cell in enumerate(manifest.cells)}
    left = Counter(s.entry.id for s in usable)
    metrics, curves, cells, count = Gathered("metrics"), Gathered("curves"), dict[str, CellScores](), 0

    def finish(entry: CellEntry) -> None:
        metrics.add(places[entry.id], _key(folder, entry), cells.pop(entry.id).rows())

    for place, rows, way, deviations in _scored(folder, usable, manifest.seed, progress):
        entry, record = usable[place].entry, usable[place].record
        metrics.add(place, _key(folder, entry), [(record.rep, *row) for row in rows])
        curves.add(place, _key(folder, entry), [(record.rep, *row) for row in way.rows()])
        cell = cells.setdefault(entry.id, CellScores(entry.kind, fresh_data=record.data_seed is not None))
        cell.add(record.rep, rows, way, cold=record.cold, deviations=deviations)
        left[entry.id] -= 1
        if not left[entry.id]:
            finish(entry)
        count += 1
    for entry in manifest.cells:
        if entry.id in cells:  # some of its fits could not be scored
            finish(entry)
    tables.write(folder, "fits", tables.fits_table(folder))
    tables.write(folder, "metrics", metrics.frame())
    tables.write(folder, "curves", curves.frame())
    return count


def _key(folder: RunFolder, entry: CellEntry) -> tuple[str, ...]:
    return folder.name, entry.id, entry.scenario_label, entry.backend


class Outcome(NamedTuple):
    """What came of a batch: scores, and why other fits have none, as `RunFolder` keeps it."""

    scores: list[Scores]
    damage: dict[str, str]
    unscored: dict[tuple[str, int], str]


def score_batch(path: Path, seed: int, batch: Batch) -> Outcome:
    """Scores of fits of one data set; UsageError as `Problems.get`, OSError where nothing can be written."""
    folder = RunFolder(path)
    problems, scores = Problems(folder, seed), []
    for place, stored in batch:
        try:
            scored = load_scored(folder, stored, problems)
            scores.append(Scores(place, score(scored), curve(scored), scored.deviations))
        except DamagedDraws:
            continue  # its row will say so
        except UsageError:
            raise
        except Exception as error:
            if unwritable(error):
                raise
            folder.unscored[stored.record.cell, stored.record.rep] = f"cannot be scored: {described(error)}"
    return Outcome(scores, folder.damage, folder.unscored)


def _scored(folder: RunFolder, usable: list[Stored], seed: int, progress: Progress) -> Iterator[Scores]:
    """All scores, in any order; in as many processes as there are CPUs where that pays."""
    batches = list(_batches(usable))  # by scenario, so that few cells are at work at a time
    task, done = partial(score_batch, folder.path, seed), 0
    here = ((batch, task(batch)) for batch in batches)
    each = pool.each(task, batches, lambda: progress("scoring")) if len(usable) >= WORTH_IT else here
    for batch, outcome in each:
        done += len(batch)
        progress(f"scoring: {done} of {len(usable)}, {batch[0][1].scenario}")
        folder.damage |= outcome.damage
        folder.unscored |= outcome.unscored
        yield from outcome.scores


def _batches(usable: list[Stored]) -> Iterator[Batch]:
    numbered = list(enumerate(usable))
    for _, group in groupby(numbered, key=lambda pair: (pair[1].scenario, pair[1].record.data_digest)):
        fits = list(group)
        size = math.ceil(len(fits) / math.ceil(len(fits) / TOGETHER))  # even shares, so that none is waited for alone
        yield from (fits[at : at + size] for at in range(0, len(fits), size))
