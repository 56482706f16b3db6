"""Stored fits of a run: chosen by the names a user knows, loaded with the problem they answer."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.errors import NoReference, UsageError, described, unknown
from bench.measure.validity import complaint
from bench.selection import is_named
from bench.store import arrays, netcdf
from bench.store.folder import RunFolder
from bench.store.records import Record
from bench.types import Budget, Checkpoint, Dataset, Fit, Kind, Parameter, Scenario

if TYPE_CHECKING:
    from bench.score.problem import Problem, Scored
    from bench.store.manifest import CellEntry


@dataclass(frozen=True, slots=True)
class Stored:
    """One fit that can be scored: its manifest entry and its record."""

    entry: CellEntry
    record: Record

    @property
    def scenario(self) -> str:
        """Scenario with its overrides, as the user writes it."""
        return self.entry.scenario_label

    @property
    def backend(self) -> str:
        """Backend with its options, as the user writes it."""
        return self.entry.backend_label


class DamagedDraws(UsageError):
    """A fit that ended ok, but whose draws cannot be used any more; `mend` is the command that makes it again."""

    def __init__(self, message: str, mend: str) -> None:
        self.mend = mend
        super().__init__(f"{message}; made again by: {mend}")


class Problems:
    """The problem of each data set of a run, its exact posterior computed once for all backends that fitted it."""

    def __init__(self, folder: RunFolder, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.scenarios: dict[str, Scenario] = {}
        self.problem: Problem | None = None

    def get(self, stored: Stored) -> Problem:
        """The problem a fit answers; UsageError when today's scenario gives other data than the fit saw."""
        record, label = stored.record, stored.scenario
        if self.problem is None or self.problem.data.digest != record.data_digest:
            if label not in self.scenarios:
                self.scenarios[label] = scenario(stored.entry.scenario, dict(stored.entry.overrides), self.folder.path)
            chosen = self.scenarios[label]
            data = dataset(chosen, seed=self.seed, rep=record.rep)
            if data.digest != record.data_digest:
                raise UsageError(
                    f"scenario {label} gives other data now than when rep {record.rep} of cell {record.cell} was "
                    "fitted: its file or generator has changed; run it again"
                )
            from bench.score.certified import reference_of  # SciPy, which reading what is stored does without
            from bench.score.problem import Problem

            try:
                self.problem = Problem(data, family(data.family), reference_of(chosen, data))
            except NoReference as reason:
                self.problem = Problem(data, family(data.family), None, str(reason))
        return self.problem

    @cached_property
    def _bandwidth(self) -> float | None:
        return self.folder.manifest().host.memory_bandwidth

    def reading(self, stored: Stored) -> float | None:
        """Seconds in which the run's machine reads the data of a fit once from memory, in its dtype."""
        if stored.entry.device != "cpu" or not self._bandwidth:
            return None
        arrays, size = self.get(stored).data.arrays.values(), np.dtype(stored.entry.dtype).itemsize
        return sum(a.size * (size if a.dtype.kind == "f" else a.itemsize) for a in arrays) / self._bandwidth


def stored_fits(folder: RunFolder) -> Iterator[Stored]:
    """Every fit of a run that has a record, in the order of the plan."""
    for entry, rep in folder.planned():
        record = folder.record(entry.id, rep)
        if record is not None:
            yield Stored(entry, record)


def choose(folder: RunFolder, scenario: str, backend: str, rep: int | None = None) -> tuple[list[Stored], list[str]]:
    """One fit of every cell that the names match, of that rep or of the first that ended ok, and why others have none.

    A name is written with or without its brackets, or is a glob; a cell's id counts as its backend's name. UsageError
    for a name that the run does not have, and for one without a glob that has no fit.
    """
    cells = folder.manifest().cells
    known = {cell.scenario_label for cell in cells}
    if not any(_matches(scenario, label) for label in known):
        raise unknown(f"scenario of run {folder.name}", scenario, known)
    matching = [cell for cell in cells if _matches(scenario, cell.scenario_label)]
    wanted = [cell for cell in matching if _matches(backend, cell.backend_label) or backend == cell.id]
    if not wanted:
        raise unknown(f"backend on {scenario} in run {folder.name}", backend, {cell.backend_label for cell in matching})
    glob = any(c in backend + scenario for c in "*?")
    chosen = [_one(folder, cell, rep) for cell in wanted]
    usable = [fit for fit in chosen if isinstance(fit, Stored)]
    reasons = [reason for reason in chosen if isinstance(reason, str)]
    if reasons and not (glob and usable):
        raise UsageError("; ".join(reasons))
    return usable, reasons


