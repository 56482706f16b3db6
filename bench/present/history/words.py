"""The words of a history, the same in every format."""

from __future__ import annotations

from bench.compare.measures import Measure
from bench.compare.series import Change, Point, Series
from bench.stats.steps import fewest
from bench.words import format as fmt
from bench.words.clean import clean

BARS = "▁▂▃▄▅▆▇█"
NARROWEST = 0.1
"""Noise should not look like mountains."""


def value(measure: Measure, number: float | None) -> str:
    """A number of the measure with its unit."""
    if number is None:
        return fmt.NONE
    if measure.unit == "s":
        return fmt.seconds(number)
    if measure.unit == "bytes":
        return f"{fmt.significant(number / 2**20)} MiB"
    return fmt.significant(number)


def interval(measure: Measure, point: Point) -> str:
    """`61 ms–63 ms`; a dash below two rounds."""
    if point.low is None or point.high is None:
        return fmt.NONE
    return f"{value(measure, point.low)}–{value(measure, point.high)}"


def commit(point: Point) -> str:
    """Nine digits, and `+` where files differed from it."""
    return clean(point.commit[:9]) + ("+" if point.dirty else "") or fmt.NONE


def size(measure: Measure, step: Change) -> str:
    """`1.44×`, or a signed difference."""
    if measure.scale == "ratio":
        return fmt.times(step.after / step.before)
    change = step.after - step.before
    return f"{'+' if change > 0 else ''}{fmt.significant(change)} {measure.unit}".strip()


def step(measure: Measure, of: Series, change: Change) -> str:
    """The step as a sentence."""
    point = of.points[change.index]
    kind = ("worse" if change.worse else "better") if change.material else f"within the {measure.threshold} threshold"
    levels = f"{value(measure, change.before)} → {value(measure, change.after)}"
    causes = f"; there {', '.join(map(clean, change.causes))}" if change.causes else ""
    at = f"{clean(point.run)} ({clean(point.when[:10])}, {commit(point)})"
    return f"step at {at}: {levels}, {size(measure, change)}, {kind}{causes}"


def headline(found: list[Series], measure: Measure) -> str:
    """How many series there are, and how many of them end worse, better or steady."""
    worse = [s for s in found if s.ends_worse]
    better = [s for s in found if s.steps and s.steps[-1].material and not s.steps[-1].worse]
    broken = [s for s in found if s.points[-1].value is None]
    told = [
        f"the latest run has no value in {len(broken)}" if broken else "",
        f"the last step is for the worse in {len(worse)}" if worse else "",
        f"for the better in {len(better)}" if better else "",
    ]
    if not worse and not better:
        told.append(f"no step above the {measure.threshold} threshold")
    said = ", ".join(filter(None, told))
    return f"{measure.name} in {fmt.count(len(found), 'cell').replace('cells', 'series')}: {said}."


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
    there = [p.value for p in of.measured if p.value is not None]
    low, high = min(there), max(there)
    middle, reach = (low + high) / 2, max((high - low) / 2, NARROWEST * abs(low + high) / 2)
    if not reach:
        return BARS[0] * len(there)
    return "".join(BARS[min(int(8 * (v - middle + reach) / (2 * reach)), 7)] for v in there)
