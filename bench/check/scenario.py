"""Is a scenario what its author meant: what is wrong with it, what was understood, and what it can be judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.catalog import terms
from bench.catalog.backends import backend
from bench.catalog.places import backend_files
from bench.check import columns
from bench.check.findings import Finding, note, ok, problem
from bench.data import dataset, family
from bench.errors import NoReference, UsageError
from bench.score.certified import reference_of
from bench.selected import Scenarios
from bench.types import Dataset, Scenario
from bench.words import program


def findings(path: str, progress: Callable[[str], None]) -> Iterator[Finding]:
    """Problems, notes, and a line for everything that holds, of the scenario of that name or path."""
    where = Path(path).name
    progress(f"reading {where}")
    try:
        (chosen,) = Scenarios([path])
        data = dataset(chosen, seed=0, rep=0)
    except UsageError as error:
        yield problem(where, str(error))
        return
    yield ok(where, f"{chosen.family}, {_size(data)}, {data.dim} parameters")
    yield from _understood(where, chosen)
    yield from columns.findings(where, data)
    for sentence in family(chosen.family).notes(chosen):
        yield note(where, sentence)
    progress("looking for a reference posterior")
    try:
        found = reference_of(chosen, data)
        yield ok(where, f"reference posterior: {found.method}{'; exact' if np.isinf(found.n_effective) else ''}")
    except NoReference as reason:
        yield note(
            where,
            f"no reference posterior, so no error can be stated: {reason}",
            program.command("reference", path),
        )
    served = [name for name in backend_files() if _serves(name, chosen.family)]
    yield ok(where, f"served by {', '.join(served)}")


def _size(data: Dataset) -> str:
    return ", ".join(f"{name} {'×'.join(map(str, values.shape))}" for name, values in data.arrays.items())


def _understood(where: str, chosen: Scenario) -> Iterator[Finding]:
    if chosen.design is None:
        return
    for column, levels in chosen.design.levels.items():
        held = f"; held against {base}" if (base := terms.base(chosen.design, column)) else ""
        yield ok(where, f"{column}: {', '.join(levels[:8])}{', …' if len(levels) > 8 else ''}{held}")
    said = terms.assumed(chosen.design, chosen.priors)
    yield ok(where, f"priors: {', '.join(f'{name} ~ {prior}' for name, prior in said.items())}")


def _serves(name: str, wanted: str) -> bool:
    try:
        info = backend(name)
    except UsageError:
        return False
    return not info.home.unavailable and (not info.families or wanted in info.families)
