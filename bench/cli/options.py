"""Options that several verbs share, and files of options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.catalog import toml
from bench.options import choice, limits, positive, size, whole, word
from bench.words.reading import as_type

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
    import msgspec

    texts = Annotated[list[str], msgspec.Meta(description="a text or a list of texts")]
    keys = [(key, texts if type_ is list else type_, None) for key, type_ in allowed.items()]
    table = toml.listed(toml.read(path, f"--config {path}"), *(key for key, type_ in allowed.items() if type_ is list))
    chosen = as_type(table, msgspec.defstruct("Config", keys, forbid_unknown_fields=True), str(path))
    return {key: getattr(chosen, key) for key in table}
