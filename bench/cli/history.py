"""`bench history`: a metric over runs and commits, and where its level stepped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import NOTHING, OK, REGRESSION, options
from bench.comparison.measures import MEASURES
from bench.errors import UsageError, unknown

FORMATS = ("text", "markdown", "json", "html")


def history(
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", "-s", metavar="NAME", help="Scenario name or glob; may repeat.")
    ] = None,
    backend: options.Contenders = None,
    metric: Annotated[
        str, typer.Option("--metric", "-m", help="What to follow; as in `bench compare`.")
    ] = "seconds_total",
    since: Annotated[
        str | None, typer.Option(metavar="DATE|COMMIT|RUN", help="Leave out what was started earlier.")
    ] = None,
    level: Annotated[float, typer.Option(help="Share of steady series that may show a step.")] = 0.05,
    fail_on_step: Annotated[
        bool, typer.Option("--fail-on-step", help="Exit 1 where the last step of a series is for the worse.")
    ] = False,
    format_: Annotated[str, typer.Option("--format", help="text, markdown, json or html.")] = "text",
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there. [default: stdout; html RESULTS/history.html]")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every run of every series, not only the latest.")] = False,
    results: options.Results = Path("results"),
) -> None:
    """Follow a metric of each cell over the runs of a folder and their commits, and find the steps in its level.

    Runs of one machine, one number of threads and the same data make a series; others stand apart. The default is the
    seconds of warm fits. Steps are found by exact segmentation, their number by permutation at --level.

    \b
    Examples:
      bench history
      bench history -s 's4-*' -b numpyro.nuts -m ess_per_second
      bench history --since 2026-11-01 --format markdown
      bench history --since v1-baseline --format html --to history.html
      bench history --fail-on-step --level 0.01

    \b
    Exit codes: 0 ok · 1 a step for the worse (--fail-on-step) · 2 usage · 4 nothing was measured.
    """
    options.word("format", format_, FORMATS)
    if not 0.001 <= level <= 0.5:
        raise UsageError(f"--level {level} is not allowed; from 0.001 to 0.5")
    if metric not in MEASURES:
        raise unknown("metric", metric, MEASURES)

    from bench.cli import following  # pandas

    tracks = following.tracks(results, since, scenario or [], backend or [], MEASURES[metric], level)
    code = OK if any(one.measured for one in tracks) else NOTHING
    if fail_on_step and any(one.ends_worse for one in tracks):
        code = REGRESSION
    text = following.render(tracks, MEASURES[metric], format_, level=level, everything=all_, code=code)
    following.write(text, to or (results / "history.html" if format_ == "html" else None))
    raise typer.Exit(code)
