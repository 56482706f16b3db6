"""Text that came from elsewhere: without what a terminal or an eye would obey, home folders or excess length."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 4096
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC and its kin: titles, links
    r"|\x1b[ -/]*[0-~]"
)
_HOMES = re.compile(r"(/home/|/Users/|[A-Z]:\\Users\\)[^/\\\s'\"]+|/root(?=/)")
_GONE = {"Cf", "Cs"}
"""Invisible format characters, those that reverse the direction of text among them, and halves of characters."""


def clean(text: str) -> str:
    """The text with home folders as `~`, terminal escapes and control characters gone, at most 4 KB."""
    if len(text) <= LIMIT and text.isprintable() and not _HOMES.search(text):
        return text  # most of a report's texts have nothing of the kind
    text = _ESCAPES.sub("", text[: 16 * LIMIT])
    text = re.sub(r"[^\S\n]|[\x00-\x09\x0b-\x1f\x7f-\x9f]", " ", text)
    text = "".join(c for c in text if c.isascii() or unicodedata.category(c) not in _GONE)
    text = _HOMES.sub("~", text)
    return text if len(text) <= LIMIT else text[:LIMIT] + " … (cut)"
