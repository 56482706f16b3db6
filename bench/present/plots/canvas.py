"""The look that all pictures share, and writing them to files; matplotlib is imported here, when first needed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.present.palette import GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILL = "#8fbbe0"
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", ":", "-.", (0, (4, 4)), (0, (10, 2)))
SUFFIXES = (".png", ".svg")
STYLE: Mapping[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "svg.hashsalt": "bench",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
}
TRUTH: Mapping[str, Any] = {"color": INK, "linestyle": (0, (5, 3)), "linewidth": 1.4, "label": "truth"}
EXACT: Mapping[str, Any] = {"color": INK, "linestyle": "-", "linewidth": 1.5, "label": "exact posterior"}
EXACT_MEAN: Mapping[str, Any] = {"color": INK, "linestyle": ":", "linewidth": 1.5, "label": "exact mean"}


def styled(make: Callable[[], Figure]) -> Figure:
    """A figure made in the house style, which is not left set; UsageError where matplotlib is missing."""
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise UsageError("pictures need matplotlib: pip install 'posterior-bench[arviz]'") from None
    with matplotlib.rc_context(dict(STYLE)):
        return make()


def figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, apart from any that pyplot keeps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from bench.present.plots.shown import Shown

    empty = Shown(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(empty)
    return empty


def caption(picture: Figure, sentence: str, notes: Sequence[str] = ()) -> None:
    """The sentence above a picture, the legend of everything labelled in it, and notes, below."""
    width = picture.get_figwidth()
    lines = textwrap.wrap(sentence, int(width * 10), break_long_words=False)
    picture.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=11, fontweight="bold")
    labelled: dict[str, Artist] = {}
    for axes in picture.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            labelled.setdefault(label, handle)
    below = "\n".join(line for note in notes for line in textwrap.wrap(note, int(width * 14)))
    if not labelled:
        picture.supxlabel(below, x=0.01, ha="left", fontsize=8, color=MUTED)
        return
    columns = max(1, min(len(labelled), int(width * 13 / (max(map(len, labelled)) + 7))))
    legend = picture.legend(
        list(labelled.values()), list(labelled), loc="outside lower left", ncols=columns, title=below or None
    )
    legend._legend_box.align = "left"  # type: ignore[attr-defined]
    legend.get_title().set(fontsize=8, color=MUTED)


def short(value: float) -> str:
    """Two significant digits, or a whole number."""
    return f"{value:.0f}" if abs(value) >= 100.0 else f"{value:.2g}"


def signed(value: float) -> str:
    """With its sign: two decimals, one from 10 and none from 100 on; a value that rounds to zero has no sign."""
    decimals = 2 if abs(value) < 10.0 else 1 if abs(value) < 100.0 else 0
    return "0.00" if abs(value) < 0.005 else f"{value:+.{decimals}f}".replace("-", "−")


def mark(axes: Axes, value: float | None, style: Mapping[str, Any], *, along: str = "x") -> None:
    """A line across the axes at a value, if there is one."""
    if value is not None:
        (axes.axvline if along == "x" else axes.axhline)(value, **style)


def save(picture: Figure, file: Path) -> None:
    """Write PNG or SVG, by the file's ending; the same figure gives the same bytes. UsageError."""
    import matplotlib

    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out {file} is not allowed; a name that ends in {' or '.join(SUFFIXES)}")
    title = picture.get_suptitle().replace("\n", " ")
    metadata = {"Title": title, "Date": None} if file.suffix.lower() == ".svg" else {"Title": title}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context(dict(STYLE)):
            picture.savefig(file, dpi=150, metadata=metadata)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
