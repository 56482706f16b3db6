"""`bench list` and `bench info`: what there is, read from files; no framework and no pandas is imported."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.catalog import toml
from bench.errors import UsageError, escaped, printable

BUDGET_NAMES = ("quick", "standard", "thorough")
KINDS_OF_THINGS = ("scenarios", "backends", "suites", "metrics", "runs")


def list_(
    what: Annotated[str | None, typer.Argument(metavar="[scenarios|backends|suites|metrics|runs]")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List scenarios, backends, suites, metrics and runs.

    \b
    Examples:
      bench list
      bench list backends
      bench list runs --json
    """
    from bench.errors import unknown

    if what is not None and what not in KINDS_OF_THINGS:
        raise unknown("thing to list", what, KINDS_OF_THINGS)
    tables = {thing: _LISTERS[thing](results) for thing in ([what] if what else KINDS_OF_THINGS)}
    if json_:
        import json

        sys.stdout.write(json.dumps(tables if what is None else tables[what], indent=1) + "\n")
        return
    for thing, rows in tables.items():
        _print(thing, rows, heading=what is None)


def info(
    name: Annotated[str, typer.Argument(help="A scenario, backend, suite, metric, budget or run.")],
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
) -> None:
    """Say everything about one scenario, backend, suite, metric or run.

    \b
    Examples:
      bench info s0-uniform
      bench info torch.adam
      bench info b2_max
      bench info latest
    """
    from bench.catalog import places
    from bench.errors import unknown
    from bench.score.catalog import METRICS
    from bench.store.folder import every

    if name in places.scenario_files():
        text = _scenario_info(name)
    elif name in places.backend_files():
        text = _backend_info(name)
    elif name in places.suite_files():
        text = places.suite_files()[name].read_text()
        text += f"\nthe budget of the same name:\n{_budget_info(name)}" if name in BUDGET_NAMES else ""
    elif name in METRICS:
        text = _metric_info(name)
    elif name in BUDGET_NAMES:
        text = _budget_info(name)
    else:
        runs = {r.name: r for r in every(results)}
        runs |= {"latest": max(runs.values(), key=lambda r: (r.path / "run.json").stat().st_mtime)} if runs else {}
        if name not in runs:
            known = [*places.scenario_files(), *places.backend_files(), *places.suite_files(), *METRICS, *runs]
            raise unknown("name", name, known)
        text = _run_info(runs[name])
    sys.stdout.write("\n".join(escaped(line.expandtabs(4)) for line in text.rstrip().split("\n")) + "\n")


def _scenarios(_: Path) -> list[dict[str, Any]]:
    from bench.catalog.places import scenario_files

    rows = []
    for name, file in scenario_files().items():
        try:
            table = toml.read(file)
        except UsageError as error:
            rows.append({"name": _line(name), "family": "broken", "description": str(error)})
            continue
        family, description = table.get("family", "?"), table.get("description", "")
        rows.append({"name": _line(name), "family": _line(family), "description": _line(description)})
    return rows


def _backends(_: Path) -> list[dict[str, Any]]:
    from bench.catalog.backends import backend
    from bench.catalog.places import backend_files

    rows = []
    for name in backend_files():
        try:
            i = backend(name)
        except UsageError as error:
            rows.append({"name": _line(name), "kind": "broken", "state": "broken", "description": str(error)})
            continue
        state = f"not installed: {_line(i.home.install)}" if i.home.missing else "ready"
        rows.append({"name": _line(i.name), "kind": i.kind, "state": state, "description": _line(i.summary)})
    return rows


def _line(text: object) -> str:
    """What a file says, on one line and without what a terminal obeys."""
    return printable(str(text), 1000)


def _suites(_: Path) -> list[dict[str, Any]]:
    from bench.catalog.places import suite_files

    rows = []
    for name, file in suite_files().items():
        try:
            description = toml.read(file).get("description", "")
        except UsageError as error:
            description = f"broken: {error}"
        rows.append({"name": _line(name), "description": _line(description)})
    return rows


def _metrics(_: Path) -> list[dict[str, Any]]:
    from bench.score.catalog import METRICS

    return [
        {
            "name": m.name,
            "unit": m.unit,
            "better": {"lower": "lower", "higher": "higher"}.get(m.direction, "-"),
            "kinds": ", ".join(sorted(m.kinds)),
            "description": m.definition,
        }
        for m in METRICS.values()
    ]


