"""Ctrl-C, SIGTERM and SIGHUP: once, and work ends where it can; twice, or outside such work, it is gone at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

from bench.measure import guardian, interrupts

INTERRUPTED = 130
_patient: list[bool] = []
_undoing: list[bool] = []


def install() -> None:
    """Take over the signals that end a program, but none that whoever started it wants ignored (nohup)."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _handle)


def patience() -> AbstractContextManager[None]:
    """Work that looks at `interrupts` often: the first signal only asks it to end."""
    return _during(_patient)


def undoing() -> AbstractContextManager[None]:
    """Work that undoes itself in `finally`: the first signal is a KeyboardInterrupt there, the second ends at once."""
    return _during(_undoing)


@contextmanager
def _during(state: list[bool]) -> Iterator[None]:
    state.append(True)
    try:
        yield
    finally:
        del state[-1:]


def leave() -> None:
    """End at once: what this process has started and its temporary folders are seen to by the guardian."""
    try:
        if sys.stderr.isatty():
            os.write(2, b"\x1b[?25h\n")  # a progress display hides the cursor
        guardian.close()
    finally:
        os._exit(INTERRUPTED)


def _handle(number: int, frame: FrameType | None) -> None:
    if _undoing:
        _undoing.clear()
        raise KeyboardInterrupt
    if interrupts.asked() or not _patient:
        leave()
    interrupts.ask()
    os.write(2, b"\ninterrupted: ending what is at work; again: stop at once\n")
