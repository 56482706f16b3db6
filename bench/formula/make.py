"""A formula and its data file → the design: arrays of a family, and the words by which its columns are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.catalog import designs, scenarios
from bench.errors import ScenarioError
from bench.formula import table as tables
from bench.formula.maker import Maker
from bench.formula.terms import Parsed, parse
from bench.types import Design, Scenario


def load(file: Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """As `bench.catalog.scenarios.load`; the design of a formula is made where it is not kept."""
    try:
        return scenarios.load(file, overrides)
    except designs.NoDesign as missing:
        try:
            designs.remember(missing.name, make(missing.file, missing.table))
        except ScenarioError as error:
            raise error.at(file.name) from None
        return scenarios.load(file, overrides)


def make(file: Path, table: Mapping[str, Any]) -> Design:
    """The design of a scenario file with that content; ScenarioError says what is wrong with formula or data."""
    settings = _settings(table)
    if "chunk_rows" in table:
        from bench.formula import chunked

        return chunked.make(file, table, settings)
    cells = tables.read(file.parent / settings["file"], settings["file"], settings)
    parsed, beside, names = needed(cells, table, settings)
    return Maker(cells, parsed, table, settings, beside, tables.used(cells, names)).design()


def needed(
    cells: tables.Table, table: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[Parsed, dict[str, str], list[str]]:
    """The formula, what stands beside it {offset, trials, frequency: column}, and the columns of the file they need."""
    beside: dict[str, str] = {key: str(settings[key]) for key in ("offset", "trials", "frequency") if key in settings}
    parsed = parse(table["formula"], [n for n in cells.cells.columns if n not in beside.values()])
    if parsed.offset:
        if "offset" in beside:
            raise ScenarioError("data.offset", beside["offset"], "the formula has an offset, too")
        beside["offset"] = parsed.offset
    plain = {key: name for key, name in beside.items() if key != "offset" or not parsed.offset}
    names = [*parsed.columns, *([parsed.group] if parsed.group else []), *plain.values()]
    order = {name: place for place, name in enumerate(cells.cells.columns)}
    return parsed, beside, sorted(dict.fromkeys(names), key=lambda name: order.get(name, -1))


def _settings(table: Mapping[str, Any]) -> dict[str, Any]:
    data, holdout = dict(table["data"]), dict(table.get("holdout", {}))
    for name, given, known in (("data", data, designs.DATA), ("holdout", holdout, designs.HOLDOUT)):
        for key in given.keys() - set(known):
            raise ScenarioError(f"{name}.{key}", given[key], f"beside a formula its keys are {', '.join(known)}")
    allowed: dict[str, tuple[Any, str]] = {
        "missing": (lambda v: v in ("refuse", "drop"), '"refuse" (the default) or "drop"'),
        "standardise": (lambda v: isinstance(v, bool), "true or false"),
        "separator": (lambda v: v in tables.SEPARATORS, f"one of {', '.join(map(repr, tables.SEPARATORS))}"),
        "decimal": (lambda v: v in (".", ","), '"." or ","'),
        **dict.fromkeys(("file", "offset", "trials", "frequency"), (lambda v: isinstance(v, str) and v, "a text")),
    }
    for key, value in data.items():
        if not allowed[key][0](value):
            raise ScenarioError(f"data.{key}", value, f"it must be {allowed[key][1]}")
    share, seed = holdout.get("share", 0.0), holdout.get("seed", 0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise ScenarioError("holdout.share", share, "it must be a number of at least 0 and below 1")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ScenarioError("holdout.seed", seed, "it must be a whole number of at least 0")
    return {"missing": "refuse", "standardise": False, **data, "share": float(share), "seed": seed}