def load_scored(folder: RunFolder, stored: Stored, problems: Problems | None = None) -> Scored:
    """A stored fit with its problem, ready to be scored or drawn, and its draws.nc; UsageError as `Problems.get`."""
    from bench.score.problem import Scored  # as above

    problems = problems or Problems(folder, folder.manifest().seed)
    problem = problems.get(stored)
    fit, checkpoints = load_fit(folder, stored, problem.data)
    draws_file(folder, stored, problem.data.parameters)
    record, reading = stored.record, problems.reading(stored)
    return Scored(problem, fit, record.seconds, record.cold, checkpoints, record.threads, reading, record.until)


def draws_file(folder: RunFolder, stored: Stored, parameters: Iterable[Parameter] = ()) -> Path:
    """The draws.nc of a fit; the worker's draws.npz becomes it the first time, with the labels of these parameters."""
    where = folder.fit(stored.record.cell, stored.record.rep)
    if (npz := where / "draws.npz").is_file():
        about = {"scenario": stored.scenario, "backend": stored.entry.backend, "rep": stored.record.rep}
        netcdf.convert(npz, where / "draws.nc", about, {p.name: p.labels for p in parameters if p.shape and p.labels})
    return where / "draws.nc"


def _matches(pattern: str, label: str) -> bool:
    """Whether a name or glob means this label; brackets are the label's own, no character class."""
    return is_named(pattern, label, label.partition("[")[0])


def _one(folder: RunFolder, cell: CellEntry, rep: int | None) -> Stored | str:
    """The fit to take of a cell, or why there is none."""
    planned = cell.fits
    name = f"{cell.scenario_label} × {cell.backend_label}"
    if rep is not None and not 0 <= rep < planned:
        return f"{name} has no rep {rep}; it has reps 0 to {planned - 1}"
    tried = range(planned) if rep is None else [rep]
    records = [folder.record(cell.id, i) for i in tried]
    for record in records:
        if record is not None and record.status == "ok":
            return Stored(cell, record)
    first = records[0]
    what = "has no record" if first is None else f"ended {first.status}: {first.reason}"
    return f"{name} has no fit to draw: rep {tried[0]} {what}"


def load_fit(
    folder: RunFolder, stored: Stored, data: Dataset | None = None, budget: Budget | None = None
) -> tuple[Fit, list[Checkpoint]]:
    """A stored fit, and nothing written; DamagedDraws where it cannot be read, or is none of such data and budget."""
    record, kind = stored.record, cast(Kind, stored.entry.kind)
    where, unlike = folder.fit(record.cell, record.rep), ""
    npz, nc = where / "draws.npz", where / "draws.nc"
    file = npz if os.path.lexists(npz) else nc
    try:
        fit, path = arrays.unpack((netcdf.load if file is nc else arrays.read)(file), kind, record.stats, record.notes)
        wrong = unlike = "" if data is None else complaint(fit, data, kind, budget)
    except Exception as error:  # noqa: BLE001 -- whatever a reader makes of what is no such file
        wrong = (" ".join(str(error).split())[:200] or described(error)) if os.path.lexists(file) else "not there"
    if wrong:
        folder.spoil(record.cell, record.rep, file.name, wrong)
        first = f"rm -r {shlex.quote(str(where))}; " if unlike else ""
        raise DamagedDraws(f"{file} is damaged ({wrong})", f"{first}{folder.resume_command()}")
    return fit, path
