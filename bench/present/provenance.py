"""Where a run comes from: its context line, its environment and the exact command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis import hosts
from bench.analysis.combined import machine_words
from bench.analysis.contender import GOAL, MIN_REPS, MIN_ROUNDS, TARGET, TRACKS
from bench.analysis.disturbance import disturbance
from bench.analysis.tables import RunTables, parts
from bench.store.manifest import Combined, Run, plain
from bench.words import format as fmt
from bench.words.clean import clean

UNTIL = f"Seconds are those until the answer is {GOAL} from the posterior (error b² below {TARGET})."
TARGETED = f"{UNTIL} Ranges in brackets: 95 % intervals. ≈: prorated, not measured."
"""What a verdict is about."""
ELSEWHERE = ("command", "cells", "scenarios", "backends", "budgets", "verified", "imports")
"""What the report shows in other places, or in full."""


def command(tables: RunTables) -> str:
    """The command that made the run; of combined runs one per line."""
    return clean("\n".join(run.command for _, run, _ in parts(tables.run, tables.fits)))


def context(tables: RunTables) -> str:
    """One line: how much was run, with what, where and when."""
    run, fits = tables.run, tables.fits
    runs = parts(run, fits)
    facts = [
        f"{len(runs)} runs" if len(runs) > 1 else f"each backend fitted {_amount(fits)}",
        f"budget {_values(fits, 'budget')}",
        " and ".join(dict.fromkeys(TRACKS.get(track, track) for track in sorted(map(str, fits["track"].unique())))),
        _values(fits, "device") + _machine([one for _, one, _ in runs]),
        _values(fits, "dtype"),
        (run.started or "")[:10],
        f"run {run.id}" if run.id else "",
    ]
    return clean(" · ".join(filter(None, facts)))


def _machine(runs: Sequence[Run]) -> str:
    """On which machine; how many CPUs each has where runs have several, or none that is known."""
    hosts = [host for run in runs for host in run.hosts.values() or [run.host]]
    if len(set(map(machine_words, runs))) == 1 and all(host.cpu for host in hosts):
        return f" on {machine_words(runs[0])}"
    cpus = {host.cpus for host in hosts}
    return f" with {fmt.count(count, 'CPU')}" if len(cpus) == 1 and (count := cpus.pop()) else ""


def _amount(fits: pd.DataFrame) -> str:
    return f"{fmt.count(int(fits['rep'].nunique()), 'time')} in {fmt.count(int(fits['round'].nunique()), 'round')}"


def warnings(tables: RunTables) -> list[str]:
    """What a reader must know before any number."""
    sentences = [clean(line) for line in tables.run.differs] if isinstance(tables.run, Combined) else []
    for name, _, fits in parts(tables.run, tables.fits):
        reps, rounds = int(fits["rep"].nunique()), int(fits["round"].nunique())
        if reps < MIN_REPS or rounds < MIN_ROUNDS:
            sentences.append(
                f"{f'{name}: each' if name else 'Each'} backend was fitted {_amount(fits)}: no ranking below "
                f"{MIN_REPS} fits or {MIN_ROUNDS} rounds, numbers are for orientation (--budget standard ranks)."
            )
    sentences += absent(tables.fits)
    if on := hosts.sentence(tables):
        sentences.append(clean(on))
    if tables.run.dirty:
        sentences.append("The checkout had uncommitted changes.")
    loaded = disturbance(tables, tables.fits)
    return [*sentences, f"The machine was not quiet: {loaded}."] if loaded else sentences


def absent(fits: pd.DataFrame) -> list[str]:
    """What could not be fitted here at all, in a sentence for what one command installs, and one per other reason."""
    gone = fits[fits["status"] == "unavailable"].drop_duplicates(["backend", "reason"])
    installs, sentences = dict[str, dict[str, list[str]]](), dict[str, list[str]]()
    for backend, reason in sorted(zip(gone["backend"], gone["reason"].fillna(""), strict=True)):
        if found := re.fullmatch(r".* not installed; (.* install) (\S+)", reason):
            installs.setdefault(found[1], {}).setdefault(found[2], []).append(backend)
        else:
            sentences.setdefault(reason, []).append(backend)
    lines = [f"Not available here: {fmt.listed(names)}: {reason}." for reason, names in sentences.items()]
    for command, packages in installs.items():
        names = [name for backends in packages.values() for name in backends]
        lines.insert(0, f"Not installed, so not compared: {fmt.listed(names)}; {command} {' '.join(packages)}")
    return [clean(line) for line in lines]


def environment(tables: RunTables) -> list[tuple[str, str]]:
    """(name, value) of everything recorded about the run but its command, nested names joined by dots.

    What combined runs have in common stands there once, the rest as `name (run)`.
    """
    rows: list[tuple[str, str]] = []
    for key, values in _facts(tables).items():
        same = len(set(values.values())) == 1
        rows += [(key, next(iter(values.values())))] if same else [(f"{key} ({n})", v) for n, v in values.items()]
    return [(clean(key), clean(value)) for key, value in rows]


def fact(tables: RunTables, name: str) -> str:
    """One of the environment's facts; of combined runs that do not share it `value (run), value (run)`."""
    values = _facts(tables).get(name, {"": fmt.NONE})
    if len(set(values.values())) == 1:
        return clean(next(iter(values.values())))
    return ", ".join(f"{clean(value)} ({clean(run)})" for run, value in values.items())


def _facts(tables: RunTables) -> dict[str, dict[str, str]]:
    """{name of the fact: {run: its value there}}."""
    by_run = {
        name: dict(_flat({k: v for k, v in plain(run).items() if k not in ELSEWHERE}))
        for name, run, _ in parts(tables.run, tables.fits)
    }
    keys = dict.fromkeys(key for facts in by_run.values() for key in facts)
    return {key: {name: facts.get(key, fmt.NONE) for name, facts in by_run.items()} for key in keys}


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
