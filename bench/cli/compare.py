"""`bench compare`: what changed between two runs, and whether that should fail a pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from bench.analysis.tables import RunTables
    from bench.compare.rows import Comparison, Request
    from bench.store.folder import RunFolder

CODES = {"ok": 0, "regression": 1, "not comparable": 6}
NO_BASELINE = 5
CONFIG = {"fail_on": list, "metric": list, "threshold": list, "format": str, "allow_other_machine": bool, "all": bool}


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The baseline: name or path of a run, or `latest`.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The run to judge.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", metavar="EXPR", help="What alone fails (and its threshold); may be repeated."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Compare these metrics instead of the default ones.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option("--threshold", metavar="EXPR", help="How large a change counts, in the form of --fail-on."),
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", help="text, markdown or json. [default: text]")] = None,
    allow_other_machine: Annotated[
        bool,
        typer.Option("--allow-other-machine", help="Show times of different machines, as advice only."),
    ] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every row, not only what changed (json has all).")] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file of these options; the command line wins.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
) -> None:
    """Compare run B with its baseline A, cell by cell and metric by metric: ratio, interval, verdict.

    \b
    Examples:
      bench compare before after
      bench compare before after --fail-on 'seconds_total>10%' --fail-on 'b2_avg>2x'
      bench compare before after --fail-on 'seconds_total>10%' --fail-on 's4-linear/torch.*:seconds_total>20%'
      bench compare before after -m ess_per_gradient -m elpd --all
      bench compare results/before results/after --format markdown > comment.md

    \b
    EXPR is METRIC>NUMBER% or METRIC>NUMBERx (METRIC< where more is better, as ess_per_second<20%; a bare number for
    metrics compared by difference, as elpd<4). CELLS: before it, or @CELLS after the metric, limits it to cells by
    id, scenario, backend or scenario/backend, with * and ?; a later one overrides an earlier one. `missing` fails on
    cells that B lacks. Without --fail-on every metric compared may fail. A cell that finished in A and fails in B
    always fails.

    \b
    Verdicts: worse, better (interval excludes 1, ratio passes the threshold), same (whole interval within the
    threshold), inconclusive, new, missing, code-changed (other data), other-machine (times not compared).

    \b
    Exit codes: 0 ok · 1 regression · 2 usage · 5 no baseline · 6 not comparable.
    """
    from bench.cli import options, output

    given = {"fail_on": fail_on, "metric": metric, "threshold": threshold, "format": format_,
             "allow_other_machine": allow_other_machine, "all": all_}  # fmt: skip
    chosen = {**options.config(config, CONFIG), **{k: v for k, v in given.items() if v}}
    form = options.word("format", chosen.get("format", "text"), ("text", "markdown", "json"))
    request = requested(chosen)
    judged = _open(results, b)
    made = compared(_baseline(results, a), judged, request)
    code = CODES[made.outcome]
    if form == "json":
        from bench.present.comparison import document

        output.print_json(document.render(made, code=code))
    else:
        from bench.present.comparison import markdown, text

        render = text.render if form == "text" else markdown.render
        sys.stdout.write(render(made, everything=bool(chosen.get("all"))))
    raise typer.Exit(code)


def requested(chosen: dict[str, Any]) -> Request:
    """The user's options, checked; UsageError."""
    from bench.compare.expressions import parse
    from bench.compare.measures import DEFAULT, MEASURES, STATUS
    from bench.compare.rows import Request
    from bench.errors import UsageError, unknown

    for name in chosen.get("metric", ()):
        if name not in MEASURES and name != STATUS:
            raise unknown("metric", name, [*MEASURES, STATUS])
    thresholds = tuple(map(parse, chosen.get("threshold", ())))
    for t in thresholds:
        if t.metric not in MEASURES:
            raise UsageError(f"--threshold {t.text!r}: {t.metric} has no threshold")
    return Request(
        metrics=tuple(chosen.get("metric", DEFAULT)),
        fail_on=tuple(map(parse, chosen.get("fail_on", ()))),
        thresholds=thresholds,
        allow_other_machine=bool(chosen.get("allow_other_machine")),
    )


def compared(a: RunTables, b: RunTables, request: Request) -> Comparison:
    """The comparison of two runs, with what the catalog knows of their backends."""
    from dataclasses import replace

    from bench.compare import verdicts

    return verdicts.compare(a, b, replace(request, packages=verdicts.packages(a, b)))


def _baseline(results: Path, name: str) -> RunTables:
    """The tables of A; exit code 5 where there is no such run or nothing in it finished."""
    from bench.cli import output
    from bench.compare.verdicts import has_baseline
    from bench.errors import UsageError
    from bench.store.folder import RunFolder

    try:
        folder = RunFolder.open(results, name)
    except UsageError as error:
        _no_baseline(f"{error}. Next: python -m bench run --name {name}")
    tables = output.run_tables(folder)
    output.warn(folder)
    if not has_baseline(tables):
        counts = ", ".join(f"{n} {status}" for status, n in tables.fits["status"].value_counts().items())
        _no_baseline(f"no fit of {name} finished ({counts or 'it has none'}). Next: python -m bench report {name}")
    return tables


def _open(results: Path, name: str) -> RunTables:
    from bench.cli import output
    from bench.store.folder import RunFolder

    folder: RunFolder = RunFolder.open(results, name)
    tables = output.run_tables(folder)
    output.warn(folder)
    return tables


def _no_baseline(why: str) -> NoReturn:
    sys.stderr.write(f"no baseline: {why}\n")
    raise typer.Exit(NO_BASELINE)
