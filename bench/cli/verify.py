"""`bench verify`: hold every framework's log density and gradient against the family's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from bench.catalog.frameworks import Framework
    from bench.store.manifest import Verified
    from bench.types import Scenario
    from bench.verify.outcome import Pair

WORDS = {"same": "same target", "wrong": "wrong target"}


def verify(
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="Scenario name or glob. [default: all]"),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", "-b", metavar="NAME", help="Backend or framework, name or glob. [default: all]"),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32. [default: both]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
) -> None:
    """Hold every framework's log density and its gradient against the family's own float64 ones.

    They are compared at 32 points of U(−2, 2) in unconstrained space, 32 draws of the reference posterior and 8 points
    in the far tail; constants may differ. Allowed is a relative error of 1e-9 in float64 and 1e-5 in float32, beyond
    what rounding alone does where terms cancel. Frameworks without a density of their own have none to verify.

    \b
    Examples:
      bench verify                                every framework, scenario and precision
      bench verify -b numpyro.nuts -b 'torch.*'   the frameworks of these backends
      bench verify -b pyro -s 's0-*' --dtype float64
      bench verify -s 's1-known-noise[n_obs=100000]' --json

    \b
    Exit codes: 0 ok · 2 usage · 3 some density is wrong or could not be evaluated · 4 nothing could be verified
    · 130 interrupted.
    """
    from bench.cli import output, signals
    from bench.cli.options import word
    from bench.store.manifest import plain
    from bench.verify import gate
    from bench.verify.frameworks import chosen

    dtypes = [word("dtype", dtype, ("float64", "float32"))] if dtype else ["float64", "float32"]
    word("device", device, ("cpu", "cuda"))
    frameworks = chosen(backend or [])
    pairs = list(_pairs(frameworks, list(_scenarios(scenario or ["*"])), dtypes, device))
    with signals.patience(), output.Status("starting", quiet=json_, lines=True) as status:
        try:
            outcomes = gate.verify(pairs, status.update, again=True)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
    without = [f.name for f in frameworks if not f.has_density]
    code = _exit_code(outcomes)
    if json_:
        output.print_json({"outcomes": [plain(o) for o in outcomes], "without_density": without, "exit": code})
    else:
        _show(outcomes, without)
    raise typer.Exit(code)


def _scenarios(selectors: Sequence[str]) -> Iterator[Scenario]:
    from bench.catalog.places import scenario_files
    from bench.catalog.scenarios import scenario
    from bench.selection import expand, parse, sweeps

    for text in selectors:
        selector = parse(text)
        for name in expand(selector, scenario_files(), "scenario"):
            for overrides in sweeps(selector.values):
                yield scenario(name, overrides)


def _pairs(
    frameworks: Sequence[Framework], scenarios: Sequence[Scenario], dtypes: Sequence[str], device: str
) -> Iterator[Pair]:
    from bench.verify.outcome import Pair

    for framework in frameworks:
        if framework.has_density:
            for scenario in scenarios:
                for dtype in dtypes:
                    yield Pair(framework.name, scenario, cast(Any, dtype), cast(Any, device))


def _exit_code(outcomes: Sequence[Verified]) -> int:
    from bench.verify.outcome import REFUSED

    verdicts = {outcome.verdict for outcome in outcomes}
    return 3 if verdicts & REFUSED else 0 if "same" in verdicts else 4


def _show(outcomes: Sequence[Verified], without: Sequence[str]) -> None:
    """A row per density, then what has none, then the reason of everything that is not the same."""
    from collections import Counter

    from rich.table import Table

    from bench.cli.output import OUT
    from bench.verify.comparison import printed

    table = Table("framework", "scenario", "dtype", "log density", "gradient", "gate", "verdict", box=None)
    for o in outcomes:
        gate = "" if o.gate is None else printed(o.gate)
        row = [o.framework, o.scenario, o.dtype, _error(o.value_error), _error(o.gradient_error), gate]
        table.add_row(*(text.replace("[", r"\[") for text in row), WORDS.get(o.verdict, o.verdict))
    if outcomes:
        OUT.print(table)
    for o in outcomes:
        if o.reason:
            reason = o.reason if o.verdict == "wrong" else f"{o.verdict}: {o.reason}"
            OUT.print(f"{o.framework} × {o.scenario}, {o.dtype}: {reason}", markup=False)
    elsewhere = {f"{o.scenario}: {group}" for o in outcomes for group in o.points if "no reference" in group}
    for text in sorted(elsewhere):
        OUT.print(text, markup=False)
    if without:
        OUT.print(f"without a density of their own: {', '.join(without)}", markup=False)
    counts = Counter(WORDS.get(o.verdict, o.verdict) for o in outcomes)
    device = f" on {outcomes[0].device}" if outcomes else ""
    OUT.print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + device if counts else "nothing to verify")


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
