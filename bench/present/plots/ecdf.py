"""ECDF differences of the truths' ranks with their simultaneous bands, a panel per quantity (Säilynoja et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.calibration import bands
from bench.calibration.quantities import ALPHA, BAND_ALPHA, Quantity, Ranked
from bench.present.palette import COLOURS, INK, MUTED
from bench.present.plots import canvas
from bench.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMIT = 12
COLUMNS = 3
COARSE = 31
"""Up to so many draws each rank has a mark of its own."""
INSIDE, OUTSIDE = COLOURS[:2]


def draw(ranked: Ranked, title: str) -> Figure:
    """A panel per quantity, the least probable first where there are more than LIMIT; call it inside `styled`."""
    shown = list(ranked.quantities)
    if len(shown) > LIMIT:
        shown = sorted(shown, key=lambda q: q.p_value)[:LIMIT]
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    made = canvas.figure(2.9 * columns + 0.5, 2.1 * rows + 1.5)
    panels = made.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, quantity in zip(panels, shown, strict=False):
        _panel(axes, quantity, ranked)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("ECDF − expected")
    for axes in panels[max(0, len(shown) - columns) : len(shown)]:
        axes.set_xlabel("rank of the truth / L")
        axes.tick_params(labelbottom=True)
    canvas.caption(made, title, _notes(ranked, len(shown)))
    return made


def _panel(axes: Axes, quantity: Quantity, ranked: Ranked) -> None:
    n, draws = len(quantity.ranks), ranked.draws
    at = np.arange(draws + 2) / (draws + 1)
    axes.fill_between(
        at, *_around(ranked.inner, at, n), color=canvas.FILL, alpha=0.55, linewidth=0, label=_of(BAND_ALPHA)
    )
    for i, edge in enumerate(_around(ranked.outer, at, n)):
        axes.plot(at, edge, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), label=None if i else _all(ranked))
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    colour, width = (OUTSIDE, 2.0) if quantity.outside else (INSIDE, 1.4)
    below = np.concatenate([[0.0], bands.counts(quantity.ranks, draws), [n]]) / n
    label = "leaves it" if quantity.outside else "stays inside"
    marker = "o" if draws <= COARSE else ""
    axes.plot(at, below - at, color=colour, linewidth=width, marker=marker, markersize=3, label=label)
    words = quantity.words or f"inside, p = {quantity.p_value:.2g}"
    axes.set_title(f"{quantity.name}: {words}", fontweight="bold" if quantity.outside else "normal")
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])


def _around(band: bands.Band, at: Array, n: int) -> tuple[Array, Array]:
    """Lower and upper edge as differences of shares, 0 at both ends."""
    return tuple(np.concatenate([[0.0], edge / n - at[1:-1], [0.0]]) for edge in (band.lower, band.upper))  # type: ignore[return-value]


def _of(alpha: float) -> str:
    return f"{100 * (1 - alpha):.0f} % band of one quantity"


def _all(ranked: Ranked) -> str:
    return f"{100 * (1 - ALPHA):.0f} % band of all {len(ranked.quantities)} at once: the verdict's"


def _notes(ranked: Ranked, shown: int) -> Sequence[str]:
    n = len(ranked.quantities[0].ranks)
    notes = [
        f"{n} data sets, truths ranked among L = {ranked.draws} thinned draws. A hill at the left and a valley at "
        "the right: too narrow; the reverse: too wide; one hill: biased high; one valley: biased low."
    ]
    left = len(ranked.quantities) - shown
    return [*notes, f"{left} quantities with larger p-values are left out."] if left else notes
