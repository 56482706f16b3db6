"""Ctrl-C: whoever listens notes it, and long work ends at the next place where that leaves nothing half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_state = {"asked": False, "heard": False, "urgent": False}


def ask() -> None:
    """Ask the work at hand to end where it can."""
    _state["asked"] = True


def asked() -> bool:
    """Whether it has been asked to end."""
    return _state["asked"]


def urgent() -> bool:
    """Whether whoever asked has asked again."""
    return _state["urgent"]


def check() -> None:
    """KeyboardInterrupt, once, if the work has been asked to end: what is done about it is not interrupted again."""
    if _state["asked"] and not _state["heard"]:
        _state["heard"] = True
        raise KeyboardInterrupt


@contextmanager
def heeded() -> Iterator[None]:
    """Within a longer program: Ctrl-C asks the work inside to end where it can, a second one interrupts it at once.

    In another thread than the main one nothing is changed, for Ctrl-C does not reach it.
    """
    _state.update(asked=False, heard=False, urgent=False)
    handler = signal.getsignal(signal.SIGINT)
    changed = threading.current_thread() is threading.main_thread() and handler not in (signal.SIG_IGN, None)
    if changed:
        signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if changed:
            signal.signal(signal.SIGINT, handler)
        _state.update(asked=False, heard=False, urgent=False)


def _note(number: int, frame: FrameType | None) -> None:
    if asked():
        _state["urgent"] = True
        raise KeyboardInterrupt
    ask()
