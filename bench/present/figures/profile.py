"""Performance profile: on what share of scenarios a backend is within a factor of the best (Dolan & Moré 2002)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.analysis.sections import Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.solved import NOT_ASKED, ecdf
from bench.present.figures.style import PLAIN, Styles, hook
from bench.words import format as fmt

Times = Mapping[str, Mapping[str, float]]
"""{backend: {scenario: seconds}}, inf where it failed; a scenario that was not asked of it is absent."""


def profile_figure(sections: Sequence[Section], style: Styles, *, track: str = "") -> Figure | None:
    """None below two scenarios with a solver, or two backends that solve any."""
    times = seconds_by_backend(sections)
    scenarios = sorted({s for found in times.values() for s in found})
    solvable = [s for s in scenarios if any(math.isfinite(found.get(s, math.inf)) for found in times.values())]
    solvers = [name for name, found in times.items() if any(map(math.isfinite, found.values()))]
    if len(solvable) < 2 or len(solvers) < 2:
        return None
    curves = profile(times)
    shown = sorted(curves, key=lambda name: (-curves[name][-1][1], curves[name][-1][0], name))[: spec.MOST]
    left = spec.left_out(len(curves) - len(shown), "backend", "that solved less are not drawn")
    nobody = spec.left_out(len(scenarios) - len(solvable), "scenario", "that nobody solved count as never for all")
    on = f" on the {track} track" if track else ""
    return Figure(
        kind="profile",
        title=f"Performance profile over {len(scenarios)} scenarios{on}",
        caption=(
            "Height at 1×: share of scenarios on which a backend was the fastest to the target; at 2×: on which it "
            "took at most twice as long as the fastest (Dolan & Moré 2002). Upper left is better. A scenario it failed "
            "or ended above the target counts as never; what it does not apply to is left out of its denominator, "
            "which is printed. The curves depend on who takes part, so two of them do not order the backends behind "
            f"the best.{nobody}{left}"
        ),
        spec=_chart(times, {name: curves[name] for name in shown}, style, len(scenarios)),
        table="the matrix of scenarios and backends",
        of=track,
    )


def seconds_by_backend(sections: Sequence[Section]) -> dict[str, dict[str, float]]:
    """Warm seconds to the target of every row that is ranked, inf off target, over sections with a reference."""
    found: dict[str, dict[str, float]] = {}
    for section in sections:
        rows = [r for r in section.rows if r.kind not in ("exact", "point") and r.state not in NOT_ASKED]
        if any(row.state == "unchecked" for row in rows):
            continue
        for row in rows:
            found.setdefault(row.label, {})[section.title] = _seconds(row, finish=section.finish)
    return found


def _seconds(row: Row, *, finish: bool) -> float:
    seconds = (row.warm if finish else row.time_to_target) if row.state == "met" else None
    return math.inf if seconds is None or seconds <= 0 else seconds


def profile(times: Times) -> dict[str, list[tuple[float, float]]]:
    """{backend: corners (τ, ρ(τ))}: the share of its scenarios with seconds ≤ τ × the fastest's, τ ≥ 1.

    Dolan & Moré 2002, Mathematical Programming 91, doi:10.1007/s101070100263. The denominator is the number of
    scenarios asked of a backend, whatever came of them.
    """
    best = {s: min(f.get(s, math.inf) for f in times.values()) for found in times.values() for s in found}
    made = {}
    for name, found in times.items():
        ratios = [t / best[s] for s, t in found.items() if math.isfinite(t)]
        corners = ecdf(ratios, len(found)) if ratios else []
        made[name] = corners if corners and corners[0][0] == 1.0 else [(1.0, 0.0), *corners]
    return made


def _chart(times: Times, curves: Mapping[str, list[tuple[float, float]]], style: Styles, scenarios: int) -> spec.Json:
    most = max(2.0, *(corners[-1][0] for corners in curves.values()))
    x = spec.log_axis("x", "× the fastest on the scenario", (1.0, most * 1.15), suffix="×")
    y = spec.linear_axis("y", "scenarios", spec.SHARES, percent=True)
    height = labels.tall(len(curves) + 1)
    layers, ends, texts, marks = [], {}, {}, []
    for name, corners in curves.items():
        colour, shape, dash = style.get(name, PLAIN)
        same = {"colour": colour, "shape": shape, "hook": hook(style, name)}
        marks += [{**same, "x": a, "y": b} for a, b in corners[:: math.ceil(len(corners) / 8)] if b]
        end = (most * 1.15, corners[-1][1])
        rows = [{"x": a, "y": b, "i": i} for i, (a, b) in enumerate([*corners, end])]
        mark = {
            "type": "line", "interpolate": "step-after", "color": colour, "strokeDash": dash, "strokeWidth": 2,
            "description": hook(style, name),
        }  # fmt: skip
        layers.append(spec.layer(rows, mark, x=x, y=y, order={"field": "i", "type": "quantitative"}))
        ends[name] = end
        solved = sum(math.isfinite(t) for t in times[name].values())
        part = "" if len(times[name]) == scenarios else f", {len(times[name])} of {scenarios} apply"
        texts[name] = f"{spec.short(name)}: {solved} of {fmt.count(len(times[name]), 'scenario')}{part}"
    layers.append(spec.symbols(marks, x, y))
    layers += labels.labelled(ends, style, x, y, height=height, texts=texts)
    return spec.chart(layers, height=height, note="upper left is better")
