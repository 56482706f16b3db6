"""Text that came from elsewhere: without control characters, home folders or excess length."""

from __future__ import annotations

import re

LIMIT = 4096


def clean(text: str) -> str:
    """The text with home folders as `~`, terminal escapes and control characters gone, at most 4 KB."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text)
    text = re.sub(r"[^\S\n]|[\x00-\x08\x0b-\x1f\x7f]", " ", text)
    text = re.sub(r"(/home/|/Users/|[A-Z]:\\Users\\)[^/\\\s'\"]+|/root(?=/)", "~", text)
    return text if len(text) <= LIMIT else text[:LIMIT] + " … (cut)"
