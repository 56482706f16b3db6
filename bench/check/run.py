"""Is a run's folder whole, and does everything in it agree?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

from bench.catalog.scenarios import scenario
from bench.cell import Cell, cell_of
from bench.check.findings import Finding, note, ok, problem
from bench.check.tables import tables
from bench.data import dataset
from bench.errors import UsageError
from bench.score.stored import DamagedDraws, Stored, load_fit
from bench.store.folder import RunFolder
from bench.store.manifest import CellEntry, Run, plain
from bench.store.records import Record
from bench.types import Budget, Dataset
from bench.words import format as fmt

FIELDS = ("id", "command", "started", "state", "bench", "commit", "host", "versions", "threads", "seed", "options")
Records = Mapping[tuple[str, int], Record]


def findings(folder: RunFolder, progress: Callable[[str], None]) -> Iterator[Finding]:
    """Problems, notes, and a line for every part that has none; UsageError where run.json says nothing."""
    manifest = folder.manifest()
    yield from _of("run.json", _manifest(folder, manifest), f"schema {manifest.schema}, {manifest.state or None}")
    progress("records")
    records = {(e.id, rep): r for e, rep in folder.planned() if (r := folder.record(e.id, rep))}
    planned = sum(1 for _ in folder.planned())
    yield from _of("records", _records(folder, manifest, records), f"{planned} of {planned} fits")
    yield from _of("digests", _digests(folder, manifest, records), "the same code and data throughout")
    yield from _of("draws", _draws(folder, manifest, records, progress), "readable, shaped, finite, in their support")
    progress("tables")
    yield from _of("tables", tables(folder, records), "there, and as the records say")
    yield from _of("files", _files(folder, manifest), "nothing left over")


def _of(where: str, parts: Iterator[Finding], fine: str) -> Iterator[Finding]:
    """The findings of one part, or that it is fine."""
    wrong = False
    for finding in parts:
        wrong = wrong or finding.state == "problem"
        yield finding
    if not wrong:
        yield ok(where, fine)


def _manifest(folder: RunFolder, manifest: Run) -> Iterator[Finding]:
    there = plain(manifest)
    absent = [name for name in FIELDS if name not in there]
    if absent:
        yield problem("run.json", f"it has no {', '.join(absent)}", "make the run again")
    if manifest.id not in ("", folder.name):
        yield note("run.json", f"made as {manifest.id}, the folder is called {folder.name}")
    if manifest.state == "running":
        if folder.at_work():
            yield note("run.json", "a process is making this run now: what is missing may be on its way")
        else:
            yield problem("run.json", "the run was broken off", folder.resume_command())
    for again in manifest.resumed:
        if again.changes:
            yield note("run.json", f"went on at {again.at} although {'; '.join(again.changes)}")


def _records(folder: RunFolder, manifest: Run, records: Records) -> Iterator[Finding]:
    for entry in manifest.cells:
        name, fits = entry.name, entry.fits
        damaged = [rep for rep in range(fits) if folder.spoilt(entry.id, rep)]
        left = [rep for rep in range(fits) if _is_missing(records.get((entry.id, rep))) and rep not in damaged]
        for rep in damaged:
            yield problem(f"{name}, rep {rep}", folder.spoilt(entry.id, rep), folder.resume_command())
        if left:
            yield problem(name, f"reps {fmt.some(left, 12)} were not made", folder.resume_command())
        for round_ in range(entry.rounds):
            reps = range(round_ * entry.reps, (round_ + 1) * entry.reps)
            stored = [r for rep in reps if (r := records.get((entry.id, rep)))]
            if len({r.child for r in stored}) > 1:
                yield problem(name, f"round {round_} was made by several children", folder.resume_command())
            wrong = [r.rep for r in stored if (r.round, r.cold) != (round_, r.rep == reps.start)]
            if wrong:
                yield problem(
                    name, f"reps {fmt.some(wrong, 12)} say another round, or cold where warm", "make the run again"
                )


def _is_missing(record: Record | None) -> bool:
    return record is None or record.status == "interrupted"


def _digests(folder: RunFolder, manifest: Run, records: Records) -> Iterator[Finding]:
    again = "make the run again: its fits are not alike"
    data: dict[tuple[str, int], dict[tuple[str, int | None], str]] = defaultdict(dict)
    for entry in manifest.cells:
        own = [r for rep in range(entry.fits) if (r := records.get((entry.id, rep)))]
        for what in ("scenario_digest", "backend_digest"):
            digests = {getattr(r, what) for r in own} - {""}
            meant = {getattr(entry, what)} - {""}
            if len(digests | meant) > 1:
                which = ", ".join(sorted(digests | meant))
                yield problem(entry.name, f"{what.replace('_', ' ')}s differ: {which}", again)
        for r in own:
            if r.data_digest:
                data[entry.scenario_label, r.rep].setdefault((r.data_digest, r.data_seed), entry.backend)
    for (label, rep), seen in data.items():
        if len(seen) > 1:
            yield problem(f"{label}, rep {rep}", f"{' and '.join(seen.values())} fitted different data", again)


def _draws(folder: RunFolder, manifest: Run, records: Records, progress: Callable[[str], None]) -> Iterator[Finding]:
    """Every usable fit's arrays against the scenario as it is today, where that is still the one that was fitted."""
    shapes: dict[str, Dataset | str] = {}
    entries = {entry.id: (entry, _budget(entry)) for entry in manifest.cells}
    usable = {key: r for key, r in records.items() if r.status == "ok"}
    for done, ((cell, rep), record) in enumerate(usable.items()):
        entry, budget = entries[cell]
        progress(f"draws {done + 1} of {len(usable)}")
        where = f"{entry.name}, rep {rep}"
        if (label := entry.scenario_label) not in shapes:
            shapes[label] = _shape(folder, entry, record, manifest.seed)
            if isinstance(why := shapes[label], str):
                yield note(label, f"parameters cannot be checked: {why}")
        model = shapes[label]
        try:
            load_fit(folder, Stored(entry, record), None if isinstance(model, str) else model, budget)
        except DamagedDraws as error:
            yield problem(where, folder.spoilt(cell, rep), error.mend)


def _budget(entry: CellEntry) -> Budget | None:
    """What the cell was given; None where its entry does not say so any more."""
    try:
        return cell_of({f.name: getattr(entry, f.name) for f in fields(Cell)}).resolved_budget()
    except (KeyError, TypeError, ValueError):
        return None


def _shape(folder: RunFolder, entry: CellEntry, record: Record, seed: int) -> Dataset | str:
    """A data set of the scenario, for its parameters; or why there is none to be had."""
    try:
        today = scenario(entry.scenario, dict(entry.overrides), folder.path)
    except UsageError as error:
        return str(error)
    if today.digest != record.scenario_digest:
        return "its file or family has changed since"
    return dataset(today, seed=seed, rep=record.rep)


def _files(folder: RunFolder, manifest: Run) -> Iterator[Finding]:
    if folder.at_work():
        return
    left = folder.leftovers()
    compiled = folder.path / ".compiled"
    if compiled.exists() and manifest.state == "finished":
        left.append(compiled)
    for file in left:
        yield problem(str(file.relative_to(folder.path)), "left by a process that was killed", folder.resume_command())
    planned = {folder.fit(entry.id, rep).name for entry, rep in folder.planned()}
    inner = folder.path / folder.INNER
    extra = [f.name for f in sorted(inner.iterdir()) if not f.name.startswith(".") and f.name not in planned]
    if extra:
        yield note("fits", f"{len(extra)} folders that are of no planned fit: {', '.join(extra[:5])}")
