"""Names that the shell completes, of scenarios, backends, suites, metrics and runs; neither pandas nor a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

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


def _scenarios(_: Any) -> Iterable[str]:
    from bench.catalog.places import scenario_files

    return scenario_files()


def _backends(_: Any) -> Iterable[str]:
    from bench.catalog.places import backend_files

    return backend_files()


def _suites(_: Any) -> Iterable[str]:
    from bench.catalog.places import suite_files

    return suite_files()


def _metrics(_: Any) -> Iterable[str]:
    from bench.score.catalog import METRICS

    return METRICS


def _runs(context: Any) -> Iterable[str]:
    """Those of the folder that --results names, the newest first."""
    results = Path(context.params.get("results") or "results")
    files = sorted(results.glob("*/run.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    return ["latest", *(file.parent.name for file in files)] if files else []


def _things(context: Any) -> Iterable[str]:
    """What a verb has its first word of."""
    return {
        "list": ("scenarios", "families", "backends", "suites", "metrics", "runs"),
        "new": ("scenario", "backend"),
    }.get(context.info_name, ())


KINDS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "scenarios": _scenarios,
    "backends": _backends,
    "suites": _suites,
    "metrics": _metrics,
    "runs": _runs,
    "things": _things,
}
