"""The exact command that makes one cell of a run again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from bench.analysis.sections import Row

_BARE = re.compile(r"[A-Za-z_][\w.\-/]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
FLAGS = {"fresh": "--fresh", "reuse_compiled": "--reuse-compiled"}
LIMITS = {"timeout": "--timeout", "memory": "--memory", "max_disturbance": "--max-disturbance"}


def reproduce(row: Row, run: Mapping[str, Any]) -> str:
    """`python -m bench run …` that plans exactly this cell, with its seed, reps and rounds; `run` is run.json.

    `--threads` is there where it was asked for, since it is part of the cell; otherwise the CPUs of the machine decide.
    A run of an older or damaged manifest gives what its tables know.
    """
    entry = _entry(row, run)
    words = ["python", "-m", "bench", "run", "-s", _scenario(row, entry), "-b", _backend(row, entry)]
    for name in ("budget", "track", "device", "dtype", "threads"):
        value = entry.get(name)
        words += [f"--{name}", str(value)] if isinstance(value, (str, int)) and str(value) else []
    options = entry.get("options_of_run", run.get("options"))
    options = options if isinstance(options, Mapping) else {}
    for name, value in (("seed", entry.get("seed", run.get("seed"))), *((k, entry.get(k)) for k in ("reps", "rounds"))):
        words += [f"--{name}", str(value)] if isinstance(value, int) else []
    given = {flag: str(options[key]) for key, flag in LIMITS.items() if options.get(key) is not None}
    words += [part for limit in given.items() for part in limit]
    words += [flag for key, flag in FLAGS.items() if options.get(key)]
    return shlex.join(words)


def bracketed(name: str, values: Mapping[str, Any]) -> str:
    """`name[k=v,…]` as `-s` and `-b` read it back: a list is nested once more, since one alone would sweep."""
    if not values:
        return name
    return f"{name}[{','.join(f'{k}={_written([v] if isinstance(v, list) else v)}' for k, v in values.items())}]"


def _written(value: Any) -> str:
    """A value of JSON in TOML, or a bare word where that reads back as the same text."""
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value not in {"true", "false"}
        return value if bare else _toml(value)
    return _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{k if _KEY.fullmatch(k) else _text(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for those of halves of characters; DEL must be escaped in TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _entry(row: Row, run: Mapping[str, Any]) -> Mapping[str, Any]:
    """What run.json says of the cell; of a table without one what the first of its fits says."""
    for entry in run.get("cells") or ():
        if isinstance(entry, Mapping) and entry.get("id") == row.cell:
            return entry
    fits = row.tables.fits
    first = fits.iloc[0]
    known = {name: str(first[name]) for name in ("budget", "track", "device", "dtype") if name in fits}
    rounds = int(fits["round"].nunique()) if "round" in fits else 1
    return {**known, "rounds": rounds, "reps": max(len(fits) // max(rounds, 1), 1)}


def _scenario(row: Row, entry: Mapping[str, Any]) -> str:
    name, values = entry.get("scenario"), _pairs(entry.get("overrides"))
    return bracketed(name, values) if isinstance(name, str) and values is not None else _first(row, "scenario")


def _backend(row: Row, entry: Mapping[str, Any]) -> str:
    name, values = entry.get("backend"), _pairs(entry.get("options"))
    if isinstance(name, str) and values is not None:
        return bracketed(name, values)
    return row.label.split(" ")[0]


def _pairs(value: Any) -> dict[str, Any] | None:
    """[[key, value], …] of a manifest as a mapping; None where it is not that."""
    if not isinstance(value, (list, tuple)):
        return None
    pairs = [pair for pair in value if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)]
    return {pair[0]: pair[1] for pair in pairs} if len(pairs) == len(value) else None


def _first(row: Row, column: str) -> str:
    return str(row.tables.fits[column].iloc[0])
