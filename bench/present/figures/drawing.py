"""Specifications → SVG and PNG. vl-convert is imported when needed: its engine starts in a third of a second."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from bench.present.figures.figure import Figure
from bench.score import pool
from bench.words.clean import clean

WORTH_IT = 12
"""Figures from which other processes draw: each takes a twentieth of a second, their start half of one."""
HOOK = r"series-(?:\d+|plain)"
CLASS = re.compile(r' class="[^"]*"')
LABEL = re.compile(rf' aria-label="(?:({HOOK})|[^"]*)"')
NOISE = re.compile(
    r' (?:role="graphics-\w+(?:-\w+)?"|aria-roledescription="[^"]*"|aria-hidden="true"|pointer-events="none"'
    r'|opacity="1"|stroke-width="1"|font-family="sans-serif"|font-weight="normal"|text-anchor="start"'
    r'|transform="translate\(0,0\)")'
)
HIDDEN = re.compile(r'<path [^>]*display="none"[^>]*/>|<path d="M0,0h0v0h0Z"[^>]*/>')
PLACE = re.compile(r' (?:d|transform|x2|y2|width|height)="[^"]*"')
DIGITS = re.compile(r"(\.\d)\d+")
CLIP = re.compile(r'(id="|url\(#)(clip\d+)')


def draw(figures: Iterable[Figure]) -> dict[str, str]:
    """{key: SVG}: static, named, its colours in attributes that a style sheet may override.

    Every element of a backend has the class that `style.hook` gives it. The same specifications give the same bytes.
    Many are drawn in several processes: the engine is one thread that holds Python's lock.
    """
    wanted = list(figures)
    if len(wanted) < WORTH_IT:
        return {figure.key: _svg(figure) for figure in wanted}
    pool.start(__name__)
    drawn = {figure.key: svg for figure, svg in pool.each(_svg, wanted, lambda: None)}
    return {figure.key: drawn[figure.key] for figure in wanted}


def ready() -> None:
    """Start the engine of this process, as its first figure would."""
    import vl_convert

    at = {"x": {"field": "x", "type": "quantitative"}, "color": {"field": "name", "type": "nominal"}}
    layers = [{"mark": mark, "encoding": at} for mark in ("point", "rule")]
    vl_convert.vegalite_to_svg({"data": {"values": [{"x": 1.0, "name": "one"}]}, "title": "title", "layer": layers})


def _svg(figure: Figure) -> str:
    import vl_convert

    return _accessible(str(vl_convert.vegalite_to_svg(figure.spec)), figure)


def png(figure: Figure, scale: float = 2) -> bytes:
    """The figure as it looks on white paper."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png({**figure.spec, "background": "#ffffff"}, scale=scale))


def _accessible(svg: str, figure: Figure) -> str:
    """One image with a name, for what reads pages aloud: its shapes have none of their own. Ids are the figure's."""
    opening, body = svg.split(">", 1)
    # The label of an item was its hook; every other class and label is Vega's own.
    body = LABEL.sub(lambda m: f' data-hook="{m[1]}"' if m[1] else "", NOISE.sub("", CLASS.sub("", body)))
    body = HIDDEN.sub("", body.replace(' data-hook="', ' class="'))
    body = PLACE.sub(lambda m: DIGITS.sub(r"\1", m[0]), body)  # tenths of a pixel are enough
    clips = list(dict.fromkeys(name for _, name in CLIP.findall(body)))
    body = CLIP.sub(lambda m: f"{m[1]}{figure.key}-{clips.index(m[2])}", body)
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', opening)
    assert box is not None, opening
    title = clean(figure.title)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" class="figure" font-family="sans-serif" '
        f'data-kind="{figure.kind}" width="{box[1]}"'
    )
    return f"{head} {box[0]} aria-label={quoteattr(title)}><title>{escape(title)}</title>{body}"
