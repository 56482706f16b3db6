"""Names that the shell completes, of scenarios, backends, suites, metrics and runs; neither pandas nor a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.catalog.places import backend_files, scenario_files, suite_files
from bench.score.catalog import METRICS

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "scenario": ("scenarios",),
    "backend": ("backends",),
    "suite": ("suites",),
    "metric": ("metrics",),
    "run": ("runs",),
    "runs": ("runs",),
    "resume": ("runs",),
    "a": ("runs",),
    "b": ("runs",),
    "name": ("scenarios", "backends", "suites", "metrics", "runs"),
    "what": ("things",),
}
"""{parameter of a verb: what its values name}. Where nothing begins so, shells go on to the names of files."""
NAMED = ("info", "check")
"""Verbs whose `name` is of what there is; of others it is a new one."""


def complete(verb: str, parameter: str, context: Any, incomplete: str) -> list[str] | None:
    """The names that begin so, None where the parameter names none; what cannot be read is left out."""
    if parameter not in PARAMETERS or (parameter == "name" and verb not in NAMED):
        return None
    found: list[str] = []
    for kind in PARAMETERS[parameter]:
        try:
            found += KINDS[kind](context)
        except (ValueError, OSError):
            continue
    return [name for name in dict.fromkeys(found) if name.startswith(incomplete)]


def _runs(context: Any) -> Iterable[str]:
    """Those of the folder that --results names, the newest first."""
    results = Path(context.params.get("results") or "results")
    files = sorted(results.glob("*/run.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    return ["latest", *(file.parent.name for file in files)] if files else []


THINGS = {
    "list": ("scenarios", "families", "backends", "suites", "metrics", "runs"),
    "new": ("scenario", "backend"),
}
"""{verb: what it has its first word of}."""
KINDS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "scenarios": lambda _: scenario_files(),
    "backends": lambda _: backend_files(),
    "suites": lambda _: suite_files(),
    "metrics": lambda _: METRICS,
    "runs": _runs,
    "things": lambda context: THINGS.get(context.info_name, ()),
}
