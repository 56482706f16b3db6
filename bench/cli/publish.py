"""`bench publish`: a run's report and tables in a folder that can be put on the web as it is, with an index."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.errors import UsageError, shown

ABOUT = "about.txt"
"""What a run compares, in the words of whoever published it."""


def publish(
    run: options.Run,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the published runs.")] = Path("results/published"),
    name: Annotated[str | None, typer.Option(help="Name of the folder in it. [default: the run's]")] = None,
    about: Annotated[str, typer.Option(metavar="TEXT", help="What the run compares, for the index.")] = "",
    results: options.Results = Path("results"),
) -> None:
    """Copy a run's report, tables and environment into DIR/NAME, and list all that DIR holds in its index.

    DIR/README.md and DIR/index.html name every run there: what it compares, how many fits, machine, versions and
    date. Nothing refers to the network or to other folders, and the same runs give the same bytes. Draws stay where
    they are: the command in run.json makes them again. A run of that name that is there already is replaced.

    \b
    Examples:
      bench publish latest
      bench publish latest --name standard-cpu --about 'suite standard, five rounds'
      bench publish night --to public

    Exit codes: 0 published · 2 usage.
    """
    from bench.cli import output
    from bench.cli.export import tables_of
    from bench.disk.durable import write_bytes
    from bench.pipeline import run_tables, write_tables
    from bench.present import published
    from bench.store.folder import RunFolder
    from bench.store.manifest import Run, read

    folder = RunFolder.open(results, run)
    name = name or folder.name
    if name in (".", "..") or "/" in name or name.startswith("."):
        raise UsageError(f"--name {shown(name)}: it must be the name of a folder")
    manifest = folder.manifest()
    if manifest.state != "finished":
        raise UsageError(f"{folder.path} is {manifest.state or 'not finished'}; first: {folder.resume_command()}")
    files = [*tables_of(folder, "parquet"), *(f for f in tables_of(folder, "csv") if f.name == "fits.csv")]
    target = to / name
    if target.exists() and not _is_run(target):
        raise UsageError(f"{target} is there and holds no published run; choose another --name")
    shutil.rmtree(target, ignore_errors=True)
    write_tables(run_tables(folder), target)
    for file in files:
        shutil.copyfile(file, target / file.name)
    if about:
        write_bytes(target / ABOUT, f"{about}\n".encode())
    listed = [
        published.published(one.name, read(one, Run), _about(one)) for one in sorted(to.iterdir()) if _is_run(one)
    ]
    write_bytes(to / "README.md", published.markdown(listed).encode())
    write_bytes(to / "index.html", published.page(listed).encode())
    output.OUT.print(f"{target}, one of {len(listed)} in {to / 'index.html'}", markup=False)


def _is_run(place: Path) -> bool:
    return (place / "run.json").is_file()


def _about(place: Path) -> str:
    file = place / ABOUT
    return " ".join(file.read_text(encoding="utf-8").split()) if file.is_file() else ""
