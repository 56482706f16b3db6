"""`bench compare`: what changed between two runs, and whether that should fail a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options, output
from bench.errors import UsageError
from bench.store.folder import RunFolder
from bench.words import program

if TYPE_CHECKING:
    from bench.analysis.tables import RunTables

CONFIG = {"fail_on": list, "metric": list, "threshold": list, "format": str, "allow_other_machine": bool, "all": bool}


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The baseline: name or path of a run, or `latest`.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The run to judge.")],
    fail_on: options.FailOn = None,
    metric: options.Metric = None,
    threshold: options.Threshold = None,
    format_: Annotated[str | None, typer.Option("--format", help="text, markdown or json. [default: text]")] = None,
    allow_other_machine: Annotated[
        bool,
        typer.Option("--allow-other-machine", help="Show times of different machines, as advice only."),
    ] = False,
    all_: options.All = False,
    config: options.ConfigFile = None,
    results: options.Results = Path("results"),
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
    always fails. An EXPR that no cell can answer, for want of rounds too, does not pass: exit code 6.

    \b
    Verdicts: worse, better (interval excludes 1, ratio and medians pass the threshold), same (whole interval within
    the threshold), inconclusive, new, missing, code-changed (other data), other-machine (times not compared).

    \b
    Exit codes: 0 ok · 1 regression · 2 usage · 5 no baseline · 6 not comparable.
    """
    from bench.comparison.rows import Request  # these import pandas
    from bench.comparison.verdicts import judged
    from bench.present.comparison.formats import render

    typed = {"fail_on": fail_on, "metric": metric, "threshold": threshold, "format": format_,
             "allow_other_machine": allow_other_machine, "all": all_}  # fmt: skip
    chosen = {**options.config(config, CONFIG), **{k: v for k, v in typed.items() if v}}
    form = options.word("format", chosen.pop("format", "text"), options.FORMATS)
    everything = bool(chosen.pop("all", False))
    request = Request.read(**chosen)
    candidate = _tables(RunFolder.open(results, b))
    comparison = judged(_baseline(results, a), candidate, request)
    output.write(render(comparison, form, everything=everything, code=comparison.code))
    raise typer.Exit(comparison.code)


def _tables(folder: RunFolder) -> RunTables:
    """The tables of a run, with a warning on stderr for what of it is damaged."""
    from bench.pipeline import run_tables

    read = run_tables(folder)
    output.warn(folder)
    return read


def _baseline(results: Path, name: str) -> RunTables:
    """The tables of the run to compare with; exit code 5 where there is none, or nothing in it finished."""
    from bench.comparison.baseline import statuses

    try:
        folder = RunFolder.open(results, name)
    except UsageError as error:
        output.no_baseline(f"{error}. Next: {program.command('run', '--name', name)}")
    read = _tables(folder)
    if unfinished := statuses(read):
        output.no_baseline(f"no fit of {name} finished ({unfinished}). Next: {program.command('report', name)}")
    return read
