"""Each parameter as every backend has it, beside the reference posterior and the truth, in reference sds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.analysis.sections import Row, Section
from bench.present.figures import spec
from bench.present.figures.answers import Edges, Part, parts
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, hook, look
from bench.present.palette import GRID, INK, MUTED
from bench.words import format as fmt

MOST = 20
ROWS = 40
"""Rows of intervals that one figure holds."""
ROW = 15
CLIP = 8.0
"""Reference sds from the reference mean beyond which only an arrow is drawn."""
Marks = list[spec.Json]


def parameter_forest(section: Section, style: Styles) -> Figure | None:
    """Of one data set, the first that most backends answered; None without a reference."""
    rows = [row for row in section.rows if row.kind != "exact" and row.reps]
    rep = _rep(rows)
    if rep is None:
        return None
    scalars = sorted(parts(rows, rep), key=lambda part: (-part.error, part.name))
    names = [row.label for row in rows if any(row.label in part.backends for part in scalars)]
    drawn = names[: spec.MOST]
    shown = scalars[: max(1, min(MOST, ROWS // (len(drawn) + 1)))]
    left = spec.left_out(len(scalars) - len(shown), "parameter", "with a smaller error")
    left += spec.left_out(len(names) - len(drawn), "backend")
    edges = "" if all(p.exact for p in shown) else " Where quantiles are not stored, bars are mean ± 0.67 and 1.64 sd."
    return Figure(
        kind="parameters",
        title=f"Parameters on {section.title}, data set {rep}: reference, truth and every backend",
        caption=(
            "Hollow: the reference posterior, 50 and 90 % intervals; below it each backend's (thick 50 %, thin 90 %, "
            "mark the mean), one data set, in units of the reference sd from the reference mean; a good answer has "
            "the length and place of the hollow bar. Largest error first; arrows lie farther out. The vertical tick "
            "is the truth. Distance to the truth is not a quality score; the exact posterior misses it too."
            f"{edges}{left}"
        ),
        spec=_chart(shown, drawn, style),
        table="the metrics table (mean_error_sd, sd_ratio_log, recovery_error)",
        where="metrics.csv",
        of=section.title,
    )


def _rep(rows: Sequence[Row]) -> int | None:
    """The first rep that most backends have an error of."""
    counts: dict[int, int] = {}
    for row in rows:
        for rep in set(row.tables.scores("mean_error_sd").rep.tolist()):
            counts[int(rep)] = counts.get(int(rep), 0) + 1
    return min(counts, key=lambda rep: (-counts[rep], rep)) if counts else None


def _chart(shown: Sequence[Part], names: Sequence[str], style: Styles) -> spec.Json:
    block = len(names) + 1.6
    height = round(ROW * block * len(shown))
    edge = _edge(shown)
    x = spec.linear_axis("x", "reference sd from the reference mean", (-edge, edge))
    y = spec.rows_axis(-0.8, block * len(shown) - 0.3)
    intervals: Marks = []
    centres: Marks = []
    arrows: Marks = []
    hollow, texts, ticks, rules = [], [], [], []
    for i, part in enumerate(shown):
        top = i * block
        texts.append({"x": -edge, "y": top, "text": spec.short(part.name)})
        if i:
            rules.append({"y": top - 0.8})
        for low, high, half in (
            (part.reference[0], part.reference[3], 0.16),
            (part.reference[1], part.reference[2], 0.36),
        ):
            hollow.append({"x": max(low, -edge), "x2": min(high, edge), "y": top - half, "y2": top + half})
        if part.truth is not None and abs(part.truth) <= edge:
            ticks.append({"x": part.truth, "y": top - 0.55, "y2": top + len(names) + 0.45})
        for k, name in enumerate(names):
            if name in part.backends:
                _place(name, part.backends[name], top + k + 1, edge, style, intervals, centres, arrows)
    legend = _names(names, edge, style)
    layers = [
        spec.layer([{"x": 0.0}], {"type": "rule", "color": GRID, "strokeWidth": 1.5}, x=x),
        spec.layer(rules, {"type": "rule", "color": GRID}, y=y),
        spec.layer(
            hollow, {"type": "rect", "filled": False, "stroke": INK, "strokeWidth": 1.1},
            x=x, y=y,
        ),
        spec.layer(
            intervals, {"type": "rule"}, x=x, y=y, color=spec.drawn("colour"),
            size={**spec.drawn("width"), "type": "quantitative"},
        ),
        spec.layer(ticks, {"type": "rule", "color": MUTED, "strokeWidth": 1.3}, x=x, y=y),
        spec.symbols(centres, x, y, size=34),
        spec.words(arrows, x, y, fontSize=spec.SMALL),
        spec.words(texts, x, y, align="right", dx=-8),
        spec.words(legend, x, y, align="left", dx=8, fontSize=spec.SMALL),
    ]  # fmt: skip
    drawn = [layer for layer in layers if layer["data"]["values"]]
    note = "hollow: the reference; bars: thick 50 %, thin 90 %"
    return spec.chart(drawn, width=380, height=height, note=note, texts=[str(row["text"]) for row in legend])


def _place(
    name: str, stated: tuple[float, Edges | None], y: float, edge: float, style: Styles,
    intervals: Marks, centres: Marks, arrows: Marks,
) -> None:  # fmt: skip
    """One backend's interval, or an arrow where it lies beyond the edge."""
    centre, edges = stated
    its = look(style, name)
    same = {"y": y, "colour": its.colour, "hook": its.hook}
    if abs(centre) > edge:
        far = fmt.significant(centre, 2)
        arrows.append(
            {**same, "x": math.copysign(edge * 0.84, centre), "text": f"{far} ▸" if centre > 0 else f"◂ {far}"}
        )
        return
    centres.append({**same, "x": centre, "shape": its.shape})
    if edges is not None:
        for low, high, width in ((edges[0], edges[3], 1.2), (edges[1], edges[2], 3.5)):
            if high > -edge and low < edge:
                intervals.append({**same, "x": max(low, -edge), "x2": min(high, edge), "width": width})


def _edge(shown: Sequence[Part]) -> float:
    """Half the width of the axis: everything inside CLIP, and the reference's 90 % interval at least."""
    reach = [abs(v) for p in shown for c, e in p.backends.values() for v in (c, *(e or ()))]
    reach += [abs(v) for p in shown for v in (*p.reference, *([p.truth] if p.truth is not None else []))]
    return min(CLIP, max(2.0, 1.08 * max(reach)))


def _names(names: Sequence[str], edge: float, style: Styles) -> Marks:
    """Beside the first parameter's rows; the order is the same in every block."""
    rows: Marks = [{"x": edge, "y": 0.0, "text": "reference, tick: truth", "hook": ""}]
    return rows + [
        {"x": edge, "y": k + 1.0, "text": spec.short(n), "hook": hook(style, n)} for k, n in enumerate(names)
    ]
