"""What a row may have beside its features and its observation: an offset of the predictor, a number of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Arrays, Prior
from scenarios.families.common import checks, priors
from scenarios.families.regression.likelihood import Likelihood

KEYS: Mapping[str, str] = {
    "offset": "what is added to the predictor of each row, a distribution such as {uniform = [0, 2]} drawn afresh; of "
    "counts, the logarithm of an exposure; none when absent",
    "trials": "trials per row, a number or [least, most], drawn evenly from between",
}


def settings(table: Mapping[str, Any], law: Likelihood) -> dict[str, Any]:
    """The keys of the law's columns validated, None where the table has none; ScenarioError."""
    full: dict[str, Any] = {}
    for key in law.COLUMNS:
        value = table.get(key)
        if value is not None and key == "offset":
            prior = checks.prior_rule(key, value)
            full[key] = {prior.name: list(prior.args)}
        else:
            full[key] = None if value is None else _span(key, value)
    return full


def _span(key: str, value: object) -> list[int]:
    """[least, most] of whole numbers."""
    ends = value if isinstance(value, list | tuple) else [value, value]
    if len(ends) != 2:
        raise ScenarioError(key, value, "it must be a whole number or [least, most]")
    least = checks.integer(key, ends[0])
    return [least, checks.integer(key, ends[1], least=least)]


def rows(settings: Mapping[str, Any], n: int, like: Arrays, rng: np.random.Generator) -> dict[str, Array]:
    """Columns of n new rows {name: (n,)}: as the settings say, or where a data file has columns, rows of these."""
    if like:
        chosen = rng.integers(0, len(next(iter(like.values()))), n)
        return {name: values[chosen] for name, values in like.items()}
    drawn: dict[str, Array] = {}
    if (rule := settings.get("offset")) is not None:
        ((name, args),) = rule.items()
        drawn["offset"] = priors.draw(Prior(name, tuple(args)), (n,), rng)
    if (span := settings.get("trials")) is not None:
        drawn["trials"] = rng.integers(span[0], span[1], n, endpoint=True).astype(float)
    return drawn
