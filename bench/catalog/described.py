"""What a scenario is, in a few words: its model and how large its data are."""

from __future__ import annotations

import math

import numpy as np

from bench.data import family
from bench.errors import UsageError
from bench.types import Arrays, Scenario
from bench.words import format as fmt

MODELS = {"model": "own model", "varying_intercept": "linear", "grouped_regression": "grouped"}
"""Families whose name does not say what the model is."""
DESIGNS = {"correlation": "correlation", "condition_number": "condition number"}
"""{key of `features`: its words}."""


def in_words(scenario: Scenario) -> str:
    """`linear, 2 features (correlation 0.95), 100 rows`; of a model of the user's own, its number of parameters.

    Empty where its data cannot be read, which its fits will say.
    """
    try:
        return ", ".join(_parts(scenario))
    except UsageError:
        return ""


def _parts(scenario: Scenario) -> list[str]:
    settings, fam = scenario.settings, family(scenario.family)
    name = (str(settings.get("law") or "") or MODELS.get(scenario.family, scenario.family)).replace("_", " ")
    link = settings.get("link")
    size = {p.name: math.prod(p.shape) for p in fam.parameters(scenario)}
    parts = [name + (f" ({link} link)" if link else "")]
    if fam.OPAQUE:
        return [*parts, fmt.count(sum(size.values()), "parameter")]
    if width := size.get("weights", 0):
        design = settings.get("features") or {}
        hard = [f"{word} {design[key]:,.15g}" for key, word in DESIGNS.items() if design.get(key)]
        parts.append(fmt.count(width, "feature") + (f" ({', '.join(hard)})" if hard else ""))
    if isinstance(settings.get("n_obs"), int):
        rows = settings["n_obs"]
    else:
        arrays = _arrays(scenario)
        parts += [fmt.count(len(np.unique(arrays["group"])), "group")] if "group" in arrays else []
        rows = sum(len(values) for key, values in arrays.items() if key.startswith("y"))
    return [*parts, f"{rows:,} row{'s' * (rows != 1)}"]


def _arrays(scenario: Scenario) -> Arrays:
    """One data set of the scenario."""
    if scenario.design is not None:
        return scenario.design.arrays
    return family(scenario.family).simulate(scenario, np.random.default_rng(0)).arrays
