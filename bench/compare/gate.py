"""A run and its baseline → a verdict with an exit code.

Each metric is compared as in `bench compare`: medians of the fits of a round, Student's t (paired where data are
shared, else Welch's) on the log scale over rounds, all intervals at one level by Benjamini and Hochberg. A regression
needs three things: the interval excludes no change, the change passes the threshold, and so does the change of the
medians over all fits, so that no single fit or round, however far off, decides. Where there are fewer than three
rounds (for scores: fits), there is no interval and nothing is called: a gate none of whose cells has one is not passed
but `not comparable`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.catalog.backends import backend
from bench.catalog.places import backend_files
from bench.compare.baseline import NoBaseline, Source
from bench.compare.expressions import last, parse
from bench.compare.measures import MEASURES, STATUS
from bench.compare.rows import COMPARED, Comparison, Request, Row
from bench.compare.rules import Rules
from bench.compare.verdicts import compare
from bench.types import BAD_STATUSES

CODES = {"ok": 0, "regression": 1, "tests failed": 1, "fits failed": 3, "no baseline": 5, "not comparable": 6}
"""What can come of a gate; `tests failed` of pytest only, where tests failed that are no benchmarks."""
ORDER = ("tests failed", "fits failed", "no baseline", "regression", "not comparable", "ok")
"""Of several the first counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` is a key of CODES, `reason` a sentence; no comparison without a baseline.

    `absent` are benchmarks of the baseline that this run should have had, `new` those the baseline lacks,
    `deselected` those left out on purpose, `failed` those of which some fit did not finish: {name: why}.
    """

    outcome: str
    reason: str
    baseline: str
    comparison: Comparison | None = None
    absent: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def code(self) -> int:
        """The exit code."""
        return CODES[self.outcome]


def judge(candidate: Source, base: Source | NoBaseline, rules: Rules) -> Verdict:
    """Judge a run; UsageError where a rule names no cell of either."""
    failed = tuple(unfinished(candidate))
    if isinstance(base, NoBaseline):
        outcome, why = ("fits failed", counted(failed)) if failed else ("no baseline", str(base))
        return Verdict(outcome, why, rules.baseline, failed=failed)
    request = replace(rules.request(), packages=_packages(candidate))
    made = _guarded(compare(base.tables, candidate.tables, request), request)
    outcome, reason = _outcome(made, request, rules, failed)
    gone = [r for r in made.rows if r.verdict == "missing" and not r.metric]
    left_out = [r for r in gone if _name(r, base, candidate) in candidate.deselected]
    return Verdict(
        outcome,
        reason,
        base.place,
        made,
        tuple(_name(r, base, candidate) for r in gone if r not in left_out),
        tuple(_name(r, base, candidate) for r in made.rows if r.verdict == "new" and not r.metric),
        tuple(_name(r, base, candidate) for r in left_out),
        failed,
    )


def _packages(candidate: Source) -> dict[str, tuple[str, ...]]:
    """What each backend imports, as far as the catalog knows it: a changed version is said where it can matter."""
    named = {str(name) for name in candidate.tables.fits["backend"].unique()}
    return {name: backend(name).packages for name in sorted(named & set(backend_files()))}


def _guarded(made: Comparison, request: Request) -> Comparison:
    """A regression in numbers stays one only where the medians say so too."""
    rows = tuple(_by_medians(row, request) for row in made.rows)
    return replace(made, rows=rows, unchecked=tuple(_unchecked(rows, request)))


def _by_medians(row: Row, request: Request) -> Row:
    if not row.regression or row.metric in ("", STATUS) or row.a is None or row.b is None:
        return row
    measure = MEASURES[row.metric]
    gate = last((*request.thresholds, *request.fail_on), row.metric, row.cell, row.scenario, row.backend)
    limit = gate.limit if gate else measure.limit
    worse = math.log(row.b / row.a) if measure.scale == "ratio" and min(row.a, row.b) > 0 else row.b - row.a
    if (worse if measure.lower_is_better else -worse) > limit:
        return row
    why = "the change of the medians over all fits is within the threshold"
    return replace(row, verdict="inconclusive", regression=False, reason=why)


def _unchecked(rows: tuple[Row, ...], request: Request) -> list[str]:
    """Gates that no row could answer, for want of a cell or of rounds: they must not pass."""
    return [
        gate.text
        for gate in request.gates
        if not any(
            r.verdict in COMPARED and r.estimate is not None
            for r in rows
            if r.metric == gate.metric and gate.covers(r.cell, r.scenario, r.backend)
        )
    ]


def _outcome(made: Comparison, request: Request, rules: Rules, failed: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    if failed:
        return "fits failed", counted(failed)
    if found := made.regressions:
        cells = {row.cell for row in found}
        return "regression", f"{len(found)} of {len(made.rows)} comparisons, in {len(cells)} of {made.cells} benchmarks"
    elsewhere = "; ".join(made.machine) or next((r.reason for r in made.rows if r.verdict == "other-machine"), "")
    if not elsewhere and any(r.advisory for r in made.rows):
        elsewhere = "its fits had other numbers of CPUs"
    if rules.strict and elsewhere:
        return "not comparable", f"the baseline is of another machine: {elsewhere}"
    if made.unchecked:
        return (
            "not comparable",
            f"{made.unchecked[0]!r} could be checked in no benchmark: {_why(made, made.unchecked[0])}",
        )
    if why := _unjudged(made, request):
        return "not comparable", why
    advice = f"; times are advice only, the baseline is of another machine ({elsewhere})" if elsewhere else ""
    return "ok", f"no regression in {made.cells} benchmarks{advice}"


def _unjudged(made: Comparison, request: Request) -> str:
    """Why nothing can be said, or nothing of speed, where no gate says what is wanted; empty where it can."""
    rows = [r for r in made.rows if r.metric not in ("", STATUS)]
    timed = [r for r in rows if r.metric == "seconds_total"]
    if not any(r.estimate is not None for r in rows):
        return _why(made, "")
    if timed and not request.gates and not any(r.estimate is not None for r in timed):
        return f"seconds_total could be compared in no benchmark: {_why(made, 'seconds_total>5%')}"
    return ""


def _why(made: Comparison, gate: str) -> str:
    """The commonest reason why nothing could be compared."""
    if not made.cells:
        return "the run and its baseline have no benchmark in common"
    metric = parse(gate).metric if gate else ""
    rows = [r for r in made.rows if r.metric not in ("", STATUS) and metric in ("", r.metric)]
    reasons = [r.reason for r in rows if r.reason and r.estimate is None]
    if not reasons:
        return "no benchmark of both has this metric" if metric else "nothing but status is known of both"
    why = max(dict.fromkeys(reasons), key=reasons.count)
    return f"{why}; next: both again with --bench-rounds 5 or more" if "needed" in why else why


def unfinished(candidate: Source) -> list[tuple[str, str]]:
    """What did not finish; what cannot run here only where it was named without a glob or suite."""
    fits = candidate.tables.fits
    asked = fits["explicit"].fillna(False).astype(bool) & fits["status"].isin(["unsupported", "unavailable"])
    bad = fits[fits["status"].isin(list(BAD_STATUSES)) | asked]
    found = {}
    for cell, mine in bad.groupby("cell", sort=False):
        first = mine.iloc[0]
        default = f"{first['scenario']}/{first['backend']}"
        found[candidate.names.get(str(cell), default)] = f"{first['status']}: {first['reason']}"
    return sorted(found.items())


def counted(failed: tuple[tuple[str, str], ...]) -> str:
    """How many there are, as a sentence."""
    return f"{len(failed)} {'benchmark' if len(failed) == 1 else 'benchmarks'} with a fit that did not finish"


def _name(row: Row, base: Source, candidate: Source) -> str:
    return candidate.names.get(row.cell) or base.names.get(row.cell) or f"{row.scenario}/{row.backend}"
