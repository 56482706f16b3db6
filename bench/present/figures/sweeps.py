"""Sweeps of one size among the scenarios of a run, and the seconds of every round in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.analysis.contender import MANY
from bench.analysis.labels import scenario_of
from bench.analysis.seconds import times
from bench.analysis.sections import Row, Section
from bench.types import bracketed


class Sweep(NamedTuple):
    """Sections that differ in one number only: {size: section}."""

    name: str
    key: str
    sections: Mapping[float, Section]


def sweeps(sections: Sequence[Section]) -> list[Sweep]:
    """Every set of two or more sections that differ in one positive number."""
    groups: dict[tuple[str, str, str, str], dict[float, Section]] = {}
    for section in sections:
        name, overrides = scenario_of(section.scenario)
        for key, value in overrides.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
                rest = json.dumps({k: v for k, v in overrides.items() if k != key}, sort_keys=True)
                groups.setdefault((name, section.track, key, rest), {})[float(value)] = section
    return [
        Sweep(bracketed(name, json.loads(rest)), key, dict(sorted(sized.items())))
        for (name, _, key, rest), sized in groups.items()
        if len(sized) > 1
    ]


def seconds(sweep: Sweep) -> dict[str, list[tuple[float, float]]]:
    """{backend: (size, median warm seconds of a round), by size and round}; the reference and failures left out."""
    times: dict[str, list[tuple[float, float]]] = {}
    for size, section in sweep.sections.items():
        for row in section.rows:
            if row.kind != "exact":
                times.setdefault(row.label, []).extend((size, t) for t in _rounds(row).values())
    return times


def _rounds(row: Row) -> dict[int, float]:
    return {k: v for k, v in sorted(times(row.tables, MANY, finish=True).items()) if v > 0}
