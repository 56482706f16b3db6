"""The index of published runs, in Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.present import gfm
from bench.present.templates import environment
from bench.store.manifest import Run
from bench.words import format as fmt

KEPT = "The draws are not kept here: the command in each `run.json` makes them again."


class Published(NamedTuple):
    """A run of the index; `folder` is its place in it."""

    folder: str
    about: str
    fits: str
    machine: str
    versions: str
    date: str


NAMED = ("torch", "pyro-ppl", "numpyro", "jax", "blackjax", "nutpie", "pymc", "httpstan")
"""Packages whose versions the list of runs names."""


def published(folder: str, run: Run, about: str) -> Published:
    """The entry of a run that lies in a folder of that name; `about` says what it compares."""
    scenarios, backends = {c.scenario_label for c in run.cells}, {c.backend for c in run.cells}
    amount = f"{fmt.count(len(scenarios), 'scenario')} × {fmt.count(len(backends), 'backend')}"
    suite = (run.options or {}).get("suite")
    named = f"suite {suite}: {amount}" if suite else amount
    cpus = f", {fmt.count(run.host.cpus, 'CPU')}" if run.host.cpus else ""
    used = {name.rpartition("/")[2]: version for name, version in reversed(run.versions.items())}
    return Published(
        folder,
        about or named,
        str(sum(c.reps * c.rounds for c in run.cells)),
        f"{run.host.cpu or 'a machine that the run does not name'}{cpus}",
        ", ".join(f"{name} {used[name]}" for name in NAMED if name in used),
        (run.started or "")[:10],
    )


def markdown(runs: Sequence[Published]) -> str:
    """README.md of the folder."""
    rows = [
        [
            f"[{gfm.escape(r.folder)}]({r.folder}/report.md)",
            *map(gfm.escape, (r.about, r.fits, r.machine, r.versions, r.date)),
            f"[report.html]({r.folder}/report.html)",
        ]
        for r in runs
    ]
    head = ["run", "what it compares", "fits", "machine", "versions", "date", "report"]
    return "\n".join(["# Published runs", "", *gfm.table(head, rows, "llrllll"), "", KEPT, ""])


def page(runs: Sequence[Published]) -> str:
    """index.html of the folder."""
    return environment().get_template("published.html.j2").render(runs=runs, kept=KEPT.replace("`", ""))
