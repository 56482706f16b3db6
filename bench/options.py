"""Values of options, checked: the command line, pytest and Python say the same of one that is not allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from bench.catalog.options import error
from bench.errors import UsageError, shown
from bench.types import DEVICES, DTYPES

if TYPE_CHECKING:
    from bench.measure.job import Limits
    from bench.plan import Choice

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LEAST, MOST = 2.0**20, 2.0**60


def size(text: str) -> int:
    """Bytes of `500M`, `4G`, `1.5GiB`, `1073741824`; UsageError."""
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    number = float(match[1]) * UNITS[match[2].upper()] if match else 0.0
    if not LEAST <= number <= MOST:
        raise UsageError(f"--memory {shown(text)} is not allowed; a size such as 500M or 4G, at least 1M")
    return int(number)


def word(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """A value out of a few; UsageError."""
    if value not in allowed:
        raise UsageError(f"--{name} {shown(value)} is not allowed; one of {', '.join(allowed)}")
    return value


def integer(name: str, value: int | None, least: int) -> int | None:
    """A whole number of at least `least` and at most a million (a seed: 2⁶³), or None; UsageError."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise UsageError(f"--{name} {shown(value)} is not allowed; a whole number")
    if value is not None and value < least:
        raise UsageError(f"--{name} {shown(value)} is not allowed; at least {least}")
    most = 2**63 - 1 if name == "seed" else 10**6
    if value is not None and value > most:
        raise UsageError(f"--{name} {shown(value)} is not allowed; at most {most}")
    return value


def positive(name: str, value: float | None) -> float | None:
    """A number above 0, or None; UsageError."""
    if value is not None and not (isinstance(value, int | float) and 0 < value <= 1e9):
        raise UsageError(f"--{name} {shown(value)} is not allowed; above 0 and at most 1e9")
    return value


def choice(chosen: Mapping[str, Any]) -> Choice:
    """The user's options as a Choice, checked; UsageError."""
    from bench.plan import Choice

    return Choice(
        scenarios=chosen.get("scenario", []),
        backends=chosen.get("backend", []),
        suite=chosen.get("suite"),
        budget=chosen.get("budget"),
        track=cast(Any, word("track", chosen.get("track", "matched"), ("matched", "defaults"))),
        device=cast(Any, word("device", chosen["device"], (*DEVICES, "auto")) if "device" in chosen else None),
        dtype=cast(Any, word("dtype", chosen["dtype"], DTYPES) if "dtype" in chosen else None),
        reps=integer("reps", chosen.get("reps"), 1),
        rounds=integer("rounds", chosen.get("rounds"), 1),
        seed=integer("seed", chosen.get("seed"), 0) or 0,
        threads=integer("threads", chosen.get("threads"), 1),
        until=error("--until", chosen["until"]) if "until" in chosen else None,
    )


def limits(chosen: Mapping[str, Any]) -> Limits:
    """What a child may take, and how it is made; UsageError."""
    from bench.measure.job import Limits

    return Limits(
        timeout=positive("timeout", chosen.get("timeout")),
        memory=size(chosen["memory"]) if "memory" in chosen else None,
        fresh=bool(chosen.get("fresh")),
        reuse=bool(chosen.get("reuse_compiled")),
        disturbance=positive("max-disturbance", chosen.get("max_disturbance")),
        until=positive("until-limit", chosen.get("until_limit")),
    )
