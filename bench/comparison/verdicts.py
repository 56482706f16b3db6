"""Two runs → a verdict per cell and metric: the one judgement of `compare`, `gate`, `ab` and the pytest plugin.

Medians of the fits of a round are compared by Student's t (paired where data are shared, else Welch's), ratios on the
log scale, with all intervals at one level by Benjamini and Hochberg. A change is called worse or better where three
things hold: the interval excludes no change, the estimate passes the threshold, and so does the change of the medians
over all fits, so that no single fit or round, however far off, decides. With fewer than three rounds (for scores:
fits) there is no interval and nothing is called.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis import changes, hosts
from bench.analysis.labels import label
from bench.analysis.sections import VARYING
from bench.analysis.tables import CellTables, RunTables, split
from bench.catalog.backends import backend
from bench.catalog.places import is_backend
from bench.comparison.expressions import check_cells, last
from bench.comparison.measures import MEASURES, MISSING, STATUS, Measure, worded
from bench.comparison.rows import Comparison, Request, Row, Verdict, variants
from bench.comparison.samples import Finished, finished, sample
from bench.comparison.status import status_row
from bench.comparison.warnings import warnings
from bench.stats.intervals import Estimate, common_level


@dataclass(frozen=True, slots=True)
class Pair:
    """A cell that both runs have, with what is known of it before any number is looked at."""

    row: Row
    status: Row
    a: Finished
    b: Finished
    data: str
    elsewhere: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A row whose verdict waits for the level at which all intervals are read."""

    row: Row
    measure: Measure
    limit: float

    @property
    def matters(self) -> bool:
        """Whether the estimate passes the limit, and so does the change of the medians over all fits."""
        estimate, a, b = self.row.estimate, self.row.a, self.row.b
        if estimate is None or a is None or b is None or abs(estimate.effect) <= self.limit:
            return False
        medians = self.measure.compared(b) - self.measure.compared(a)
        return math.copysign(1.0, estimate.effect) * medians > self.limit


def judged(a: RunTables, b: RunTables, request: Request) -> Comparison:
    """`compare`, with what the catalog knows of the packages that each backend imports."""
    names = {str(name) for run in (a, b) for name in run.fits["backend"].unique()}
    known = {name: tuple(backend(name).home.versions) for name in sorted(filter(is_backend, names))}
    return compare(a, b, replace(request, packages=known))


def compare(a: RunTables, b: RunTables, request: Request) -> Comparison:
    """Compare run B with its baseline A; UsageError where an expression names a cell that neither has."""
    first, second = split(a), split(b)
    names = _names(a.fits, b.fits)
    check_cells((*request.fail_on, *request.thresholds), [(r.cell, r.scenario, r.backend) for r in names.values()])
    machine, changed = changes.machine(a.run, b.run), changes.versions(a.run, b.run)
    pairs, alone = [], []
    for cell, row in names.items():
        if (single := _one_sided(row, first.get(cell), second.get(cell))) is not None:
            alone.append(single)
        elif cell in first and cell in second and _tried(first[cell]):
            pairs.append(_pair(row, first[cell], second[cell], machine, changed, request))
    drafts = [draft for pair in pairs for draft in _drafts(pair, request)]
    tested = [(d, d.row.estimate) for d in drafts if d.row.estimate and not d.row.estimate.certain]
    # What is too small to be called must not buy the others a lower level, however sure it is.
    p_values = [estimate.p_value if draft.matters else 1.0 for draft, estimate in tested]
    level = common_level(p_values, looks=request.looks)
    rows = [*alone, *(_judged(draft, level) for draft in drafts)]
    rows = [replace(row, regression=_fails(row, request)) for row in rows]
    comparison = Comparison(
        a=a.run.id or "A",
        b=b.run.id or "B",
        rows=tuple(rows),
        level=level,
        tests=len(tested),
        cells=len(pairs),
        machine=tuple(machine),
        harness=tuple(changes.harness(a.run, b.run)),
        versions=tuple(f"{name} {change}" for name, change in changed.items()),
        unchecked=tuple(_unchecked(rows, request)),
        gates=tuple(e.text for e in request.fail_on),
    )
    return replace(comparison, warnings=tuple(warnings(comparison, a, b, request)))


def _names(*fits: pd.DataFrame) -> dict[str, Row]:
    """{cell: a row with its labels}, cells of A first; `variant` tells namesakes apart."""
    both = pd.concat([f.reindex(columns=["cell", "scenario", "backend", "options", "track", *VARYING]) for f in fits])
    firsts = both.drop_duplicates("cell").to_dict("records")
    return {
        str(first["cell"]): Row(
            str(first["cell"]), str(first["scenario"]), label(first), "", "inconclusive", variant=variant
        )
        for first, variant in zip(firsts, variants(firsts), strict=True)
    }


def _tried(cell: CellTables) -> bool:
    """Whether anything was tried: not all of it unavailable here or cut short."""
    return bool((~cell.fits["status"].isin(["unavailable", "interrupted"])).any())


def _one_sided(row: Row, a: CellTables | None, b: CellTables | None) -> Row | None:
    """The row of a cell that only one run has; None where both have it, or neither tried it."""
    tried = a is not None and _tried(a), b is not None and _tried(b)
    if tried[0] == tried[1]:
        return None
    verdict: Verdict = "missing" if tried[0] else "new"
    other, name = (b, "B") if tried[0] else (a, "A")
    if other is None:
        return replace(row, verdict=verdict, reason=f"{name} does not have this cell")
    first = other.fits.iloc[0]
    return replace(row, verdict=verdict, reason=f"{first['status']} in {name}: {first['reason']}")


