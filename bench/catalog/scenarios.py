"""Scenario files → validated `Scenario`s: every error names file, key, value and what is allowed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.catalog import designs, terms, toml
from bench.catalog.places import MODEL, kept_files, name_of, scenario_files
from bench.data import family
from bench.errors import ScenarioError, UsageError, unknown
from bench.families import code_of, families, family_file, source_digest
from bench.protocols import Family
from bench.types import PRIORS, Design, Prior, Scenario, beside, digest_of

TEXT = ("family", "description", "source")
OF_FORMULAS = frozenset({"link", "parametrisation", designs.IN_CHUNKS})
"""A family's own keys that may stand beside a formula, which says the rest."""
LARGEST = 1e100
"""No number of a prior is beyond this or, where it must be positive, below its inverse: squares stay finite."""
TABLES = ("priors", "start", "holdout", "predict", "data", "reference", "sweep")


def scenario(name: str, overrides: Mapping[str, Any] | None = None, along: Path | None = None) -> Scenario:
    """The scenario of that name with `overrides` ({dotted key: value}) applied; UsageError if it cannot be.

    Those that the folder `along` brings along (see `bench.catalog.kept`) come before the catalog's.
    """
    kept = kept_files(along) if along else {}
    files = kept if name in kept else scenario_files()
    if name not in files and along:
        place = along / "scenarios" / name
        if os.path.lexists(place):
            raise UsageError(f"{place} is or has a symbolic link, which is not followed")
        raise UsageError(f"scenario {name} is neither in the catalog nor kept as {place}/{name}.toml")
    if name not in files:
        raise unknown("scenario", name, files)
    return load(files[name], overrides)


