"""A history as a JSON document, in full precision."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.compare.measures import Measure
from bench.compare.series import Series
from bench.present.history import words

SCHEMA = 1


def render(found: list[Series], measure: Measure, *, level: float, code: int) -> dict[str, Any]:
    """Every series with all its points; `exit` is the exit code."""
    return {
        "schema": SCHEMA,
        "metric": measure.name,
        "unit": measure.unit,
        "better": "lower" if measure.lower_is_better else "higher",
        "scale": measure.scale,
        "threshold": measure.threshold,
        "false_alarm_level": level,
        "headline": words.headline(found, measure),
        "exit": code,
        "series": [{**asdict(one), "ends_worse": one.ends_worse} for one in found],
    }
