"""Options that several verbs share, and reading of their values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bench.catalog import toml
from bench.errors import UsageError, shown, unknown

if TYPE_CHECKING:
    from bench.measure.job import Limits
    from bench.plan import Choice

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

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LEAST, MOST = 2.0**20, 2.0**60


def size(text: str) -> int:
    """Bytes of `500M`, `4G`, `1.5GiB`, `1073741824`; UsageError."""
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    found = float(match[1]) * UNITS[match[2].upper()] if match else 0.0
    if not LEAST <= found <= MOST:
        raise UsageError(f"--memory {shown(text)} is not allowed; a size such as 500M or 4G, at least 1M")
    return int(found)


def word(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """A value out of a few; UsageError."""
    if value not in allowed:
        raise UsageError(f"--{name} {shown(value)} is not allowed; one of {', '.join(allowed)}")
    return value


def whole(name: str, value: int | None, least: int) -> int | None:
    """A whole number of at least `least` and at most a million (a seed: 2⁶³), or None; UsageError."""
    if value is not None and value < least:
        raise UsageError(f"--{name} {shown(value)} is not allowed; at least {least}")
    most = 2**63 - 1 if name == "seed" else 10**6
    if value is not None and value > most:
        raise UsageError(f"--{name} {shown(value)} is not allowed; at most {most}")
    return value


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


def choice(chosen: dict[str, Any]) -> Choice:
    """The user's options as a Choice, checked; UsageError."""
    from bench.plan import Choice

    return Choice(
        scenarios=chosen.get("scenario", []),
        backends=chosen.get("backend", []),
        suite=chosen.get("suite"),
        budget=chosen.get("budget"),
        track=cast(Any, word("track", chosen.get("track", "matched"), ("matched", "defaults"))),
        device=cast(Any, word("device", chosen.get("device", "cpu"), ("cpu", "cuda", "auto"))),
        dtype=cast(Any, word("dtype", chosen["dtype"], ("float64", "float32")) if "dtype" in chosen else None),
        reps=whole("reps", chosen.get("reps"), 1),
        rounds=whole("rounds", chosen.get("rounds"), 1),
        seed=whole("seed", chosen.get("seed"), 0) or 0,
        threads=whole("threads", chosen.get("threads"), 1),
    )


def limits(chosen: dict[str, Any]) -> Limits:
    """What a child may take, and how it is made; UsageError."""
    from bench.measure.job import Limits

    return Limits(
        timeout=positive("timeout", chosen.get("timeout")),
        memory=size(chosen["memory"]) if "memory" in chosen else None,
        fresh=bool(chosen.get("fresh")),
        reuse=bool(chosen.get("reuse_compiled")),
        disturbance=positive("max-disturbance", chosen.get("max_disturbance")),
    )


def positive(name: str, value: float | None) -> float | None:
    """A number above 0, or None; UsageError."""
    if value is not None and not 0 < value <= 1e9:
        raise UsageError(f"--{name} {value} is not allowed; above 0 and at most 1e9")
    return value
