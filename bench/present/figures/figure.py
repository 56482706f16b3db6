"""What a figure is: a specification with the words that stand beside it."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field, replace
from typing import Any

from bench.present.palette import MUTED
from bench.words.clean import clean

LINE = 95
"""Characters of a line above a picture."""


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite specification as plain data, with what a page needs to show it.

    `kind` says what sort of figure it is; `key` is unique in a report: the kind and what it is of. `caption` says how
    to read it, what is better, and what is left out and why; `table` names the table that holds the same numbers, and
    `where` is its place on the page or beside it.
    """

    kind: str
    title: str
    caption: str
    spec: dict[str, Any] = field(repr=False)
    table: str
    where: str = "#results"
    of: str = ""

    @property
    def key(self) -> str:
        """Fit for anchors and file names: `error-seconds-warm-s0-uniform`."""
        words = re.sub(r"[^a-z0-9]+", "-", self.of.lower()).strip("-")
        return f"{self.kind}-{words}" if words else self.kind

    def alone(self, sentence: str) -> Figure:
        """The same for a file of its own: the sentence stands above it in the picture, the caption below that."""
        words = {
            "text": textwrap.wrap(clean(sentence), LINE), "subtitle": textwrap.wrap(clean(self.caption), LINE),
            "anchor": "start", "fontSize": 14, "subtitleFontSize": 12, "subtitleColor": MUTED, "offset": 12,
            "subtitlePadding": 6, "font": "sans-serif", "subtitleFont": "sans-serif",
        }  # fmt: skip
        return replace(self, title=sentence, spec={**self.spec, "title": words})
