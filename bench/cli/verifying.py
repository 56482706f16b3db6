"""Which densities `bench verify` compares, and what it prints."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

from bench.catalog.frameworks import Framework, frameworks
from bench.catalog.places import backend_files
from bench.cli import FAILED, INTERRUPTED, NOTHING, OK, output, signals
from bench.cli.output import OUT
from bench.cli.progress import Status
from bench.errors import UsageError, unknown
from bench.selected import Scenarios
from bench.selection import expand, parse
from bench.store.manifest import Verified, plain
from bench.types import Scenario
from bench.verify import gate
from bench.verify.comparison import printed
from bench.verify.outcome import REFUSED, Pair
from bench.words import format as fmt

WORDS = {"same": "same target", "wrong": "wrong target"}


def verify(
    scenarios: Sequence[str], backends: Sequence[str], dtypes: Sequence[str], device: str, *, as_json: bool
) -> int:
    """Verify every density of the frameworks of these backends on these scenarios, and print; the exit code."""
    chosen = frameworks_of(backends)
    chosen_scenarios = Scenarios(scenarios)
    pairs = list(_pairs(chosen, list(chosen_scenarios), dtypes, device))
    output.warn_broken(chosen_scenarios.broken)
    with signals.patience(), Status("starting", quiet=as_json, lines=True) as status:
        try:
            outcomes = gate.verify(pairs, status.update, again=True)
        except KeyboardInterrupt:
            return INTERRUPTED
    without = [f.name for f in chosen if not f.has_density]
    code = _exit_code(outcomes)
    if as_json:
        output.print_json({"outcomes": [plain(o) for o in outcomes], "without_density": without, "exit": code})
    else:
        _show(outcomes, without)
    return code


def frameworks_of(names: Sequence[str]) -> list[Framework]:
    """Those that `torch`, `py*`, `numpyro.nuts` or `torch.*` name, all where nothing is named; UsageError."""
    known, files, wanted = frameworks(), backend_files(), set[str]()
    for text in names:
        selector = parse(text)
        if selector.values:
            raise UsageError(f"cannot verify {text!r}: a density has no options; name the backend or framework alone")
        if matching := fnmatch.filter(known, selector.name):
            wanted |= set(matching)
        elif "." in selector.name:
            wanted |= {backend_name.partition(".")[0] for backend_name in expand(selector, files, "backend")}
        else:
            raise unknown("backend or framework", selector.name, [*known, *files])
    return [framework for name, framework in known.items() if not names or name in wanted]


def _pairs(
    frameworks: Sequence[Framework], scenarios: Sequence[Scenario], dtypes: Sequence[str], device: str
) -> Iterator[Pair]:
    for framework in frameworks:
        if framework.has_density:
            for scenario in scenarios:
                for dtype in dtypes:
                    yield Pair(framework.name, scenario, cast(Any, dtype), cast(Any, device))


def _exit_code(outcomes: Sequence[Verified]) -> int:
    verdicts = {outcome.verdict for outcome in outcomes}
    return FAILED if verdicts & REFUSED else OK if "same" in verdicts else NOTHING


def _show(outcomes: Sequence[Verified], without: Sequence[str]) -> None:
    """A row per density, then what has none, then the reason of everything that is not the same."""
    rows = []
    for o in outcomes:
        limit = "" if o.gate is None else printed(o.gate)
        errors = [_error(o.value_error), _error(o.gradient_error)]
        rows.append([o.framework, o.scenario, o.dtype, *errors, limit, WORDS.get(o.verdict, o.verdict)])
    if rows:
        output.show_table(["framework", "scenario", "dtype", "log density", "gradient", "gate", "verdict"], rows)
    for o in outcomes:
        if o.reason and o.verdict != "unavailable":
            reason = o.reason if o.verdict == "wrong" else f"{o.verdict}: {o.reason}"
            OUT.print(f"{o.framework} × {o.scenario}, {o.dtype}: {reason}")
    absent = Counter((o.framework, o.reason) for o in outcomes if o.verdict == "unavailable")
    for (framework, reason), number in absent.items():
        OUT.print(f"{framework}: unavailable, {fmt.count(number, 'density')}: {reason}")
    elsewhere = {f"{o.scenario}: {group}" for o in outcomes for group in o.points if "no reference" in group}
    for text in sorted(elsewhere):
        OUT.print(text)
    if without:
        OUT.print(f"without a density of their own: {', '.join(without)}")
    counts = Counter(WORDS.get(o.verdict, o.verdict) for o in outcomes)
    device = f" on {outcomes[0].device}" if outcomes else ""
    OUT.print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + device if counts else "nothing to verify")


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
