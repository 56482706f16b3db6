"""Suite files: named lists of scenario × backend × budget."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from bench.catalog import toml
from bench.catalog.places import suite_files
from bench.errors import unknown
from bench.types import Device, DType
from bench.words.reading import as_type

Names = Annotated[tuple[str, ...], Meta(min_length=1, description="a name or a list of names")]


class Entry(
    Struct, frozen=True, forbid_unknown_fields=True,
    rename={"scenarios": "scenario", "backends": "backend", "devices": "device", "dtypes": "dtype"},
):  # fmt: skip
    """Every scenario × backend × device × dtype of one `[[fits]]` table, under one budget (None: the user's).

    The user's device and dtype come before these; without `dtype` the track decides.
    """

    scenarios: Names
    backends: Names
    budget: Annotated[str | None, Meta(description="the name of a budget")] = None
    devices: Annotated[tuple[Device, ...], Meta(min_length=1, description="cpu, cuda or a list of both")] = ("cpu",)
    dtypes: Annotated[tuple[DType, ...], Meta(description="float64, float32 or a list of both")] = ()


class Suite(Struct, frozen=True, forbid_unknown_fields=True, rename={"entries": "fits"}):
    """A suite file."""

    entries: Annotated[tuple[Entry, ...], Meta(min_length=1)]
    description: str = ""


def suite(name: str) -> Suite:
    """The suite of that name; UsageError if unknown or malformed."""
    files = suite_files()
    if name not in files:
        raise unknown("suite", name, files)
    table = toml.read(files[name])
    if isinstance(fits := table.get("fits"), list):
        table["fits"] = [toml.listed(fit, "scenario", "backend", "device", "dtype") for fit in fits]
    return as_type(table, Suite, files[name].name)
