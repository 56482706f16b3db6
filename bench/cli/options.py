"""Options that several verbs share, and files of options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.catalog import toml
from bench.errors import UsageError, shown, unknown
from bench.options import choice, limits, positive, size, whole, word

__all__ = ["choice", "config", "limits", "positive", "size", "whole", "word"]

Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="Scenario name or glob; a list value sweeps."),
]
Backends = Annotated[
    list[str] | None,
    typer.Option("--backend", "-b", metavar="NAME[k=v,…]", help="Backend name or glob, with its options."),
]
Budget = Annotated[str | None, typer.Option(help="quick, standard or thorough. [default: quick]")]
Track = Annotated[
    str | None,
    typer.Option(help="matched (same settings for all) or defaults (as each framework ships). [default: matched]"),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or auto. [default: cpu]")]
Dtype = Annotated[
    str | None,
    typer.Option(help="float64 or float32. [default: float64; on the track defaults the framework's own]"),
]
Seed = Annotated[int | None, typer.Option(help="Root of every seed. [default: 0]")]
Threads = Annotated[int | None, typer.Option(help="CPUs per child. [default: all usable]")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Resident memory per child, such as 4G.")]


def config(path: Path | None, allowed: dict[str, type]) -> dict[str, Any]:
    """A TOML file of long option names; UsageError names file, key, value and what is allowed."""
    if path is None:
        return {}
    table = toml.read(path, f"--config {path}")
    for key, value in table.items():
        if key not in allowed:
            raise UsageError(f"{path}: {unknown('key', key, allowed)}")
        wanted = allowed[key]
        if wanted is list and isinstance(value, str):
            table[key] = value = [value]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            # no larger one is allowed anywhere, and Python cannot make a float of every integer
            table[key] = value = float(min(max(value, -(10**300)), 10**300))
        listed = wanted is not list or (isinstance(value, list) and all(isinstance(v, str) for v in value))
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool) or not listed:
            raise UsageError(f"{path}: {key} = {shown(value)} is not allowed; {wanted.__name__}")
    return table
