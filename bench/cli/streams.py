"""Standard streams that cannot stop the work: closed, full, or of an encoding that lacks some characters."""

from __future__ import annotations

import errno
import io
import os
import sys

UNWRITTEN = 74
"""Exit code where everything was done but what it came to could not be printed (EX_IOERR of sysexits.h)."""


class _Lossy(io.FileIO):
    """A file whose first failure is kept, and which takes everything from then on."""

    error: OSError | None = None

    def write(self, data: object, /) -> int:
        """As many bytes as there were."""
        if self.error is None:
            try:
                return super().write(data)  # type: ignore[arg-type]
            except OSError as error:
                self.error = error
        return len(memoryview(data))  # type: ignore[arg-type]


_output: list[_Lossy] = []


def install() -> None:
    """Make stdin, stdout and stderr usable whatever they are; leave what somebody else has put in their place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would take its number
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 -- as long as the process lives
    if sys.stdout is sys.__stdout__:
        stdout = _Lossy(1, "w", closefd=False)
        _output[:] = [stdout]
        sys.stdout = _text(stdout, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Lossy(2, "w", closefd=False), sys.stderr, at_once=True)


def _text(raw: _Lossy, before: io.TextIOBase | object, *, at_once: bool = False) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="replace", line_buffering=at_once or raw.isatty()
    )


def code(otherwise: int) -> int:
    """The exit code of a command: `otherwise`, or UNWRITTEN where stdout has not taken all of what 0 or 1 stands for.

    A reader that has left, such as `head`, has all it wanted.
    """
    sys.stdout.flush()
    lost = [raw.error for raw in _output if raw.error is not None and raw.error.errno != errno.EPIPE]
    return UNWRITTEN if lost and otherwise in (0, 1) else otherwise
