"""`bench init`: a folder of one's own, with a scenario and a contender to begin with; no checkout is needed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UsageError
from bench.words import program

MARKER = """# A folder of posterior-bench. Where bench is started here, it finds beside its own
#   scenarios/  your scenarios: NAME.toml, or NAME/model.toml for a model of your own
#   backends/   your contenders: FRAMEWORK/METHOD.py
#   results/    a folder per run
# The file says no more than that; options may stand in a file of yours: bench run --config mine.toml
"""
EXAMPLE = Path(__file__).parent / "first" / "clinic.csv"
FORMULA = "visits ~ age + C(region) + C(smoker) + offset(log(days))"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where; made if it is not there.")] = Path(),
) -> None:
    """Make a folder for your own scenarios, contenders and runs, with an example of each.

    Started there, every verb finds them by name beside those that come with posterior-bench. The examples are a table
    with a scenario of it, and a contender of forty lines; both run, and are there to be changed.

    \b
    Examples:
      bench init trial
      bench init

    Exit codes: 0 made · 2 usage, or something of it is there already: then nothing is written.
    """
    from bench.catalog.places import root
    from bench.cli import beginning, output
    from bench.offered import HERE

    scenario, data = folder / "scenarios" / "clinic.toml", folder / "scenarios" / EXAMPLE.name
    contender = folder / "backends" / "mine" / "least_squares.py"
    if folder.resolve() == root():
        raise UsageError(f"{root()} is posterior-bench itself; name another folder: bench init FOLDER")
    if there := [path for path in (folder / HERE, scenario, data, contender) if path.exists()]:
        raise UsageError(f"{there[0]} is there already; name another folder: bench init FOLDER")
    for name in ("scenarios", "backends", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    data.write_bytes(EXAMPLE.read_bytes())
    beginning.write_scenario(scenario, data, FORMULA, None, {"missing": "drop", "standardise": None, "share": 0.0})
    beginning.write_contender("mine.least_squares", contender)
    (folder / HERE).write_text(MARKER, encoding="utf-8")
    enter = [f"cd {shlex.quote(str(folder))}"] if folder.resolve() != Path.cwd() else []
    output.next_steps(
        f"{', '.join(map(str, (folder / HERE, scenario, data, contender)))} are written",
        *enter,
        program.command("check", "clinic"),
        program.command("run", "-s", "clinic", *beginning.CONTENDERS),
        program.command("run", "-s", "s0-uniform", "-b", "mine.least_squares", "-b", "sklearn.ols"),
    )
