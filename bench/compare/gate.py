"""A run and its baseline → a verdict with an exit code: the judgement of `bench compare` and a policy on top of it.

The policy: a fit that did not finish has an exit code of its own, times of another machine are advice or (`strict`)
not comparable, and a gate none of whose benchmarks has an interval is not passed but `not comparable`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.compare.baseline import NoBaseline, Source
from bench.compare.expressions import parse
from bench.compare.measures import STATUS
from bench.compare.rows import CODES as COMPARISON_CODES
from bench.compare.rows import NO_BASELINE, Comparison, Request, Row
from bench.compare.rules import Rules
from bench.compare.verdicts import judged
from bench.types import BAD_STATUSES

CODES = {**COMPARISON_CODES, "tests failed": 1, "fits failed": 3, "no baseline": NO_BASELINE}
"""What can come of a gate; `tests failed` of pytest only, where tests failed that are no benchmarks."""


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
    request = rules.request()
    made = judged(base.tables, candidate.tables, request)
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
