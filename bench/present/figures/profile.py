"""Performance profile: on what share of scenarios a backend is within a factor of the best (Dolan & Moré 2002)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.analysis.contender import MANY
from bench.analysis.sections import Section
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.solved import NOT_ASKED
from bench.present.figures.steps import Steps, ecdf, steps_chart
from bench.present.figures.style import Styles
from bench.words import format as fmt

Times = Mapping[str, Mapping[str, float]]
"""{backend: {scenario: seconds}}, inf where it failed; a scenario that was not asked of it is absent."""


def profile_figure(sections: Sequence[Section], style: Styles, *, track: str = "") -> Figure | None:
    """None below two scenarios with a solver, or two backends that solve any."""
    times = seconds_by_backend(sections)
    scenarios = {s for seconds in times.values() for s in seconds}
    solvable = {s for seconds in times.values() for s, t in seconds.items() if math.isfinite(t)}
    solvers = [name for name, seconds in times.items() if any(map(math.isfinite, seconds.values()))]
    if len(solvable) < 2 or len(solvers) < 2:
        return None
    curves = profile(times)
    shown = sorted(curves, key=lambda name: (-curves[name][-1][1], curves[name][-1][0], name))[: spec.MOST]
    left = spec.left_out(len(curves) - len(shown), "backend", "that solved less")
    nobody = spec.left_out(len(scenarios) - len(solvable), "scenario", "that nobody solved", what="never for all")
    on = f" on the {track} track" if track else ""
    return Figure(
        kind="profile",
        title=f"Performance profile of further fits over {fmt.count(len(scenarios), 'scenario')}{on}",
        caption=(
            "By the seconds of each further fit in the same process. Height at 1×: share of scenarios on which a "
            "backend was the fastest to the target; at 2×: on which it took at most twice as long as the fastest "
            "(Dolan & Moré 2002). Upper left is better. A scenario it failed or ended above the target counts as "
            "never; what it does not apply to is left out of its denominator, which is printed. The curves depend on "
            "who takes part, so two of them do not order the backends behind "
            f"the best.{nobody}{left}"
        ),
        spec=_chart(times, {name: curves[name] for name in shown}, style, len(scenarios)),
        table="the matrix of scenarios and backends",
        where="#matrix",
        of=track,
    )


def seconds_by_backend(sections: Sequence[Section]) -> dict[str, dict[str, float]]:
    """Seconds to the target of each further fit of what is ranked, inf off target, over sections with a reference."""
    times: dict[str, dict[str, float]] = {}
    for section in sections:
        rows = [r for r in section.rows if r.kind not in ("exact", "point") and r.state not in NOT_ASKED]
        if any(row.state == "unchecked" for row in rows):
            continue
        for row in rows:
            seconds = section.seconds(row, MANY)
            times.setdefault(row.label, {})[section.title] = seconds if seconds and seconds > 0 else math.inf
    return times


def profile(times: Times) -> dict[str, list[tuple[float, float]]]:
    """{backend: corners (τ, ρ(τ))}: the share of its scenarios with seconds ≤ τ × the fastest's, τ ≥ 1.

    Dolan & Moré 2002, Mathematical Programming 91, doi:10.1007/s101070100263. The denominator is the number of
    scenarios asked of a backend, whatever came of them.
    """
    best = {s: min(other.get(s, math.inf) for other in times.values()) for seconds in times.values() for s in seconds}
    curves = {}
    for name, seconds in times.items():
        corners = ecdf([t / best[s] for s, t in seconds.items() if math.isfinite(t)], len(seconds))
        curves[name] = corners if corners and corners[0][0] == 1.0 else [(1.0, 0.0), *corners]
    return curves


def _chart(times: Times, curves: Mapping[str, list[tuple[float, float]]], style: Styles, scenarios: int) -> spec.Json:
    most = max(2.0, *(corners[-1][0] for corners in curves.values())) * 1.15
    steps = {}
    for name, corners in curves.items():
        tried, solved = len(times[name]), sum(map(math.isfinite, times[name].values()))
        part = "" if tried == scenarios else f", {tried} of {scenarios} apply"
        text = f"{spec.short(name)}: {solved} of {fmt.count(tried, 'scenario')}{part}"
        steps[name] = Steps([*corners, (most, corners[-1][1])], corners[:: math.ceil(len(corners) / 8)], text)
    x = spec.log_axis("x", "× the fastest on the scenario", (1.0, most), suffix="×")
    return steps_chart(steps, style, x, title="scenarios")
