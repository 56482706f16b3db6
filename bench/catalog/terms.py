"""Priors of a formula's terms by their names, and weakly informative ones where a scenario says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench import chunks
from bench.errors import ScenarioError
from bench.types import Design, Prior

WIDE = 2.5
"""Default prior sd of a coefficient, on the scale of the observations' sd (or the link's unit) per sd of its column.

The scales are those of rstanarm (Goodrich, Gabry, Ali & Brilleman 2020), and the intercept's is widened by what moving
the columns' means to 0 would have taken from it.
"""
COEFFICIENTS = ("normal", "student_t", "cauchy", "flat")
"""Kinds whose arguments may differ from term to term."""
INTERCEPT = "Intercept"


def priors(
    table: Mapping[str, Any],
    design: Design,
    read: Callable[[str, Any, tuple[str, ...]], Prior],
    allowed: Mapping[str, tuple[str, ...]],
    link: str,
) -> dict[str, Prior]:
    """{parameter: prior} of a `[priors]` table whose keys are terms, their labels, `Intercept`, `weights` and scales.

    `read(key, value, kinds)` reads one entry, `allowed` {parameter: kinds} and `link` are the family's. ScenarioError.
    """
    usual = defaults(design, allowed, link)
    named = _targets(design)
    labels = design.labels.get("weights", ())
    each = dict(zip(labels, _each(usual["weights"], len(labels)), strict=True)) if labels else {}
    for key in sorted(table, key=lambda key: -len(named.get(key, ()))):  # what says more of fewer comes last
        if key in named:
            each |= dict.fromkeys(named[key], read(f"priors.{key}", table[key], allowed["weights"]))
    intercept = "mu" if "mu" in allowed else "bias"
    known = {**{name: name for name in allowed if name != "weights"}, INTERCEPT: intercept}
    for key, value in table.items():
        if key in known and (known[key] != "bias" or "bias" in design.labels):
            usual[known[key]] = read(f"priors.{key}", value, allowed[known[key]])
        elif key not in named:
            names = [*named, *(name for name in known if name not in ("bias", "mu"))]
            raise ScenarioError(f"priors.{key}", value, f"the terms and scales are {', '.join(names)}")
    if labels:
        usual["weights"] = _together(list(each.values()), list(each))
    return usual


def defaults(design: Design, allowed: Mapping[str, tuple[str, ...]], link: str) -> dict[str, Prior]:
    """The priors of a scenario that says nothing, each argument rounded to three digits, so that it can be written."""
    x, y = design.arrays["x"], design.arrays["y"]
    (middle, sds), (mean_y, sd_y) = chunks.moments(x), chunks.moments(y)
    mean, spread = (float(mean_y), float(sd_y) or 1.0) if link == "identity" else (_link_mean(design, link), 1.0)
    sds = np.where(sds > 0.0, sds, 1.0)
    wide = WIDE * spread * float(np.sqrt(1.0 + np.square(middle / sds).sum()))
    usual = {"mu" if "mu" in allowed else "bias": Prior("normal", (_rounded(mean), _rounded(wide)))}
    if not {"mu", "bias"} & design.labels.keys():
        usual = {}
    if x.shape[1]:
        scales = tuple(_rounded(WIDE * spread / sd) for sd in sds)
        usual["weights"] = Prior("normal", (0.0, scales[0] if len(set(scales)) == 1 else scales))
    for name in ("sigma", "tau"):
        if name in allowed:
            usual[name] = Prior("exponential", (_rounded(1.0 / spread),))
    if "df" in allowed:
        usual["df"] = Prior("known", (4.0,))
    for name in {"phi", "shape"} & allowed.keys():
        usual[name] = Prior("log_normal", (1.0, 1.5))
    return usual


def _link_mean(design: Design, link: str) -> float:
    """The predictor at the mean of all observations, of half a count where all are 0; 0 of probabilities."""
    y, offset = design.arrays["y"], design.arrays.get("offset", np.zeros(1))
    return float(np.log((float(y.sum()) or 0.5) / len(y)) - offset.mean()) if link == "log" else 0.0


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _targets(design: Design) -> dict[str, tuple[str, ...]]:
    """{what a key of `[priors]` may say: the labels it stands for}, `weights` for all."""
    labels = design.labels.get("weights", ())
    return {"weights": labels, **design.terms, **{label: (label,) for label in labels}} if labels else {}


def _each(prior: Prior, size: int) -> list[Prior]:
    columns = [np.broadcast_to(np.array(value), size).tolist() for value in prior.args]
    return [Prior(prior.name, tuple(values)) for values in zip(*columns, strict=True)] if columns else [prior] * size


def _together(each: list[Prior], labels: list[str]) -> Prior:
    """One prior of all coefficients; ScenarioError where their kinds differ."""
    kinds = sorted({prior.name for prior in each})
    if len(kinds) > 1 or (kinds[0] not in COEFFICIENTS and len(set(each)) > 1):
        first = {prior.name: label for prior, label in reversed(list(zip(each, labels, strict=True)))}
        said = " and ".join(f"{kind} ({first[kind]})" for kind in kinds)
        allowed = "the coefficients need one kind of prior, whose numbers may differ; give one for weights = to set all"
        raise ScenarioError("priors", said, allowed)
    if len(set(each)) == 1:
        return each[0]
    return Prior(kinds[0], tuple(zip(*(prior.args for prior in each), strict=True)))


def base(design: Design, column: str) -> str:
    """The category that the others of a column are held against; none where it groups rows and is no term besides."""
    coded = any(f"{column}[" in label for label in design.labels.get("weights", ()))
    return design.levels[column][0] if coded else ""


def assumed(design: Design, chosen: Mapping[str, Prior]) -> dict[str, str]:
    """{term or scale: prior in words}, term by term, for whoever wants to see what was understood."""
    said: dict[str, str] = {}
    labels = design.labels.get("weights", ())
    for name, prior in chosen.items():
        if name == "weights":
            said |= dict(zip(labels, map(str, _each(prior, len(labels))), strict=True))
        else:
            said[INTERCEPT if name in ("bias", "mu") else name] = str(prior)
    return said