def _pair(
    row: Row, a: CellTables, b: CellTables, machine: list[str], changed: Mapping[str, str], request: Request
) -> Pair:
    backend = row.backend.partition("[")[0]
    needed = (request.packages or {}).get(backend)
    elsewhere = "; ".join(machine)
    if forced := changes.threads(a, b):
        elsewhere = "; ".join(filter(None, [elsewhere, f"threads: {forced}"]))
    if not elsewhere and (homes := (hosts.home(a), hosts.home(b)))[0] != homes[1]:
        elsewhere = f"machine: {homes[0] or 'none'} → {homes[1] or 'none'}"
    flags = [f"code-changed: {what}" for what in changes.code(a, b, changes.concerning(changed, needed))]
    row = replace(row, flags=tuple(flags))
    return Pair(row, status_row(row, a, b), finished(a), finished(b), changes.data(a, b), elsewhere)


def _drafts(pair: Pair, request: Request) -> Iterator[Draft]:
    """Every row of a cell; where a run has no finished fit, its status says all there is."""
    for name in request.compared:
        if name == STATUS:
            yield Draft(pair.status, MEASURES["seconds_total"], math.inf)
        elif pair.a.fits and pair.b.fits and (draft := _draft(pair, MEASURES[name], request)):
            yield draft


def _draft(pair: Pair, measure: Measure, request: Request) -> Draft | None:
    numbers = sample(measure, pair.a, pair.b)
    if numbers is None:
        return None
    row = pair.row
    gate = last((*request.thresholds, *request.fail_on), measure.name, row.cell, row.scenario, row.backend)
    limit = gate.limit if gate else measure.limit
    row = replace(
        row, metric=measure.name, unit=measure.unit, scale=measure.scale, per=measure.per, a=numbers.a, b=numbers.b,
        threshold=worded(limit, measure.scale, measure.unit), reason=numbers.reason,
    )  # fmt: skip
    if numbers.a is None or numbers.b is None:
        absent = "B" if numbers.b is None else "A"
        row = replace(row, verdict="missing" if absent == "B" else "new", reason=f"{absent} does not have this metric")
    elif pair.data:
        row = replace(row, verdict="code-changed", reason=pair.data)
    elif measure.machine_bound and pair.elsewhere and not request.allow_other_machine:
        row = replace(row, verdict="other-machine", reason=pair.elsewhere)
    else:
        advisory = measure.machine_bound and bool(pair.elsewhere)
        flags = (*row.flags, "advisory: other machine") if advisory else row.flags
        row = replace(row, estimate=numbers.estimate, advisory=advisory, flags=flags)
    return Draft(row, measure, limit)


def _judged(draft: Draft, level: float) -> Row:
    """The row with its interval at this level and its verdict."""
    row, measure = draft.row, draft.measure
    if row.metric == STATUS or row.estimate is None:
        return row
    low, high = row.estimate.interval(level)
    verdict, reason = verdict_on(row.estimate, (low, high), measure, draft.limit)
    if verdict in ("worse", "better") and not draft.matters:
        verdict, reason = "inconclusive", "the change of the medians over all fits is within the threshold"
    worst = high if measure.lower_is_better else low
    return replace(
        row, verdict=verdict, reason=reason, change=measure.shown(row.estimate.effect),
        interval=(measure.shown(low), measure.shown(high)),
        hides=measure.shown(worst) if verdict == "inconclusive" else None,
    )  # fmt: skip


def verdict_on(
    estimate: Estimate, interval: tuple[float, float], measure: Measure, limit: float
) -> tuple[Verdict, str]:
    """The verdict on a change and its interval, both on the scale compared, with a reason where one is needed.

    A difference is called only where the interval excludes none and the estimate passes the limit; `same` only where
    the whole interval lies within the limit, so never for want of rounds.
    """
    low, high = sorted(map(measure.worsening, interval))
    worse = measure.worsening(estimate.effect)
    shown = low > 0 or high < 0
    if shown and abs(worse) > limit:
        return ("worse" if worse > 0 else "better"), ""
    if -limit <= low and high <= limit:
        return "same", "identical in every fit" if estimate.certain and worse == 0 else ""
    side = "worse" if worse > 0 else "better"
    return "inconclusive", f"{side} is shown, but not by more than the threshold" if shown else ""


def _fails(row: Row, request: Request) -> bool:
    """Whether the row makes the comparison fail; a status that got worse always does."""
    if row.metric == "" and row.verdict == "missing":
        return last(request.fail_on, MISSING, row.cell, row.scenario, row.backend) is not None
    if row.verdict != "worse" or row.advisory:
        return False
    gated = last(request.gates, row.metric, row.cell, row.scenario, row.backend) is not None
    return row.metric == STATUS or gated or not request.gates


def _unchecked(rows: list[Row], request: Request) -> Iterator[str]:
    """Gates that no row could answer, for want of a cell or of rounds: they must not pass."""
    for gate in request.gates:
        answers = [r for r in rows if r.metric == gate.metric and gate.covers(r.cell, r.scenario, r.backend)]
        if not any(r.estimate is not None for r in answers):
            yield gate.text
