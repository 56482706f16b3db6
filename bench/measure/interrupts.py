"""Ctrl-C: the command line notes it, and long work ends at the next place where that leaves nothing half done."""

from __future__ import annotations

_state = {"asked": False, "heard": False}


def ask() -> None:
    """Ask the work at hand to end where it can."""
    _state["asked"] = True


def asked() -> bool:
    """Whether it has been asked to end."""
    return _state["asked"]


def check() -> None:
    """KeyboardInterrupt, once, if the work has been asked to end: what is done about it is not interrupted again."""
    if _state["asked"] and not _state["heard"]:
        _state["heard"] = True
        raise KeyboardInterrupt
