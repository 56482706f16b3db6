"""Where a contender raised an exception, read from the log of its child."""

from __future__ import annotations

import os
import re
from pathlib import Path

_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)


def raised(log: str, folder: Path) -> str:
    """` at FILE:LINE`, the last place in the contender's folder that the traceback of a log came through.

    Else its last place anywhere; empty where the log has no traceback.
    """
    frames = [(match["file"], match["line"]) for match in _FRAME.finditer(log)]
    own = [(file, line) for file, line in frames if Path(file).is_relative_to(folder)]
    if not frames:
        return ""
    file, line = (own or frames)[-1]
    near = os.path.relpath(file)
    return f" at {file if near.startswith('..') else near}:{line}"
