"""The figures of a report: tables in, Vega-Lite specifications out, drawn by vl-convert as static SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.analysis.sections import Section
from bench.analysis.tables import RunTables
from bench.present.figures.drawing import draw, png
from bench.present.figures.errors import error_figures
from bench.present.figures.figure import Figure
from bench.present.figures.history import history_figure
from bench.present.figures.parameters import parameter_forest
from bench.present.figures.pareto import pareto_figure
from bench.present.figures.phases import phases_figure
from bench.present.figures.profile import profile_figure
from bench.present.figures.ratios import ratio_forests
from bench.present.figures.samplers import samplers_figure
from bench.present.figures.scaling import scaling_figures
from bench.present.figures.seeds import seeds_figure
from bench.present.figures.solved import solved_figure
from bench.present.figures.style import Style, Styles, styles

if TYPE_CHECKING:
    from bench.calibration.quantities import Ranked

__all__ = [
    "Figure", "Style", "Styles", "calibration_figure", "draw", "history_figure", "of_run", "of_section", "png",
    "styles",
]  # fmt: skip


def of_section(section: Section, style: Styles) -> list[Figure]:
    """Everything drawn of one scenario: ratios first, then the error, then what explains it."""
    drawn = [
        *ratio_forests(section, style),
        *error_figures(section, style),
        pareto_figure(section, style, cost="seconds"),
        pareto_figure(section, style, cost="memory"),
        pareto_figure(section, style, cost="device"),
        phases_figure(section, style),
        parameter_forest(section, style),
        seeds_figure(section, style),
    ]
    return [figure for figure in drawn if figure is not None]


def of_run(
    sections: Sequence[Section], style: Styles, tables: RunTables, *, calibrations: Mapping[str, Ranked] | None = None
) -> list[Figure]:
    """Everything drawn over all scenarios of a run, tracks apart; `calibrations` {cell: its ranks} where it has any."""
    tracks = list(dict.fromkeys(s.track for s in sections))
    drawn: list[Figure | None] = []
    for track in tracks:
        on_track = [s for s in sections if s.track == track]
        name = track if len(tracks) > 1 else ""
        drawn += [solved_figure(on_track, style, track=name), profile_figure(on_track, style, track=name)]
        drawn.append(samplers_figure(on_track, style, track=name))
        drawn += scaling_figures(on_track, style)
    drawn += [calibration_figure(ranked, name) for name, ranked in (calibrations or {}).items()]
    return [figure for figure in drawn if figure is not None]


def calibration_figure(ranked: Ranked, title: str, *, most: int = 6) -> Figure:
    """ECDF differences of a calibrated cell's ranks, `most` quantities of them."""
    from bench.present.figures import calibrated  # here: most reports have no calibration

    return calibrated.calibration_figure(ranked, title, most=most)
