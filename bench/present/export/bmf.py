"""Bencher's metric format: {benchmark: {measure: {value, lower_value, upper_value}}}."""

from __future__ import annotations

import json

from bench.present.export.points import Point, Points
from bench.types import digest_of

MOST_NAME = 1024
"""Characters of a benchmark's name that Bencher takes."""


def render(points: Points) -> str:
    """The run as BMF JSON; measures are named as metrics, with hyphens."""
    document: dict[str, dict[str, dict[str, float]]] = {}
    for point in points.values:
        document.setdefault(_name(point), {})[point.metric.replace("_", "-")] = _metric(point)
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _name(point: Point) -> str:
    if len(point.benchmark) <= MOST_NAME:
        return point.benchmark
    return f"{point.benchmark[: MOST_NAME - 20]}… {digest_of([point.cell])[:12]}"


def _metric(point: Point) -> dict[str, float]:
    if point.interval is None:
        return {"value": point.value}
    low, high = point.interval
    return {"value": point.value, "lower_value": low, "upper_value": high}
