"""A sentence with emphasis, written once and rendered by every format with its own escaping."""

from __future__ import annotations

import string
from typing import NamedTuple

from bench.words.format import listed


class Part(NamedTuple):
    """A stretch of text; `style` is "" (plain), "b" (strong) or "i" (emphasis)."""

    text: str
    style: str = ""


Sentence = tuple[Part, ...]


def say(template: str, /, **values: str) -> Sentence:
    """Fill `{name:b}`, `{name:i}`, `{name}` in a template; literal text stays plain."""
    parts = []
    for literal, name, style, _ in string.Formatter().parse(template):
        if literal:
            parts.append(Part(literal))
        if name is not None:
            parts.append(Part(values[name], style or ""))
    return tuple(parts)


def joined(names: list[str], style: str = "b") -> Sentence:
    """`A`, `A and B`, `A, B and C`, each name styled."""
    values = {f"n{i}": name for i, name in enumerate(names)}
    return say(listed([f"{{{key}:{style}}}" for key in values]), **values)


def plain(sentence: Sentence) -> str:
    """Its words alone."""
    return "".join(part.text for part in sentence)
