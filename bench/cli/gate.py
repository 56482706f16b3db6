"""`bench gate`: a run against a stored baseline, speed and quality together, as the pytest plugin does it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options, output
from bench.comparison.rules import rules


def gate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A JSON file of pytest-benchmark, or a run: name or path.")],
    baseline: Annotated[
        str | None, typer.Option(metavar="BASE", help="The same of the baseline. [default: of pyproject.toml]")
    ] = None,
    fail_on: options.FailOn = None,
    threshold: options.Threshold = None,
    metric: options.Metric = None,
    strict: Annotated[bool, typer.Option("--strict", help="A baseline of another machine is exit code 6.")] = False,
    advice_only_ok: Annotated[
        bool, typer.Option("--advice-only-ok", help="A rule that only advice answers (another machine) is passed.")
    ] = False,
    format_: options.Form = "text",
    all_: options.All = False,
    pyproject: Annotated[Path, typer.Option(help="File whose [tool.bench.gate] says the rest.")] = Path(
        "pyproject.toml"
    ),
) -> None:
    """Judge a run by a baseline: what `pytest --bench-suite … --bench-baseline BASE` does, from files.

    A stored baseline is of another day and often of another machine; times then say little. To judge a change,
    measure both sides in one job: `bench ab BASE HEAD`.

    \b
    Examples:
      bench gate head.json --baseline base.json
      bench gate head.json --baseline base.json --fail-on 'seconds_total>10%' --fail-on 'b2_avg>2x'
      bench gate results/head --baseline results/base --format markdown > comment.md
      bench gate head.json --baseline base.json --strict --format json > verdict.json

    \b
    pyproject.toml, where the command line says nothing else:
      [tool.bench.gate]
      baseline = "benchmarks/base.json"
      fail_on = ["seconds_total>10%", "ess_per_second<20%", "b2_avg>2x", "missing"]

    \b
    Exit codes: 0 ok · 1 regression · 2 usage · 3 a fit of RUN failed · 5 no baseline · 6 not comparable.
    """
    from bench.comparison import baseline as sources  # these import pandas
    from bench.comparison.gate import judge
    from bench.present.gate import render

    form = options.word("format", format_, options.FORMATS)
    texts = {"baseline": baseline, "fail_on": fail_on, "threshold": threshold, "metric": metric}
    policy = rules(pyproject, {**texts, "strict": strict, "advice_only_ok": advice_only_ok})
    candidate = sources.load(run)
    try:
        base: sources.Source | sources.NoBaseline = sources.baseline(policy.baseline, policy.where)
    except sources.NoBaseline as error:
        base = error
    verdict = judge(candidate, base, policy)
    output.write(render(verdict, form=form, everything=all_))
    raise typer.Exit(verdict.code)
