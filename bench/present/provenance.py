"""Where a run comes from: its context line, its environment and the exact command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from bench.analysis.contender import MIN_REPS, MIN_ROUNDS, TARGET
from bench.analysis.sections import cores_of, disturbance
from bench.analysis.tables import RunTables, parts
from bench.words import format as fmt
from bench.words.clean import clean

ELSEWHERE = ("command", "cells", "scenarios", "backends", "budgets", "verified", "imports")
"""What the report shows in other places, or in full."""


def command(tables: RunTables) -> str:
    """The command that made the run; of combined runs one per line."""
    return clean("\n".join(_command(run) for _, run, _ in parts(tables.run, tables.fits)))


def _command(run: Mapping[str, Any]) -> str:
    given = run.get("command", "")
    return given if isinstance(given, str) else shlex.join(map(str, given))


def context(tables: RunTables) -> str:
    """One line: how much was run, with what, where and when."""
    run, fits = tables.run, tables.fits
    runs = parts(run, fits)
    cores = {cores_of(one) for _, one, _ in runs}
    cpus = cores.pop() if len(cores) == 1 else None
    told = [
        f"error target {TARGET}",
        f"budget {_values(fits, 'budget')}",
        f"{len(runs)} runs" if len(runs) > 1 else _amount(fits),
        _values(fits, "device") + (f" with {fmt.count(cpus, 'CPU')}" if cpus else ""),
        _values(fits, "dtype"),
        f"{_values(fits, 'track')} track",
        str(run.get("started", ""))[:10],
        f"run {run['id']}" if run.get("id") else "",
    ]
    return clean(" · ".join(part for part in told if part))


def _amount(fits: pd.DataFrame) -> str:
    return f"{fmt.count(int(fits['rep'].nunique()), 'rep')} in {fmt.count(int(fits['round'].nunique()), 'round')}"


def warnings(tables: RunTables) -> list[str]:
    """What a reader must know before any number."""
    combined = tables.run.get("differs")
    found = [clean(str(line)) for line in combined] if isinstance(combined, list) else []
    for name, _, fits in parts(tables.run, tables.fits):
        reps, rounds = int(fits["rep"].nunique()), int(fits["round"].nunique())
        if reps < MIN_REPS or rounds < MIN_ROUNDS:
            found.append(
                f"{f'{name}: ' if name else ''}{fmt.count(reps, 'rep')} in {fmt.count(rounds, 'round')}: no ranking "
                f"below {MIN_REPS} reps or {MIN_ROUNDS} rounds; numbers are for orientation (--budget standard ranks)."
            )
    if tables.run.get("dirty"):
        found.append("The checkout had uncommitted changes.")
    loaded = disturbance(tables, tables.fits)
    return [*found, f"The machine was not quiet: {loaded}."] if loaded else found


def environment(tables: RunTables) -> list[tuple[str, str]]:
    """(name, value) of everything recorded about the run but its command, nested names joined by dots.

    What combined runs have in common stands there once, the rest as `name (run)`.
    """
    told = [(name, dict(_flat(_shown(run)))) for name, run, _ in parts(tables.run, tables.fits)]
    if len(told) == 1:
        return [(k, clean(v)) for k, v in told[0][1].items()]
    found: list[tuple[str, str]] = []
    for key in dict.fromkeys(key for _, facts in told for key in facts):
        values = {name: facts.get(key, fmt.NONE) for name, facts in told}
        same = len(set(values.values())) == 1
        found += [(key, next(iter(values.values())))] if same else [(f"{key} ({n})", v) for n, v in values.items()]
    return [(clean(k), clean(v)) for k, v in found]


def _shown(run: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in run.items() if k not in ELSEWHERE}


class Target(NamedTuple):
    """What verification found of one framework's density: errors relative to the gate's own, or why there are none."""

    framework: str
    scenario: str
    dtype: str
    verdict: str
    value_error: str
    gradient_error: str
    gate: str


def targets(tables: RunTables) -> list[Target]:
    """Every density that was held against the family's before the run; none in runs without verification."""
    found = []
    for entry in tables.run.get("verified") or []:
        same = entry.get("verdict") == "same"
        said = "same target" if same else str(entry.get("reason") or entry.get("verdict", ""))
        framework, scenario, dtype = (clean(str(entry.get(key, ""))) for key in ("framework", "scenario", "dtype"))
        value, gradient, gate = (_power(entry.get(key)) for key in ("value_error", "gradient_error", "gate"))
        found.append(Target(framework, scenario, dtype, clean(said), value, gradient, gate))
    return found


def _power(value: Any) -> str:
    return f"{value:.0e}" if isinstance(value, (int, float)) else fmt.NONE


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key in value:
            yield from _flat(value[key], f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(map(str, value)) or fmt.NONE
    else:
        yield name, fmt.NONE if value is None or value == "" else str(value)


def _values(fits: pd.DataFrame, column: str) -> str:
    return "/".join(sorted(set(map(str, fits[column].dropna()))))
