"""A run inside the JSON that pytest-benchmark writes, so that the file alone is a baseline.

The file stays pytest-benchmark's own (`machine_info`, `commit_info`, `benchmarks`, `datetime`, `version`), with:

    benchmarks[i]            every benchmark that was tried, failed ones too
      .name .fullname .group   `s4-linear/torch.adam`, the same below the folder it was collected in, the scenario
      .stats                   of the warm seconds of every fit; all null where some fit did not finish
      .extra_info              what it came to: see bench/pytest_plugin/facts.py
    posterior_bench          the run
      .schema                  1
      .run                     run.json without cells: id, started, bench, commit, dirty, host, versions, seed, …
      .names                   {cell: name of its benchmark}
      .deselected              names that were left out on purpose (-k, -m, --deselect)
      .cells                   {cell: {"fits": {column: value}, "scores": {metric: values}}}

A column of fits is a list with a value per rep, in the order of `rep`, or one value where all reps have the same; a
score is a list with a value per rep, null where that fit has none. Numbers have full precision; one that is not finite
is the text "inf", "-inf" or "nan", for JSON has no such number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from bench.analysis.tables import RunTables, split
from bench.comparison.measures import MEASURES
from bench.comparison.samples import scored
from bench.store import manifest
from bench.store.columns import FITS
from bench.store.tables import table

KEY, SCHEMA = "posterior_bench", 1
RUN = (
    "id",
    "command",
    "pytest",
    "started",
    "finished",
    "bench",
    "commit",
    "dirty",
    "host",
    "versions",
    "threads",
    "seed",
)
COLUMNS = tuple(c for c in FITS if c not in ("run", "cell", "rep", "log_tail", "notes"))
SCORES = frozenset(m.metric for m in MEASURES.values() if m.metric)


def render(tables: RunTables, names: Mapping[str, str], deselected: Iterable[str] = ()) -> dict[str, Any]:
    """What stands under `posterior_bench`."""
    cells = {}
    for cell, own in split(tables).items():
        reps = [int(r) for r in own.fits["rep"]]
        fits = {c: _short([plain(v) for v in own.fits[c]]) for c in COLUMNS if c in own.fits}
        scores = sorted((metric, by_rep) for metric, by_rep in scored(own).items() if metric in SCORES)
        cells[cell] = {
            "fits": {"rep": reps, **fits},
            "scores": {metric: [plain(by_rep.get(rep)) for rep in reps] for metric, by_rep in scores},
        }
    run = {key: value for key, value in manifest.plain(tables.run).items() if key in RUN}
    return {"schema": SCHEMA, "run": run, "names": dict(names), "deselected": sorted(deselected), "cells": cells}


def tables(document: Any) -> RunTables:
    """The run in a file that has what `render` gives; ValueError says why there is none."""
    held = document.get(KEY) if isinstance(document, dict) else None
    if not isinstance(held, dict):
        raise ValueError(f"it has no {KEY}: not written by `pytest --bench-suite … --benchmark-json`")
    if held.get("schema") != SCHEMA:
        raise ValueError(f"schema {held.get('schema')!r}, this version reads schema {SCHEMA}; make it again")
    try:
        run = manifest.run_of({"id": "baseline", **dict(held["run"])})
        fits = [row for cell, entry in held["cells"].items() for row in _fits(run.id, cell, entry["fits"])]
        by_cell = {(row["cell"], row["rep"]): row for row in fits}
        metrics = [row for cell, e in held["cells"].items() for row in _scores(by_cell, cell, e)]
        frames = (
            table("fits", fits),
            table("metrics", metrics),
            table("curves"),
        )
        _ = names(document), deselected(document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"its {KEY} is damaged: {type(error).__name__}: {error}") from None
    return RunTables(run, *frames)


def names(document: Mapping[str, Any]) -> dict[str, str]:
    """{cell: name of its benchmark} of such a file."""
    return {str(k): str(v) for k, v in (document.get(KEY, {}).get("names") or {}).items()}


def deselected(document: Mapping[str, Any]) -> frozenset[str]:
    """Names that were left out on purpose."""
    return frozenset(map(str, document.get(KEY, {}).get("deselected") or ()))


def plain(value: Any) -> Any:
    """A table's value as strict JSON takes it; None where there is none."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value is pd.NA:
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value if isinstance(value, bool | int | float | str) else str(value)


def _short(values: list[Any]) -> Any:
    return values[0] if all(type(v) is type(values[0]) and v == values[0] for v in values) else values


def _fits(run: str, cell: str, columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    reps = [int(rep) for rep in columns["rep"]]
    if wrong := [c for c, v in columns.items() if isinstance(v, list) and len(v) != len(reps)]:
        raise ValueError(f"cell {cell} has {len(reps)} reps, but not so many values of {', '.join(wrong)}")
    return [
        {"run": run, "cell": cell, "rep": rep, "log_tail": "", "notes": ""}
        | {c: _number(v[i] if isinstance(v, list) else v) for c, v in columns.items() if c in COLUMNS}
        for i, rep in enumerate(reps)
    ]


def _scores(fits: Mapping[tuple[str, int], Mapping[str, Any]], cell: str, entry: Mapping[str, Any]) -> Any:
    reps = entry["fits"]["rep"]
    for metric, values in entry["scores"].items():
        for rep, value in zip(reps, values, strict=True):
            if value is not None:
                row = fits[cell, int(rep)]
                about = {k: row[k] for k in ("run", "cell", "scenario", "backend", "rep")}
                yield about | {"metric": metric, "part": "", "value": float(value)}


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf", "nan") else value
