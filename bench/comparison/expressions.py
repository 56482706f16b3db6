"""`--fail-on` and `--threshold`: which change of which metric counts, in which cells."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.comparison.measures import MEASURES, MISSING, STATUS, Measure
from bench.errors import UsageError, shown, unknown
from bench.selection import is_named

_FORM = re.compile(
    r"(?:(?P<cells>.+):)?\s*(?P<metric>\w+)\s*(?:@(?P<at>[^<>]+?))?\s*"
    r"(?:(?P<sign>[<>])\s*(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>%|x|×)?)?",
    re.IGNORECASE,
)
LARGEST = 1e9
LONGEST = 500
"""Characters of an expression at most."""
FORM = (
    "METRIC>NUMBER% or METRIC>NUMBERx, with CELLS: before it or @CELLS after the metric where not every cell is meant"
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A change that counts: `limit` as `Measure.limit`; `cells` is a glob, empty for all; `missing` has no limit."""

    text: str
    metric: str
    cells: str
    limit: float

    def covers(self, cell: str, scenario: str, backend: str) -> bool:
        """Whether it is about this cell, given its id and its two labels."""
        return not self.cells or is_named(self.cells, f"{scenario}/{backend}", scenario, backend, cell)


def parse(text: str) -> Expression:
    """Read `seconds_total>10%`, `b2_avg>2x`, `ess_per_second<20%`, `elpd<4`, `s4-linear/torch.*:seconds_total>20%`.

    A bare number is in the metric's unit, for metrics compared by difference. `missing` (with cells or without) is a
    cell that the second run lacks. UsageError says what is allowed.
    """
    if len(text) > LONGEST:
        raise UsageError(f"cannot read {shown(text)}: {len(text)} characters, {LONGEST} are allowed")
    match = _FORM.fullmatch(text.strip())
    if match is None or (match["cells"] and match["at"]):
        raise UsageError(f"cannot read {shown(text)}; write {FORM}")
    name, cells = match["metric"], (match["cells"] or match["at"] or "").strip()
    if name == STATUS:
        raise UsageError(f"{text!r}: a cell that fails where it did not before always counts; leave status out")
    if name == MISSING:
        if match["sign"]:
            raise UsageError(f"{text!r}: missing stands alone, or as {MISSING}@CELLS")
        return Expression(text, name, cells, math.inf)
    if name not in MEASURES:
        raise unknown("metric", name, [*MEASURES, MISSING])
    if not match["sign"]:
        raise UsageError(f"{text!r} says no limit; write {name}{_example(MEASURES[name])}")
    return Expression(text, name, cells, _limit(text, MEASURES[name], match["sign"], match["number"], match["unit"]))


def _limit(text: str, measure: Measure, sign: str, number: str, unit: str | None) -> float:
    wanted = ">" if measure.lower_is_better else "<"
    better = "lower" if measure.lower_is_better else "higher"
    example = f"write {measure.name}{_example(measure)}"
    if sign != wanted:
        raise UsageError(f"{text!r}: {measure.name} is better when {better}; {example}")
    value = float(number)
    if value > LARGEST:
        raise UsageError(f"{text!r}: {shown(number)} is not allowed; at most {LARGEST:g}")
    if measure.scale == "difference":
        if unit or value <= 0:
            why = f"a number above 0 in {measure.unit}" if measure.unit else "a number above 0"
            raise UsageError(f"{text!r}: {measure.name} is compared as a difference, {why}; {example}")
        return value
    if unit is None:
        raise UsageError(f"{text!r}: per cent or times? {example}")
    ratio = (1 + value / 100 if sign == ">" else 1 - value / 100) if unit == "%" else value
    if ratio <= 0 or (ratio <= 1) == (sign == ">") or ratio == 1:
        bounds = "above 1x" if sign == ">" else "between 0x and 1x"
        raise UsageError(f"{text!r} means a ratio of {ratio:g}x, but it must be {bounds}; {example}")
    return abs(math.log(ratio))


def _example(measure: Measure) -> str:
    sign = ">" if measure.lower_is_better else "<"
    if measure.scale == "difference":
        return f"{sign}{measure.limit:g}"
    factor = math.exp(measure.limit)
    return f"{sign}{factor:.3g}x" if factor >= 1.5 and sign == ">" else f"{sign}10%"


def last(expressions: Sequence[Expression], metric: str, cell: str, scenario: str, backend: str) -> Expression | None:
    """The last expression on this metric that covers the cell: a later one overrides an earlier one."""
    covering = [e for e in expressions if e.metric == metric and e.covers(cell, scenario, backend)]
    return covering[-1] if covering else None


def check_cells(expressions: Iterable[Expression], cells: Sequence[tuple[str, str, str]]) -> None:
    """UsageError for a glob that matches no (id, scenario, backend): a gate on nothing would pass for ever."""
    for e in expressions:
        if not any(e.covers(*cell) for cell in cells):
            raise unknown("cell", e.cells, {f"{scenario}/{backend}" for _, scenario, backend in cells})
