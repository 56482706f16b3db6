"""`bench check`: is a run's folder whole, does a backend keep its contract, is a scenario what its author meant?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from bench.catalog.backends import backend
from bench.catalog.places import backend_files, scenario_files
from bench.check.findings import Finding
from bench.cli import FAILED, INTERRUPTED, OK, options, output, signals
from bench.cli.progress import Status
from bench.errors import UsageError, unknown
from bench.measure import local
from bench.selection import expand, parse
from bench.store.folder import RunFolder


def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|BACKEND|SCENARIO",
            help="Name or path of a run, `latest`, a backend with its options, a scenario or its file.",
        ),
    ],
    results: options.Results = Path("results"),
    json_: options.Json = False,
) -> None:
    """Look whether a run's folder is whole, a backend keeps its contract, or a scenario is what its author meant.

    A run: run.json, a record of every planned fit, the same code and data throughout, draws that can be read and are in
    their support, tables that say what the records say, nothing left over. Nothing is changed.

    A backend (for its author): what its file declares, then for each family it names the smallest scenario, fitted in a
    child: draws named, shaped and in their support; the same seed gives the same draws and another one others; a
    program that has fitted other data answers as a new one; means and sds against the reference, where there is one.

    A scenario, by name or file: what is wrong with it or its data, what was understood (rows, categories, priors), what
    makes its posterior hard, which reference there is, and which backends serve it. Nothing is fitted.

    \b
    Examples:
      bench check latest
      bench check mine.toml
      bench check s0-uniform
      bench check results/20261121-101500 --json
      bench check numpyro.nuts
      bench check 'torch.*'
      bench check 'torch.adam[steps=5000,lr=0.05]'
      BENCH_BACKENDS=~/mine bench check mine.sampler

    \b
    Exit codes: 0 nothing wrong (notes do not count) · 2 usage · 3 problems found · 130 interrupted.
    """
    findings: list[Finding] = []
    with signals.patience(), Status("looking", quiet=json_) as status:
        try:
            findings.extend(_findings(name, results, status.tick))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
    problems = sum(f.state == "problem" for f in findings)
    code = FAILED if problems else OK
    if json_:
        output.print_json({"name": name, "findings": [f._asdict() for f in findings], "exit": code})
    else:
        for f in findings:
            output.OUT.print(f"{f.state:8}{f.where}: {f.what}")
            if f.mend:
                output.OUT.print(f"        → {f.mend}")
        output.OUT.print(f"{problems or 'no'} problem{'' if problems == 1 else 's'} found")
    raise typer.Exit(code)


def _findings(name: str, results: Path, progress: Callable[[str], None]) -> Iterator[Finding]:
    files, runs = backend_files(), {run.name for run in RunFolder.all(results)}
    if name.endswith(".toml") or (name in scenario_files() and name not in runs):
        from bench.check import scenario as of_scenario  # SciPy, which a run does without

        yield from of_scenario.findings(f"./{name}" if name.endswith(".toml") and "/" not in name else name, progress)
        return
    if name in runs or name == "latest" or "/" in name or (Path(name) / "run.json").is_file():
        from bench.check import run as of_run

        yield from of_run.findings(RunFolder.open(results, name), progress)
        return
    try:
        selector = parse(name)
        names = expand(selector, files, "backend")
    except UsageError as error:
        if "[" in name:
            raise
        raise unknown("run, backend or scenario", name, [*runs, *files, *scenario_files()]) from error
    from bench.check import backend as of_backend

    for one in names:
        info = backend(one)
        options = info.validate(selector.values)
        yield from of_backend.findings(info, options, progress, local.Local())
