"""A comparison as a JSON document: full precision, no NaN, no infinity."""

from __future__ import annotations

import math
from typing import Any

from bench.compare.rows import Comparison, Row
from bench.present.comparison import words

SCHEMA = 1


def render(made: Comparison, *, code: int) -> dict[str, Any]:
    """Every row whatever its verdict; `exit` is the exit code. An infinite end of an interval is null."""
    return {
        "schema": SCHEMA,
        "a": made.a,
        "b": made.b,
        "outcome": made.outcome,
        "exit": code,
        "headline": words.headline(made),
        "cells": made.cells,
        "level": made.level,
        "tests": made.tests,
        "counts": made.counts(),
        "machine": list(made.machine),
        "harness": list(made.harness),
        "versions": list(made.versions),
        "fail_on": list(made.gates),
        "unchecked": list(made.unchecked),
        "warnings": list(made.warnings),
        "rows": [_row(row) for row in made.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    e = row.estimate
    return {
        "cell": row.cell,
        "scenario": row.scenario,
        "backend": row.backend,
        "metric": row.metric,
        "verdict": row.verdict,
        "regression": row.regression,
        "advisory": row.advisory,
        "scale": row.scale,
        "unit": row.unit,
        "threshold": row.threshold,
        "a": _finite(row.a),
        "b": _finite(row.b),
        "change": _finite(row.change),
        "low": _finite(low),
        "high": _finite(high),
        "hides": _finite(row.hides),
        "per": row.per,
        "paired": e.paired if e else None,
        "n_a": e.n_a if e else None,
        "n_b": e.n_b if e else None,
        "p_value": e.p_value if e else None,
        "reason": row.reason,
        "flags": list(row.flags),
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
