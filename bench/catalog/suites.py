"""Suite files: named lists of scenario × backend × budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.catalog import toml
from bench.catalog.places import suite_files
from bench.errors import UsageError, shown, unknown


@dataclass(frozen=True, slots=True)
class Entry:
    """Every scenario selector × every backend selector of one `[[fits]]` table, under one budget (None: the user's)."""

    scenarios: tuple[str, ...]
    backends: tuple[str, ...]
    budget: str | None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite file."""

    name: str
    description: str
    entries: tuple[Entry, ...]


def suite(name: str) -> Suite:
    """The suite of that name; UsageError if unknown or malformed."""
    files = suite_files()
    if name not in files:
        raise unknown("suite", name, files)
    where = files[name].name
    table = toml.read(files[name])
    _only(table, {"description", "fits"}, where)
    fits, description = table.get("fits"), table.get("description", "")
    if not isinstance(description, str):
        raise UsageError(f"{where}: description = {shown(description)} is not allowed; a text")
    if not isinstance(fits, list) or not fits or not all(isinstance(fit, dict) for fit in fits):
        raise UsageError(f"{where}: fits = {shown(fits)} is not allowed; one or more [[fits]] tables")
    return Suite(name, description, tuple(_entry(fit, where) for fit in fits))


def _entry(fit: dict[str, Any], where: str) -> Entry:
    _only(fit, {"scenario", "backend", "budget"}, where)
    budget = fit.get("budget")
    if budget is not None and not isinstance(budget, str):
        raise UsageError(f"{where}: budget = {shown(budget)} is not allowed; the name of a budget")
    return Entry(_names(fit, "scenario", where), _names(fit, "backend", where), budget)


def _names(fit: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = fit.get(key)
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise UsageError(f"{where}: {key} = {shown(value)} is not allowed; a name or a list of names")
    return tuple(names)


def _only(table: dict[str, Any], allowed: set[str], where: str) -> None:
    for key, value in table.items():
        if key not in allowed:
            raise UsageError(
                f"{where}: {key} = {shown(value)} is not allowed; allowed keys: {', '.join(sorted(allowed))}"
            )
