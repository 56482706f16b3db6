"""`bench history`: a metric over runs and commits, and where its level stepped."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import NOTHING, OK, REGRESSION
from bench.cli.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.analysis.combined import Source
    from bench.store.folder import RunFolder

FORMATS = ("text", "markdown", "json", "html")


def history(
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", "-s", metavar="NAME", help="Scenario name or glob; may repeat.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", "-b", metavar="NAME", help="Backend name or glob, with or without its options."),
    ] = None,
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
    results: Results = Path("results"),
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
    from bench.cli import output
    from bench.cli.options import word
    from bench.compare.measures import MEASURES
    from bench.compare.series import series
    from bench.errors import UsageError, unknown
    from bench.present.history.formats import render

    word("format", format_, FORMATS)
    if not 0.001 <= level <= 0.5:
        raise UsageError(f"--level {level} is not allowed; from 0.001 to 0.5")
    if metric not in MEASURES:
        raise unknown("metric", metric, MEASURES)
    with output.Status("reading runs", quiet=False) as status:
        sources = _sources(results, since)
        status.update("looking for steps")
        wanted = _wanted(sources, scenario or [], backend or [])
        tracks = series(sources, MEASURES[metric], wanted=wanted, level=level)
    code = OK if any(one.measured for one in tracks) else NOTHING
    if fail_on_step and any(one.ends_worse for one in tracks):
        code = REGRESSION
    text = render(tracks, MEASURES[metric], format_, level=level, everything=all_, code=code)
    _write(text, to or (results / "history.html" if format_ == "html" else None))
    raise typer.Exit(code)


def _sources(results: Path, since: str | None) -> list[Source]:
    """Every run that can be read, from `since` on; what cannot be is named on stderr."""
    from bench import pipeline
    from bench.analysis.combined import Source
    from bench.cli import output
    from bench.errors import UsageError
    from bench.store.folder import RunFolder

    folders = RunFolder.all(results)
    if not folders:
        raise UsageError(f"no runs in {results}; first: python -m bench run")
    readable: list[tuple[RunFolder, str, str]] = []
    for folder in folders:
        try:
            manifest = folder.manifest()
        except UsageError as error:
            folder.damage["run.json"] = str(error)
            continue
        readable.append((folder, manifest.started or "", manifest.commit or ""))
    from_ = _start(readable, since) if since else ""
    sources = [Source(f.name, pipeline.run_tables(f)) for f, started, _ in readable if started >= from_]
    output.warn(*folders)
    return sources


def _start(runs: list[tuple[RunFolder, str, str]], since: str) -> str:
    """When the run named was started, or the first of that commit, or the date itself."""
    from bench.errors import unknown

    for folder, started, _ in runs:
        if folder.name == since:
            return started
    if re.fullmatch(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}.*)?)?", since):
        return since.replace(" ", "T")
    starts = sorted(started for _, started, commit in runs if len(since) >= 7 and commit.startswith(since))
    if not starts:
        raise unknown("run, commit or date for --since", since, [folder.name for folder, *_ in runs])
    return starts[0]


def _wanted(sources: list[Source], scenarios: list[str], backends: list[str]) -> Callable[[str, str], bool]:
    """Whether a scenario and a backend, both with what is in their brackets, are asked for.

    UsageError for a name that no run has.
    """
    from bench.analysis.labels import label
    from bench.errors import unknown
    from bench.selection import is_named

    def matches(pattern: str, name: str) -> bool:
        return is_named(pattern, name, name.partition("[")[0])

    cells = {
        (str(row["scenario"]), label(row))
        for s in sources
        for row in s.tables.fits[["scenario", "backend", "options"]].drop_duplicates().to_dict("records")
    }
    for what, patterns, place in (("scenario", scenarios, 0), ("backend", backends, 1)):
        known = {cell[place] for cell in cells}
        for pattern in patterns:
            if not any(matches(pattern, name) for name in known):
                raise unknown(f"{what} (in these runs)", pattern, known)
    return lambda s, b: all(
        not patterns or any(matches(pattern, name) for pattern in patterns)
        for patterns, name in ((scenarios, s), (backends, b))
    )


def _write(text: str, to: Path | None) -> None:
    from bench.cli.output import OUT
    from bench.errors import UsageError
    from bench.store.durable import write_bytes

    if to is None:
        sys.stdout.write(text)
        return
    try:
        write_bytes(to, text.encode())
    except FileNotFoundError:
        raise UsageError(f"cannot write {to}: there is no folder {to.parent}") from None
    OUT.print(str(to), markup=False)
