"""`bench publish`: a run's report and tables in a folder that can be put on the web as it is, with pages over all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options
from bench.errors import UsageError, shown

if TYPE_CHECKING:
    import pandas as pd

ABOUT = "about.txt"
"""What a run compares, in the words of whoever published it."""
PAGES = ("scenarios", "backends")
"""Folders of the pages over all runs."""
TAKEN = (*PAGES, "index.html", "README.md", "style.css")
"""What no run's folder can be called."""
MOST_PARTS = 50
"""Parts of a score of one fit, such as those of each parameter, of which the published table keeps any."""


def publish(
    run: options.Run,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the published runs.")] = Path("results/published"),
    name: Annotated[str | None, typer.Option(help="Name of the folder in it. [default: the run's]")] = None,
    about: Annotated[str, typer.Option(metavar="TEXT", help="What the run compares, for the index.")] = "",
    results: options.Results = Path("results"),
) -> None:
    """Write a run's report, tables and environment into DIR/NAME, and pages over all runs that DIR holds.

    DIR/README.md and DIR/index.html name every run there: what it compares, how many fits, machine, versions and
    date; DIR/scenarios and DIR/backends have a page each, with what every run found and the history of its seconds.
    DIR can be served as it is: nothing refers to the network or to other folders, and the same runs give the same
    bytes. Draws stay where they are: the command in run.json makes them again; scores of each single parameter are
    left out of metrics.parquet where there are more than 50. A run of that name that is there already is replaced;
    one that is named by its path in DIR is written anew where it is.

    \b
    Examples:
      bench publish latest
      bench publish latest --name standard-cpu --about 'suite standard, five rounds'
      bench publish night --to public
      bench publish results/published/standard-cpu      written anew, by this version

    Exit codes: 0 published · 2 usage.
    """
    import pandas as pd

    from bench.analysis.combined import Source
    from bench.analysis.sections import report
    from bench.cli import output
    from bench.cli.export import tables_of
    from bench.comparison.series import series
    from bench.disk.durable import write_bytes
    from bench.pipeline import run_tables, write_tables
    from bench.present import provenance, published
    from bench.store.folder import RunFolder

    folder = RunFolder.open(results, run)
    name = name or folder.name
    if name in TAKEN or "/" in name or name.startswith("."):
        raise UsageError(f"--name {shown(name)}: it must be the name of a folder, and none of {', '.join(TAKEN)}")
    manifest = folder.manifest()
    if manifest.state != "finished":
        raise UsageError(f"{folder.path} is {manifest.state or 'not finished'}; first: {folder.resume_command()}")
    files = [*tables_of(folder, "parquet"), *tables_of(folder, "csv", ["fits"])]
    target = to / name
    if target.exists() and not _is_run(target):
        raise UsageError(f"{target} is there and holds no published run; choose another --name")
    about = about or _about(target)
    if target.resolve() != folder.path.resolve():
        shutil.rmtree(target, ignore_errors=True)
    tables = run_tables(folder)
    tables = replace(tables, metrics=_few_parts(tables.metrics))
    write_tables(tables, target)
    facts = [("command", provenance.command(tables)), *provenance.environment(tables)]
    write_bytes(target / "environment.txt", "".join(f"{key}: {value}\n" for key, value in facts).encode())
    for file in files:
        if file.parent.resolve() != target.resolve():
            shutil.copyfile(file, target / file.name)
    of_all = pd.read_parquet(target / "metrics.parquet")
    if len(few := _few_parts(of_all)) < len(of_all):
        few.to_parquet(target / "metrics.parquet", index=False)
    if about:
        write_bytes(target / ABOUT, f"{about}\n".encode())
    there = [one.name for one in sorted(to.iterdir()) if _is_run(one)]
    sources = [Source(one, tables if one == name else run_tables(RunFolder.open(to, one))) for one in there]
    histories = series(sources, published.MEASURE, wanted=lambda scenario, backend: True)
    listed = [(published.published(s.name, s.tables.run, _about(to / s.name)), report(s.tables)) for s in sources]
    for page in (page for kind in PAGES for page in (to / kind).glob("*.html")):
        page.unlink()  # it may be of a run that is no longer there
    for place, text in published.site(listed, histories).items():
        (to / place).parent.mkdir(exist_ok=True)
        write_bytes(to / place, text.encode())
    output.OUT.print(f"{target}, one of {len(listed)} in {to / 'index.html'}")


def _few_parts(metrics: pd.DataFrame) -> pd.DataFrame:
    """Scores without those by part where a fit has more than `MOST_PARTS` of one: a table in a repository is small."""
    parts = metrics["part"].fillna("").ne("")
    count = parts.groupby([metrics["cell"], metrics["rep"], metrics["metric"]], dropna=False).transform("sum")
    return metrics[~(parts & (count > MOST_PARTS))].reset_index(drop=True)


def _is_run(place: Path) -> bool:
    return (place / "run.json").is_file()


def _about(place: Path) -> str:
    file = place / ABOUT
    return " ".join(file.read_text(encoding="utf-8").split()) if file.is_file() else ""
