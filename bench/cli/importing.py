"""`bench import`: scenarios made of what other collections have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UsageError, unknown

SOURCES = ("posteriordb",)


def import_(
    source: Annotated[str, typer.Argument(metavar="posteriordb", help="The collection.")],
    folder: Annotated[Path, typer.Argument(help="Its folder: a checkout.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Which; without, what is covered is listed.")
    ] = None,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Where scenarios and tables go.")] = Path("posteriordb"),
    all_: Annotated[bool, typer.Option("--all", help="Every posterior that is covered.")] = False,
) -> None:
    """Make scenarios of posteriordb's posteriors: table, formula with the same priors, and its draws as a reference.

    Where our own reference is exact, or states its error, posteriordb's draws are held against it, and how far they
    differ is said; elsewhere they become the scenario's reference, with their own error.

    \b
    Examples:
      bench import posteriordb ~/posteriordb                               what is covered, and why the rest is not
      bench import posteriordb ~/posteriordb kidiq-kidscore_momhs --to mine
      bench import posteriordb ~/posteriordb --all --to mine

    Exit codes: 0 ok · 2 usage.
    """
    from bench.cli import output
    from bench.importing import posteriordb  # scipy, pandas

    if source not in SOURCES:
        raise unknown("collection", source, SOURCES)
    if names and all_:
        raise UsageError("give names or --all")
    known = posteriordb.posteriors(folder)
    covered = [entry.name for entry in known.values() if not entry.why]
    if not names and not all_:
        for entry in known.values():
            output.OUT.print(f"{entry.name}: {entry.why or 'covered'}")
        output.OUT.print(f"{len(covered)} of {len(known)} posteriors are covered")
        return
    for made in posteriordb.load_all(folder, names or covered, to):
        output.OUT.print(f"{made.file}: {made.reference}")