def load(file: Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Read and validate one scenario file; ScenarioError (a UsageError) names file, key, value and what is allowed."""
    if signs := "".join(sign for sign in "[],*?" if sign in name_of(file)):
        raise UsageError(f"{file.name}: a name with any of {signs} could not be chosen; rename the file")
    table = toml.read(file)
    try:
        for dotted, value in (overrides or {}).items():
            _override(table, dotted, value)
        return _validated(table, file, dict(overrides or {}))
    except ScenarioError as error:
        if error.key in (overrides or {}) and "must be a list" in error.allowed:
            error.allowed += f"; a list of values is a sweep, one list is written {error.key}=[[…]]"
        raise error.at(f"{name_of(file)}/{MODEL}" if file.name == MODEL else file.name) from None


def _override(table: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for key in path:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ScenarioError(dotted, value, f"{key} is {inner!r}, not a table")
        table = inner
    table[last] = value


def _validated(table: dict[str, Any], file: Path, overrides: dict[str, Any]) -> Scenario:
    tables = {key: table.get(key, {}) for key in TABLES}
    for key, value in tables.items():
        if not isinstance(value, dict):
            raise ScenarioError(key, value, "a table")
    by_formula = "formula" in table
    if "parameters" in table:
        table = {"family": "model", **table}
    words = {key: _text({"family": designs.family_of(table), **table} if by_formula else table, key) for key in TEXT}
    fam = _family(words["family"])
    allowed = (
        [*designs.KEYS, *TEXT[1:], *TABLES, *(OF_FORMULAS & fam.KEYS.keys())]
        if by_formula
        else [*TEXT, *TABLES, *fam.KEYS]
    )
    for key, value in table.items():
        if key not in allowed:
            raise ScenarioError(key, value, f"allowed keys: {', '.join(sorted(allowed))}")
    design = designs.find(file, table) if by_formula else None
    own = {k: table[k] for k in fam.KEYS if k in table}
    if design is not None and not {"bias", "mu"} & design.labels.keys():
        own["bias"] = "none"
    settings = fam.settings(own, fixed=bool(tables["data"]))
    scenario = Scenario(
        name=name_of(file),
        family=words["family"],
        description=words["description"],
        source=words["source"],
        file=str(file),
        settings=settings,
        priors=_priors(tables["priors"], fam, settings, design),
        start=tables["start"],
        holdout=tables["holdout"],
        predict=tables["predict"],
        data=tables["data"],
        sweep=_sweep(tables["sweep"], fam),
        overrides=overrides,
        digest="",
        design=design,
        reference=_reference(tables["reference"], file),
    )
    fam.check(scenario)
    return replace(scenario, digest=_digest(table, scenario))


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (key == "family" and not value):
        raise ScenarioError(key, value, f"one of {', '.join(families())}" if key == "family" else "a text")
    return value


def _family(name: str) -> Family:
    if name not in families():
        raise ScenarioError("family", name, f"one of {', '.join(families())}")
    return family(name)


def _priors(
    table: Mapping[str, Any], fam: Family, settings: Mapping[str, Any], design: Design | None
) -> dict[str, Prior]:
    allowed = fam.priors_of(settings)
    if design is not None:
        return terms.priors(table, design, _prior, allowed, fam.link_of(settings))
    for key, value in table.items():
        if key not in allowed:
            raise ScenarioError(f"priors.{key}", value, f"the parameters are {', '.join(allowed)}")
    named = {key: _prior(f"priors.{key}", table[key], allowed[key]) for key in allowed if key in table}
    return {**{name: prior for name, prior in fam.PRIOR_DEFAULTS.items() if name in allowed}, **named}


def _prior(key: str, value: Any, allowed: tuple[str, ...]) -> Prior:
    forms = "; ".join(f"{name} = [{', '.join(PRIORS[name])}]" if PRIORS[name] else f'"{name}"' for name in allowed)
    name, args = (value, []) if isinstance(value, str) else next(iter(value.items())) if _one_entry(value) else ("", [])
    if name not in allowed:
        raise ScenarioError(key, value, f"one of {forms}")
    if isinstance(args, dict):
        if set(args) != set(PRIORS[name]):
            raise ScenarioError(key, value, f"{name} takes {', '.join(PRIORS[name])}")
        args = [args[arg] for arg in PRIORS[name]]
    args = args if isinstance(args, list) else [args]
    if len(args) != len(PRIORS[name]) or not all(_finite(a) for a in args):
        raise ScenarioError(key, value, f"{name} takes {len(PRIORS[name])} finite numbers: {', '.join(PRIORS[name])}")
    named = dict(zip(PRIORS[name], map(float, args), strict=True))
    for arg in ("scale", "rate", "df"):
        if named.get(arg, 1.0) <= 0:
            raise ScenarioError(key, value, f"{arg} must be above 0")
        if named.get(arg, 1.0) < 1 / LARGEST:
            raise ScenarioError(key, value, f"{arg} must be at least {1 / LARGEST:g}")
    if name == "known" and named["value"] <= 0:
        raise ScenarioError(key, value, "a known value must be above 0")
    if name == "uniform" and named["low"] >= named["high"]:
        raise ScenarioError(key, value, "low must be below high")
    return Prior(name, tuple(named.values()))


def _reference(table: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """The `[reference]` table, which says nothing of data or model; ScenarioError."""
    if not table:
        return table
    if len(table) != 1 or not table.keys() <= {"file", "draws"}:
        allowed = "one key: file, as bench reference writes it, or draws, arrays (chain, draw, …) by parameter"
        raise ScenarioError("reference", table, allowed)
    ((key, value),) = table.items()
    place = beside(file, value)
    if place is None or place.suffix != ".npz" or not place.is_file():
        raise ScenarioError(f"reference.{key}", value, "it must name a .npz file in or below the scenario's folder")
    return table


def _sweep(table: Mapping[str, Any], fam: Family) -> dict[str, tuple[Any, ...]]:
    for key, value in table.items():
        if key.partition(".")[0] not in {*fam.KEYS, *TABLES}:
            raise ScenarioError(f"sweep.{key}", value, f"a key of this scenario: {', '.join(fam.KEYS)}")
        if not isinstance(value, list) or not value:
            raise ScenarioError(f"sweep.{key}", value, "a list of values")
    return {key: tuple(value) for key, value in table.items()}


def _one_entry(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _digest(table: Mapping[str, Any], scenario: Scenario) -> str:
    code = code_of(Path(scenario.file).parent) if family(scenario.family).OPAQUE else []
    parts: list[Any] = [
        *(file.read_text(encoding="utf-8", errors="replace") for file in code),
        {k: v for k, v in table.items() if k != "reference"},
        source_digest(family_file(scenario.family)),
    ]
    if scenario.data_file is not None:
        with scenario.data_file.open("rb") as stream:
            parts.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return digest_of(parts)[:16]
