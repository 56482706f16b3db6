"""The words of a history, the same in every format."""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparison.measures import Measure
from bench.comparison.series import Change, Point, Series
from bench.stats.steps import fewest
from bench.words import format as fmt
from bench.words.clean import clean

BARS = "▁▂▃▄▅▆▇█"
NARROWEST = 0.1
"""Half the height of a sparkline at least, as a share of its middle: noise should not look like mountains."""
RUN = ("run", "when", "commit", "value", "95 %")
"""Titles of the columns of a run."""


def gravest_first(series: Sequence[Series]) -> list[Series]:
    """Those that end worse, then others with steps, then the rest, each in the order they had."""
    return sorted(series, key=lambda s: (not s.ends_worse, not s.steps))


def run(measure: Measure, point: Point) -> tuple[str, ...]:
    """What stands under RUN of one run: its value, or why it has none."""
    level = clean(point.status) if point.value is None else fmt.quantity(point.value, measure.unit)
    return clean(point.run), clean(point.when[:16]), commit(point), level, interval(measure, point)


def interval(measure: Measure, point: Point) -> str:
    """`61 ms–63 ms`; a dash below two rounds."""
    if point.low is None or point.high is None:
        return fmt.NONE
    return f"{fmt.quantity(point.low, measure.unit)}–{fmt.quantity(point.high, measure.unit)}"


def commit(point: Point) -> str:
    """Nine digits, and `+` where files differed from it."""
    return clean(point.commit[:9]) + ("+" if point.dirty else "") or fmt.NONE


def size(measure: Measure, step: Change) -> str:
    """`1.44×`, or a signed difference."""
    if measure.scale == "ratio":
        return fmt.times(step.after / step.before)
    return fmt.difference(step.after - step.before, measure.unit)


def step(measure: Measure, of: Series, change: Change) -> str:
    """The step as a sentence."""
    point = of.points[change.index]
    kind = ("worse" if change.worse else "better") if change.material else f"within the {measure.threshold} threshold"
    levels = f"{fmt.quantity(change.before, measure.unit)} → {fmt.quantity(change.after, measure.unit)}"
    causes = f"; there {', '.join(map(clean, change.causes))}" if change.causes else ""
    at = f"{clean(point.run)} ({clean(point.when[:10])}, {commit(point)})"
    return f"step at {at}: {levels}, {size(measure, change)}, {kind}{causes}"


def headline(series: Sequence[Series], measure: Measure) -> str:
    """How many series there are, and how many of them end worse, better or steady."""
    worse = sum(s.ends_worse for s in series)
    better = sum(bool(s.steps) and s.steps[-1].material and not s.steps[-1].worse for s in series)
    broken = sum(s.points[-1].value is None for s in series)
    parts = [
        f"the latest run has no value in {broken}" if broken else "",
        f"the last step is for the worse in {worse}" if worse else "",
        f"for the better in {better}" if better else "",
        "" if worse or better else f"no step above the {measure.threshold} threshold",
    ]
    return f"{measure.name} in {len(series)} series: {', '.join(filter(None, parts))}."


def method(level: float) -> str:
    """How steps are found and what that is worth."""
    return (
        "Steps: exact least-squares segmentation of the runs' means, each segment of two runs or more; their number by "
        f"permutation, so that at most {100 * level:.3g} % of steady series show one, whatever the noise, if runs do "
        f"not depend on each other. With fewer than {fewest(level)} runs none can be shown. Intervals: Student's t "
        "over rounds of a run; they say nothing of what differs from one day to the next."
    )


def sparkline(of: Series) -> str:
    """A bar per measured run, from the least to the largest, or over the middle ± 10 % where that is wider."""
    values = [p.value for p in of.measured if p.value is not None]
    low, high = min(values), max(values)
    middle, reach = (low + high) / 2, max((high - low) / 2, NARROWEST * abs(low + high) / 2)
    if not reach:
        return BARS[0] * len(values)
    return "".join(BARS[min(int(8 * (v - middle + reach) / (2 * reach)), 7)] for v in values)
