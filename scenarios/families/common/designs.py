"""Feature designs of regressions: how rows of x are drawn, and what a scenario file may say about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array
from scenarios.families.common import checks

DESIGNS: Mapping[str, tuple[str, ...]] = {
    "normal": (),
    "uniform": ("low", "high"),
    "multivariate_normal": ("correlation", "condition_number"),
}


def settings(value: object) -> dict[str, Any]:
    """`"normal"`, `"uniform"` or a table, as a full table {design, its arguments, constant_columns}."""
    allowed = ["design", "constant_columns", *(arg for args in DESIGNS.values() for arg in args)]
    table = checks.table("features", {"design": value} if isinstance(value, str) else value, allowed)
    design = table.get("design", "normal")
    if not isinstance(design, str) or design not in DESIGNS:
        raise ScenarioError("features", design, f"designs are {', '.join(DESIGNS)}")
    for key in table.keys() - {"design", "constant_columns", *DESIGNS[design]}:
        raise ScenarioError(f"features.{key}", table[key], f"the {design} design has no such key")
    constants = checks.numbers("features.constant_columns", table.get("constant_columns", [0.0]))
    full: dict[str, Any] = {"design": design, "constant_columns": constants if "constant_columns" in table else []}
    if design == "uniform":
        low, high = table.get("low", 0.0), table.get("high", 1.0)
        full["low"] = checks.number("features.low", low)
        full["high"] = checks.number("features.high", high, above=full["low"])
    if design == "multivariate_normal":
        full |= _covariance_settings(table)
    return full


def _covariance_settings(table: Mapping[str, Any]) -> dict[str, Any]:
    keys = [key for key in DESIGNS["multivariate_normal"] if key in table]
    if len(keys) != 1:
        raise ScenarioError("features", dict(table), "give either correlation or condition_number")
    value = checks.number(f"features.{keys[0]}", table[keys[0]])
    if keys[0] == "correlation" and not -1.0 < value < 1.0:
        raise ScenarioError("features.correlation", value, "it must lie strictly between -1/(J - 1) and 1")
    if keys[0] == "condition_number" and value < 1.0:
        raise ScenarioError("features.condition_number", value, "it must be at least 1")
    return {keys[0]: value}


def check_width(features: Mapping[str, Any], n_features: int) -> None:
    """Refuse what a design of that many columns, constant ones included, cannot have."""
    drawn = n_features - len(features["constant_columns"])
    if drawn < 1:
        raise ScenarioError("features.constant_columns", features["constant_columns"], "fewer than n_features values")
    if drawn > 1 and features.get("correlation", 0.0) <= -1.0 / (drawn - 1):
        limit = f"it must lie strictly between {-1.0 / (drawn - 1):g} and 1 for {drawn} features"
        raise ScenarioError("features.correlation", features["correlation"], limit)
    if drawn < 2 and features["design"] == "multivariate_normal":
        raise ScenarioError("features.design", features["design"], "a multivariate design needs 2 features or more")


def covariance_root(features: Mapping[str, Any], n_features: int, rng: np.random.Generator) -> Array | None:
    """A matrix L (J, J) whose L·Lᵀ is the covariance of the drawn columns; None where they are independent.

    `correlation` ρ is compound symmetry: unit variances, every correlation ρ. `condition_number` κ is that of L, the
    population design (the covariance has κ²): eigenvalues of the covariance are log-spaced over [κ⁻², 1], scaled to
    mean 1, and rotated by a matrix drawn uniformly from the orthogonal group, so the average variance is 1.
    """
    width = n_features - len(features["constant_columns"])
    if "correlation" in features:
        rho = features["correlation"]
        return np.linalg.cholesky((1.0 - rho) * np.eye(width) + rho)
    if "condition_number" in features:
        scales = np.logspace(0.0, -math.log10(features["condition_number"]), width)
        scales /= math.sqrt(float(np.mean(scales**2)))
        q, r = np.linalg.qr(rng.standard_normal((width, width)))
        # Without the signs of R's diagonal, Q is not uniform over rotations (Mezzadri 2007, math-ph/0609050).
        return np.asarray(q * np.sign(np.diag(r)) * scales)
    return None


def rows(features: Mapping[str, Any], shape: tuple[int, int], root: Array | None, rng: np.random.Generator) -> Array:
    """Draw (n, J) feature rows, constant columns last; `root` as `covariance_root` gave it."""
    n, width = shape[0], shape[1] - len(features["constant_columns"])
    if features["design"] == "uniform":
        x = rng.uniform(features["low"], features["high"], (n, width))
    else:
        x = rng.standard_normal((n, width))
        if root is not None:
            x = x @ root.T
    return _with_constants(features, x)


def rows_between(
    features: Mapping[str, Any], shape: tuple[int, int], span: tuple[float, float], rng: np.random.Generator
) -> Array:
    """(n, J) rows over `span`, whatever the design: equally spaced for one drawn column, else independent uniform."""
    n, width = shape[0], shape[1] - len(features["constant_columns"])
    x = np.linspace(*span, n)[:, None] if width == 1 else rng.uniform(*span, (n, width))
    return _with_constants(features, x)


def _with_constants(features: Mapping[str, Any], x: Array) -> Array:
    constants = np.asarray(features["constant_columns"], dtype=float)
    return np.hstack([x, np.broadcast_to(constants, (len(x), constants.size))])
