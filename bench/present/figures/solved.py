"""How much of everything asked was answered within so many seconds, over all scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.analysis.sections import Row, Section
from bench.present.figures import spec
from bench.present.figures.errors import DRAWS
from bench.present.figures.figure import Figure
from bench.present.figures.steps import Steps, ecdf, steps_chart
from bench.present.figures.style import Styles
from bench.present.figures.ways import ways
from bench.stats.settling import settled
from bench.words import format as fmt

TARGETS = (0.1, 0.03, 0.01, 0.003)
NOT_ASKED = ("unsupported", "unavailable", "interrupted")
"""States of what was never asked of a backend: left out of its denominator, which is printed."""
UNTRUSTED = ("not converged", "invalid")
"""States in which a small error is luck: never solved."""


@dataclass
class Solved:
    """One backend over all scenarios: seconds of each solved (scenario, rep, target), ascending, out of `total`.

    `ends` are the seconds at which each of its fits ended, `scenarios` how many were asked of it.
    """

    total: int = 0
    scenarios: int = 0
    times: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Solved at last."""
        return len(self.times) / self.total if self.total else 0.0


def solved_figure(sections: Sequence[Section], style: Styles, *, track: str = "") -> Figure | None:
    """Share of (scenario, rep, target) solved against seconds, one line per backend; None where nothing was asked."""
    judged = [s for s in sections if _reference(s)]
    warm = any(len(row.tables.warm) for s in judged for row in s.rows)
    backends = solved(judged, warm=warm)
    shown = dict(sorted(backends.items(), key=lambda item: (-item[1].share, item[1].times[-1:], item[0]))[: spec.MOST])
    if not any(one.times for one in shown.values()):
        return None
    left = spec.left_out(len(backends) - len(shown), "backend", "that solved less")
    without = spec.left_out(len(sections) - len(judged), "scenario", "without a trusted reference", what="left out")
    on, over = f" on the {track} track" if track else "", fmt.count(len(judged), "scenario")
    return Figure(
        kind="solved",
        title=f"Share of targets solved against {'warm' if warm else 'cold'} seconds over {over}{on}",
        caption=(
            "Upper left is better. Asked is every (scenario, rep, target) with targets b²_avg "
            f"{', '.join(map(str, TARGETS))}; solved from the second on after which a rep's error stays below the "
            "target. Failed, timed-out and unconverged fits are never solved; what a backend does not apply to is left "
            "out, and its denominator says so. × marks where its data end: beyond it nothing more was run. Point "
            f"estimates state no spread and are left out. {DRAWS}{without}{left}"
        ),
        spec=_chart(shown, style, len(judged), warm=warm),
        table="the results tables of all scenarios",
        of=track,
    )


def solved(sections: Iterable[Section], *, warm: bool) -> dict[str, Solved]:
    """{label: what it solved}, in the order of the sections."""
    backends: dict[str, Solved] = {}
    for section in sections:
        for row in section.rows:
            if row.kind in ("exact", "point") or row.state in NOT_ASKED:
                continue
            one = backends.setdefault(row.label, Solved())
            asked = (row.tables.every("cold") == float(not warm)) & ~np.isin(row.tables.words("status"), NOT_ASKED)
            reps = set(row.tables.every("rep")[asked].astype(int).tolist())
            one.total += len(TARGETS) * int(asked.sum())
            one.scenarios += 1
            times, ends = _row(row, reps, "seconds" if warm else "seconds_cold")
            one.times = sorted([*one.times, *times])
            one.ends += ends
    return {name: one for name, one in backends.items() if one.total}


def _row(row: Row, reps: set[int], column: str) -> tuple[list[float], list[float]]:
    """Seconds of what its reps solved, and of their ends."""
    times, ends = [], []
    for way in (way for rep, way in ways(row).items() if rep in reps):
        seconds = way[column]
        ends.append(float(seconds[-1]))
        if row.state not in UNTRUSTED:
            firsts = (settled(way["value"], target) for target in TARGETS)
            times += [float(seconds[first]) for first in firsts if first is not None]
    return times, ends


def _reference(section: Section) -> bool:
    """Whether errors are known there."""
    rows = [row for row in section.rows if row.kind not in ("exact", "point")]
    return any(row.b2_max is not None for row in rows) and not any(row.state == "unchecked" for row in rows)


def _chart(shown: dict[str, Solved], style: Styles, scenarios: int, *, warm: bool) -> spec.Json:
    domain = spec.padded(t for one in shown.values() for t in (*one.times, *one.ends) if t > 0)
    steps = {}
    for name, one in shown.items():
        corners = [(domain[0], 0.0), *ecdf([max(t, domain[0]) for t in one.times], one.total)]
        corners.append((max([corners[-1][0], *one.ends]), one.share))
        kept = spec.thinned(np.array([x for x, _ in corners]))
        part = "" if one.scenarios == scenarios else f", {one.scenarios} of {scenarios} apply"
        text = f"{spec.short(name)}: {fmt.share(one.share)} of {one.total}{part}"
        steps[name] = Steps([corners[int(i)] for i in kept], corners[1:-1][:: max(1, len(corners) // 4)], text)
    x = spec.log_axis("x", f"{'warm' if warm else 'cold'} seconds (≈ of samplers)", domain)
    return steps_chart(steps, style, x, title="solved", stopped=True)
