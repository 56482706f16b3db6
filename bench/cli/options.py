"""Options that several verbs share, and files of options."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.catalog import toml
from bench.errors import UsageError, shown
from bench.options import choice, integer, limits, positive, size, word
from bench.selection import parse
from bench.words.reading import as_type

__all__ = ["choice", "config", "integer", "limits", "positive", "size", "word"]

FORMATS = ("text", "markdown", "json")
"""Forms in which a judgement is printed."""

Texts = list[str] | None
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name or path of a run; `latest` is the newest.")]
Scenarios = Annotated[
    Texts, typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="Scenario name or glob; a list value sweeps.")
]
Backends = Annotated[
    Texts, typer.Option("--backend", "-b", metavar="NAME[k=v,…]", help="Backend name or glob, with its options.")
]
Contenders = Annotated[
    Texts,
    typer.Option("--backend", "-b", metavar="NAME", help="Backend name or glob, with or without its options."),
]
"""Backends of a run that exists."""
Budget = Annotated[str | None, typer.Option(help="quick, standard or thorough. [default: quick]")]
Track = Annotated[
    str | None,
    typer.Option(help="matched (same settings for all) or defaults (as each framework ships). [default: matched]"),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda or auto. [default: the suite's, or cpu]")]
Dtype = Annotated[
    str | None,
    typer.Option(help="float64 or float32. [default: float64; on the track defaults the framework's own]"),
]
Seed = Annotated[int | None, typer.Option(help="Root of every seed. [default: 0]")]
Threads = Annotated[int | None, typer.Option(help="CPUs per child. [default: all usable]")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Resident memory per child, such as 4G.")]
Results = Annotated[Path, typer.Option(help="Folder of the runs.")]
ConfigFile = Annotated[Path | None, typer.Option(help="TOML file of these options; the command line wins.")]
Executor = Annotated[
    str | None,
    typer.Option(
        metavar="local|dask|tcp://HOST:PORT|FILE.toml",
        help="Where fits are made: here one after the other, in slots here, or on other machines. [default: local]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OutcomeJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")]
Form = Annotated[str, typer.Option("--format", help="text, markdown or json.")]
FailOn = Annotated[
    Texts, typer.Option("--fail-on", metavar="EXPR", help="What alone fails (and its threshold); may be repeated.")
]
Threshold = Annotated[
    Texts, typer.Option("--threshold", metavar="EXPR", help="How large a change counts, in the form of --fail-on.")
]
Metric = Annotated[Texts, typer.Option("--metric", "-m", help="Compare these metrics instead of the default ones.")]
All = Annotated[bool, typer.Option("--all", help="Every row, not only what changed (json has all).")]


def scenario_file(text: str) -> str:
    """A selector that is a path; UsageError for a name, which goes after -s."""
    if not parse(text).is_path:
        raise UsageError(f"{shown(text)} is no path of a scenario file, nor a model's FOLDER/; a name goes after -s")
    return text


def named(values: Mapping[str, Any], keys: Container[str]) -> dict[str, Any]:
    """Those of the options `keys` that the user named."""
    return {key: value for key, value in values.items() if key in keys and value not in (None, [])}


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
