"""Direct labels at the right edge, which never overlap."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from bench.present.figures import spec
from bench.present.figures.style import Styles, look
from bench.present.palette import MUTED

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


def chart(
    layers: Sequence[spec.Json], ends: Mapping[str, tuple[float, float]], style: Styles, x: spec.Json, y: spec.Json, *,
    texts: Mapping[str, str] | None = None, bare: Collection[str] = (), note: str = "", width: int = spec.WIDTH,
) -> spec.Json:  # fmt: skip
    """A chart of layers and of names at the right edge, each with its mark and a thin line to where its curve ends.

    `ends` {name: (x, y)} in the axes' units, of equal y the better first; `bare` names are no backends.
    """
    texts = texts or {}
    edge, domain = x["scale"]["domain"][1], tuple(y["scale"]["domain"])
    log = y["scale"].get("type") == "log"
    places = spread({name: end[1] for name, end in ends.items()}, domain, spec.HEIGHT, log=log)
    rows = []
    for name, end in ends.items():
        rows.append(
            {**look(style, name).row, "x": end[0], "y": end[1], "edge": edge, "place": places[name],
             "text": texts.get(name, spec.short(name)), **({"hook": ""} if name in bare else {})}
        )  # fmt: skip
    at = {"x": {**x, "field": "edge"}, "y": {**y, "field": "place"}}
    leaders = spec.layer(
        rows, {"type": "rule", "color": MUTED, "strokeWidth": 0.6},
        x={**x, "field": "x"}, x2={"field": "edge"}, y={**y, "field": "y"}, y2={"field": "place"},
    )  # fmt: skip
    backends = [row for name, row in zip(ends, rows, strict=True) if name not in bare]
    symbols = spec.symbols(backends, at["x"], at["y"], size=55, xOffset=9)
    names = spec.words(rows, at["x"], at["y"], align="left", dx=18)
    return spec.chart([*layers, leaders, symbols, names], width=width, note=note, texts=[row["text"] for row in rows])
