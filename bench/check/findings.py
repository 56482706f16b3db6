"""What a check says."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """`where` something was looked at, `what` was found, and the command or step that mends it (empty: none needed)."""

    state: Literal["ok", "note", "problem"]
    where: str
    what: str
    mend: str = ""


def ok(where: str, what: str) -> Finding:
    """Something that is as it should be."""
    return Finding("ok", where, what)


def note(where: str, what: str, mend: str = "") -> Finding:
    """Something a reader should know that is not wrong."""
    return Finding("note", where, what, mend)


def problem(where: str, what: str, mend: str = "") -> Finding:
    """Something wrong."""
    return Finding("problem", where, what, mend)