def _runs(results: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError):  # which `every` reports
        if next(results.glob("*/run.json"), None) is None:
            return []
    from bench.store.folder import every

    rows = []
    for run in every(results):
        try:
            manifest = run.manifest()
            state, description = manifest.state or "?", str(manifest.command)
            if state == "running" and run.KIND == "run" and not run.at_work():
                state = "broken off"  # killed: nobody is making it any more
        except UsageError as error:
            state, description = "damaged", str(error)
        rows.append({"name": run.name, "kind": run.KIND, "state": state, "description": description})
    return rows


_LISTERS = {"scenarios": _scenarios, "backends": _backends, "suites": _suites, "metrics": _metrics, "runs": _runs}


def _print(thing: str, rows: Sequence[dict[str, Any]], *, heading: bool) -> None:
    if heading:
        sys.stdout.write(f"{thing}:\n")
    if not rows:
        sys.stdout.write("  none\n")
        return
    columns = [c for c in rows[0] if c != "description"]
    widths = {c: max(len(str(r[c])) for r in rows) for c in columns}
    for row in rows:
        cells = "  ".join(str(row[c]).ljust(widths[c]) for c in columns)
        sys.stdout.write(f"  {cells}  {row['description']}".rstrip() + "\n")


def _scenario_info(name: str) -> str:
    from bench.catalog.scenarios import scenario
    from bench.data import dataset

    s = scenario(name)
    data = dataset(s, seed=0, rep=0)
    lines = [
        f"{s.name}: {s.description}",
        f"family {s.family}" + (f", source {s.source}" if s.source else ""),
        "data: " + ("fixed, the same in every rep" if s.fixed_data else "fresh in every rep"),
        *(f"  {k} = {v}" for k, v in s.settings.items()),
        "priors:",
        *(f"  {k} ~ {v}" for k, v in s.priors.items()),
        "parameters: " + ", ".join(f"{p.name}{list(p.shape) if p.shape else ''}" for p in data.parameters),
        f"run it: python -m bench run -s {s.name}",
        "",
        Path(s.file).read_text(),
    ]
    return "\n".join(lines)


def _backend_info(name: str) -> str:
    from bench.catalog.backends import backend
    from bench.catalog.options import BUDGET_OPTIONS

    b = backend(name)
    options = [(o.name, str(o.default), o.allowed, o.help) for o in b.options.values()]
    options += [(k, "budget", "a value of int", v) for k, v in BUDGET_OPTIONS.items()]
    lines = [
        f"{b.name} ({b.kind}): {b.doc}",
        "",
        f"families: {', '.join(b.families) or 'all'}; devices: {', '.join(b.devices)}",
        f"state: not installed; {b.home.install}" if b.home.missing else "state: ready",
        "options:",
        *(f"  {line}" for line in _aligned(options)),
        f"run it: python -m bench run -s s0-uniform -b {b.name}",
    ]
    return "\n".join(lines)


def _budget_info(name: str) -> str:
    from dataclasses import asdict

    from bench.cell import BUDGETS

    return "\n".join(f"{key}: {value}" for key, value in asdict(BUDGETS[name]).items())


def _metric_info(name: str) -> str:
    from bench.score.catalog import ALL, METRICS

    m = METRICS[name]
    return "\n".join(
        [
            f"{m.name} [{m.unit or 'no unit'}]: {m.definition}",
            f"better: {m.direction}; kinds: {', '.join(sorted(m.kinds))}; source: {m.source}",
            *(f"  {kind}: {m.not_applicable(kind)}" for kind in sorted(ALL - m.kinds)),
        ]
    )


def _run_info(folder: Any) -> str:
    from bench.store.manifest import plain

    manifest = folder.manifest()
    keys = ("id", "command", "started", "finished", "state", "bench", "commit", "dirty", "threads", "seed")
    lines = [f"{k}: {getattr(manifest, k)}" for k in keys]
    lines += [f"host: {', '.join(f'{k} {v}' for k, v in plain(manifest.host).items())}"]
    lines += [f"versions: {', '.join(f'{k} {v}' for k, v in manifest.versions.items())}"]
    lines += [f"cells: {len(manifest.cells)}", f"report: {folder.report}"]
    return "\n".join(lines)


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
