"""How each backend looks in every figure of a report: colour, shape, dash, and a class that a page can find it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bench.analysis.sections import Section
from bench.present.palette import COLOURS, MUTED

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 2])

Style = tuple[str, str, list[int]]
"""Colour, marker shape and dash."""
Styles = Mapping[str, Style]

PLAIN: Style = (MUTED, "circle", [1, 0])
"""Of the reference, and of what no style was made for."""


def styles(sections: Iterable[Section]) -> dict[str, Style]:
    """{label: (colour, marker shape, dash)} over the whole run; beyond six the colour is the framework's."""
    labels = {r.label: r.framework for s in sections for r in s.rows if r.kind != "exact" and r.reps}
    frameworks = list(dict.fromkeys(labels.values()))
    looks = {}
    for i, (name, framework) in enumerate(labels.items()):
        which = i if len(labels) <= len(COLOURS) else frameworks.index(framework)
        mark = i if len(labels) <= len(SHAPES) else [n for n in labels if labels[n] == framework].index(name)
        looks[name] = (COLOURS[which % len(COLOURS)], SHAPES[mark % len(SHAPES)], DASHES[mark % len(DASHES)])
    return looks


class Look(NamedTuple):
    """How one backend is drawn; `hook` is the class that every element of it carries."""

    colour: str
    shape: str
    dash: list[int]
    hook: str

    @property
    def row(self) -> dict[str, Any]:
        """What the rows of its marks hold."""
        return {"colour": self.colour, "shape": self.shape, "hook": self.hook}

    def line(self, width: float) -> dict[str, Any]:
        """What the mark of its line is."""
        return {"color": self.colour, "strokeDash": self.dash, "strokeWidth": width, "description": self.hook}


def look(style: Styles, name: str) -> Look:
    """The look of a backend; plain where no style was made for it."""
    return Look(*style.get(name, PLAIN), hook(style, name))


def hook(style: Styles, name: str) -> str:
    """The class that every element of a backend carries: `series-3`, its place among the styles."""
    return f"series-{list(style).index(name)}" if name in style else "series-plain"
