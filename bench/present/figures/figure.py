"""What a figure is: a specification with the words that stand beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite specification as plain data, with what a page needs to show it.

    `kind` says what sort of figure it is; `key` is unique in a report: the kind and what it is of. `caption` says how
    to read it, what is better, and what is left out and why; `table` names the table that holds the same numbers.
    """

    kind: str
    title: str
    caption: str
    spec: dict[str, Any] = field(repr=False)
    table: str
    of: str = ""

    @property
    def key(self) -> str:
        """Fit for anchors and file names: `error-seconds-warm-s0-uniform`."""
        words = re.sub(r"[^a-z0-9]+", "-", self.of.lower()).strip("-")
        return f"{self.kind}-{words}" if words else self.kind
