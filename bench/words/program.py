"""How this program is called: one place, so that what is printed can be typed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

KEPT = "python -m bench"
"""In files, whose readers may not have the script on their PATH; the same bytes whoever wrote them."""


def command(*words: object) -> str:
    """A command as its reader can type it: `bench WORDS`, or `python -m bench WORDS` where that was typed."""
    by_module = Path(next(iter(sys.argv), "")).parts[-2:] == ("bench", "__main__.py")
    return f"{KEPT if by_module else 'bench'} {shlex.join(map(str, words))}"


def kept(*words: object) -> str:
    """A command as it is written into files."""
    return f"{KEPT} {shlex.join(map(str, words))}"
