"""Files of github-action-benchmark: its tools `customSmallerIsBetter` and `customBiggerIsBetter`."""

from __future__ import annotations

import json
from typing import Any

from bench.present.export.points import LEVEL, Point, Points
from bench.words import format as fmt

SMALLER, BIGGER = "smaller-is-better.json", "bigger-is-better.json"
"""One file per direction: the action takes a direction per file."""


def files(points: Points) -> dict[str, str]:
    """{file name: a JSON list of {name, unit, value, range, extra}}."""
    return {
        name: json.dumps(
            [_entry(p, points.facts) for p in points.values if p.lower_is_better is lower],
            indent=1, allow_nan=False, ensure_ascii=False,
        ) + "\n"
        for name, lower in ((SMALLER, True), (BIGGER, False))
    }  # fmt: skip


def _entry(point: Point, facts: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"{point.benchmark} {point.metric}",
        "unit": point.unit or "1",
        "value": point.value,
    }
    if point.interval is not None:
        low, high = map(fmt.significant, point.interval)
        entry["range"] = f"{low} to {high} ({LEVEL:.0%}, {point.counted})"
    about = f"median of {fmt.count(point.fits, 'fit')}" if point.counted.find("planned") < 0 else point.counted
    entry["extra"] = "\n".join(filter(None, [about, f"cell {point.cell}", *facts.split("; ")]))
    return entry
