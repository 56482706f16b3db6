"""A run and its baseline → a verdict with an exit code: the judgement of `bench compare` and a policy on top of it.

The policy: a fit that did not finish has an exit code of its own. Times of another machine are advice or (`strict`) not
compared. A rule that no benchmark answers, or only advice (unless `advice_only_ok`), is not passed: `not comparable`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.analysis.tables import failed
from bench.comparison.baseline import NoBaseline, Source
from bench.comparison.expressions import parse
from bench.comparison.measures import STATUS
from bench.comparison.rows import CODES as COMPARISON_CODES
from bench.comparison.rows import NO_BASELINE, Comparison, Request
from bench.comparison.rules import Rules
from bench.comparison.verdicts import judged

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
    comparison = judged(base.tables, candidate.tables, request)
    outcome, reason = ("fits failed", counted(failed)) if failed else _outcome(comparison, request, rules)
    alone: dict[str, list[str]] = {"missing": [], "new": [], "deselected": []}
    for row in comparison.rows:
        if not row.metric:
            name = candidate.names.get(row.cell) or base.names.get(row.cell) or f"{row.scenario}/{row.backend}"
            left_out = row.verdict == "missing" and name in candidate.deselected
            alone["deselected" if left_out else row.verdict].append(name)
    return Verdict(
        outcome, reason, base.place, comparison, absent=tuple(alone["missing"]), new=tuple(alone["new"]),
        deselected=tuple(alone["deselected"]), failed=failed,
    )  # fmt: skip


def _outcome(comparison: Comparison, request: Request, rules: Rules) -> tuple[str, str]:
    """What a comparison of finished fits comes to, a key of CODES, and why."""
    rows, cells = comparison.rows, comparison.cells
    if failing := comparison.regressions:
        many = len({row.cell for row in failing})
        return "regression", f"{len(failing)} of {len(rows)} comparisons, in {many} of {cells} benchmarks"
    elsewhere = "; ".join(comparison.machine) or next((r.reason for r in rows if r.verdict == "other-machine"), "")
    if not elsewhere and any(row.advisory for row in rows):
        elsewhere = "its fits had other numbers of CPUs"
    if rules.strict and elsewhere:
        return "not comparable", f"the baseline is of another machine: {elsewhere}"
    if comparison.unchecked:
        gate = comparison.unchecked[0]
        return "not comparable", f"{gate!r} could be checked in no benchmark: {_why(comparison, parse(gate).metric)}"
    if why := _unjudged(comparison, request):
        return "not comparable", why
    if not rules.advice_only_ok and (rule := _advice_only(comparison, request)):
        why = f"{rule!r} was answered by advice only, for the baseline is of another machine ({elsewhere})"
        return "not comparable", f"{why}; next: a baseline of this machine, or --advice-only-ok"
    advice = f"; times are advice only, the baseline is of another machine ({elsewhere})" if elsewhere else ""
    return "ok", f"no regression in {cells} benchmarks{advice}"


def _unjudged(comparison: Comparison, request: Request) -> str:
    """Why nothing was compared or, where no gate names a metric, nothing of speed; empty where something was."""
    rows = [r for r in comparison.rows if r.metric not in ("", STATUS)]
    timed = [r for r in rows if r.metric == "seconds_total"]
    if not any(r.estimate is not None for r in rows):
        return _why(comparison)
    if timed and not request.gates and not any(r.estimate is not None for r in timed):
        return f"seconds_total could be compared in no benchmark: {_why(comparison, 'seconds_total')}"
    return ""


def _advice_only(comparison: Comparison, request: Request) -> str:
    """The first rule (without rules, `seconds_total`) whose every answer is advice; empty where there is none."""
    rows = [r for r in comparison.rows if r.estimate is not None]
    answers = {
        g.text: [r for r in rows if r.metric == g.metric and g.covers(r.cell, r.scenario, r.backend)]
        for g in request.gates
    }
    answers = answers or {"seconds_total": [r for r in rows if r.metric == "seconds_total"]}
    return next((text for text, own in answers.items() if own and all(r.advisory for r in own)), "")


def _why(comparison: Comparison, metric: str = "") -> str:
    """The commonest reason why this metric, or any, could not be compared."""
    if not comparison.cells:
        return "the run and its baseline have no benchmark in common"
    rows = [r for r in comparison.rows if r.metric not in ("", STATUS) and metric in ("", r.metric)]
    reasons = [r.reason for r in rows if r.reason and r.estimate is None]
    if not reasons:
        return "no benchmark of both has this metric" if metric else "nothing but status is known of both"
    why = max(dict.fromkeys(reasons), key=reasons.count)
    return f"{why}; next: both again with --bench-rounds 5 or more" if "needed" in why else why


def unfinished(candidate: Source) -> list[tuple[str, str]]:
    """(name, how it ended) of each benchmark with a fit that counts as failed."""
    fits = candidate.tables.fits
    bad = fits[failed(fits)].drop_duplicates("cell")
    names = {str(row["cell"]): f"{row['scenario']}/{row['backend']}" for _, row in bad.iterrows()} | candidate.names
    return sorted({names[str(row["cell"])]: f"{row['status']}: {row['reason']}" for _, row in bad.iterrows()}.items())


def counted(failed: tuple[tuple[str, str], ...]) -> str:
    """`2 benchmarks with a fit that did not finish`."""
    return f"{len(failed)} {'benchmark' if len(failed) == 1 else 'benchmarks'} with a fit that did not finish"
