"""Direct labels at the right edge, which never overlap."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from statistics import fmean

from bench.present.figures import spec
from bench.present.figures.style import PLAIN, Styles, hook
from bench.present.palette import INK, MUTED

LINE = 16
"""Pixels from one label to the next."""


def spread(ends: Mapping[str, float], domain: spec.Domain, height: int, *, log: bool = True) -> dict[str, float]:
    """Where labels at the right edge stand: at the ends of their curves, moved apart until none overlap.

    Of equal ends the first stands highest.
    """
    to, back = (math.log, math.exp) if log else (float, float)
    low, span = to(domain[0]), to(domain[1]) - to(domain[0])
    gap = LINE / height
    order = sorted(reversed(list(ends)), key=lambda name: ends[name])
    # Least movement with a gap between neighbours: isotonic regression (pool adjacent violators) without the gaps.
    pools: list[list[float]] = []
    for i, name in enumerate(order):
        pools.append([(to(ends[name]) - low) / span - i * gap])
        while len(pools) > 1 and fmean(pools[-2]) >= fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    room = max(1.0 - (len(order) - 1) * gap, 0.0)
    free = [min(max(fmean(pool), 0.0), room) for pool in pools for _ in pool]
    return {name: back(low + span * (h + i * gap)) for i, (name, h) in enumerate(zip(order, free, strict=True))}


def tall(labels: int) -> int:
    """Pixels of height that so many labels at the edge need, the usual height at least."""
    return max(spec.HEIGHT, LINE * (labels + 1))


def labelled(
    ends: Mapping[str, tuple[float, float]], style: Styles, x: spec.Json, y: spec.Json, *, height: int,
    texts: Mapping[str, str] | None = None, bare: Collection[str] = (),
) -> list[spec.Json]:  # fmt: skip
    """Names at the right edge behind their marks, each with a thin line to where its curve ends.

    `ends` {name: (x, y)} in the axes' units, of equal y the better first; `bare` names are no backends.
    """
    edge, domain = x["scale"]["domain"][1], tuple(y["scale"]["domain"])
    log = y["scale"].get("type") == "log"
    places = spread({name: end[1] for name, end in ends.items()}, domain, height, log=log)
    rows = []
    for name, end in ends.items():
        colour, shape, _ = style.get(name, PLAIN)
        rows.append(
            {"x": end[0], "y": end[1], "edge": edge, "place": places[name], "colour": colour, "shape": shape,
             "text": (texts or {}).get(name, spec.short(name)), "hook": "" if name in bare else hook(style, name)}
        )  # fmt: skip
    at = {"x": {**x, "field": "edge"}, "y": {**y, "field": "place"}, "description": spec.HOOK}
    leaders = spec.layer(
        rows, {"type": "rule", "color": MUTED, "strokeWidth": 0.6},
        x={**x, "field": "x"}, x2={"field": "edge"}, y={**y, "field": "y"}, y2={"field": "place"},
        description=spec.HOOK,
    )  # fmt: skip
    symbols = spec.layer(
        [row for name, row in zip(ends, rows, strict=True) if name not in bare],
        {"type": "point", "filled": True, "size": 55, "opacity": 1, "xOffset": 9},
        **at, color=spec.drawn("colour"), shape=spec.drawn("shape"),
    )  # fmt: skip
    text = {"type": "text", "align": "left", "baseline": "middle", "dx": 18, "color": INK, "fontSize": spec.TEXT}
    return [leaders, symbols, spec.layer(rows, text, **at, text={"field": "text"})]
