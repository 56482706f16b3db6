"""Sweeps of one number, of scenarios or of a backend's options, and what every round of them took."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.analysis.columnar import medians
from bench.analysis.contender import MANY
from bench.analysis.labels import scenario_of
from bench.analysis.seconds import times
from bench.analysis.sections import Row, Section
from bench.types import bracketed

Rounds = Callable[[Row], Mapping[int, float]]
"""{round: value} of a row."""


class Sweep(NamedTuple):
    """What differs in one number only, on `name`: {backend: {size: its row}}; `style` names whose look each has."""

    name: str
    key: str
    rows: Mapping[str, Mapping[float, Row]]
    style: Mapping[str, str]

    @property
    def sizes(self) -> list[float]:
        """All sizes, in order."""
        return sorted({size for by_size in self.rows.values() for size in by_size})


def sweeps(sections: Sequence[Section]) -> list[Sweep]:
    """Every set of two or more sections, or of backends of one section, that differ in one positive number.

    The reference is left out.
    """
    return [*_of_scenarios(sections), *(sweep for section in sections for sweep in _of_options(section))]


def _of_scenarios(sections: Sequence[Section]) -> list[Sweep]:
    groups: dict[tuple[str, str, str, str], dict[float, Section]] = {}
    for section in sections:
        name, overrides = scenario_of(section.scenario)
        for key, size in _sizes(overrides):
            groups.setdefault((name, section.track, key, _rest(overrides, key)), {})[size] = section
    found = []
    for (name, _, key, rest), sized in groups.items():
        rows: dict[str, dict[float, Row]] = {}
        for size, section in sorted(sized.items()):
            for row in section.rows:
                if row.kind != "exact":
                    rows.setdefault(row.label, {})[size] = row
        if len(sized) > 1:
            found.append(Sweep(bracketed(name, json.loads(rest)), key, rows, {label: label for label in rows}))
    return found


def _of_options(section: Section) -> list[Sweep]:
    groups: dict[str, dict[str, dict[float, Row]]] = {}
    for row in section.rows:
        for key, size in _sizes(row.options):
            name = bracketed(row.backend, json.loads(_rest(row.options, key)))
            words = [*row.variant.values(), *([f"@{row.run}"] if f"@{row.run}" in row.label else [])]
            groups.setdefault(key, {}).setdefault(" ".join([name, *words]), {})[size] = row
    found = []
    for key, rows in groups.items():
        rows = {name: dict(sorted(by_size.items())) for name, by_size in rows.items() if len(by_size) > 1}
        if rows:
            style = {name: next(iter(by_size.values())).label for name, by_size in rows.items()}
            found.append(Sweep(section.scenario, key, rows, style))
    return found


def _sizes(values: Mapping[str, Any]) -> list[tuple[str, float]]:
    return [
        (key, float(value))
        for key, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    ]


def _rest(values: Mapping[str, Any], key: str) -> str:
    return json.dumps({k: v for k, v in values.items() if k != key}, sort_keys=True)


def points(sweep: Sweep, rounds: Rounds) -> dict[str, list[tuple[float, float]]]:
    """{backend: (size, value of a round), by size and round}; failures, and what is not positive, left out."""
    values = {
        name: [(size, v) for size, row in by_size.items() for _, v in sorted(rounds(row).items()) if v > 0]
        for name, by_size in sweep.rows.items()
    }
    return {name: each for name, each in values.items() if each}


def seconds(row: Row) -> Mapping[int, float]:
    """Median seconds of the warm fits of a round."""
    return times(row.tables, MANY, row.score, finish=True)


def costs(row: Row) -> Mapping[int, float]:
    """Median seconds per gradient of the warm fits of a round."""
    scores, rep, number = (
        row.tables.scores("seconds_per_gradient"),
        row.tables.numbers("rep"),
        row.tables.numbers("round"),
    )
    rounds = dict(zip(rep.tolist(), number.tolist(), strict=True))
    kept = np.isin(scores.rep, rep)
    of = np.array([rounds[r] for r in scores.rep[kept].tolist()])
    return {int(k): v for k, v in medians(of, scores.value[kept]).items()}


def limit(row: Row) -> float | None:
    """Seconds in which the run's machine reads the data once from memory; None where that is not known."""
    cost, share = row.tables.scores("seconds_per_gradient"), row.tables.scores("roofline")
    known = dict(zip(cost.rep.tolist(), cost.value.tolist(), strict=True))
    pairs = zip(share.rep.tolist(), share.value.tolist(), strict=True)
    return next((value * known[rep] for rep, value in pairs if rep in known), None)
