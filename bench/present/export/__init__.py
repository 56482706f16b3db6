"""A run's numbers as files for tools that follow them over commits: tables in, text out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.analysis.tables import RunTables
from bench.comparison.measures import MEASURES
from bench.present.export import bmf, github, summary
from bench.present.export.points import DEFAULT, Points, collect
from bench.present.export.summary import FILE as SUMMARY

__all__ = ["DEFAULT", "FORMATS", "MEASURES", "SUMMARY", "files"]

FORMATS: Mapping[str, Callable[[RunTables, Points], dict[str, str]]] = {
    "github": lambda _, points: github.files(points),
    "bmf": lambda _, points: {"bmf.json": bmf.render(points)},
    "summary": lambda tables, points: {summary.FILE: summary.render(tables, points)},
}
"""{name: (tables, points) → {file name: text}}."""


def files(tables: RunTables, formats: Iterable[str], metrics: Sequence[str] = DEFAULT) -> dict[str, str]:
    """{file name: text} of a run in these of `FORMATS`; the same tables give the same bytes."""
    points = collect(tables, metrics)
    return {name: text for form in formats for name, text in FORMATS[form](tables, points).items()}
