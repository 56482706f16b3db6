"""`bench list` and `bench info`: what there is, read from files; no framework and no pandas is imported."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.catalog import source, toml
from bench.catalog.backends import BackendInfo, backend
from bench.catalog.frameworks import frameworks
from bench.catalog.options import BUDGET_OPTIONS
from bench.catalog.places import backend_files, is_backend, owner, root, scenario_files, suite_files
from bench.cell import BUDGETS, preset
from bench.cli import options
from bench.errors import UsageError, escaped, printable, tame, unknown
from bench.families import families, family_file
from bench.score.catalog import ALL, METRICS
from bench.store.columns import TABLES as COLUMNS
from bench.types import Parameter
from bench.words import program

Row = dict[str, Any]


def list_(
    what: Annotated[str | None, typer.Argument(metavar="[scenarios|families|backends|suites|metrics|runs]")] = None,
    long: Annotated[bool, typer.Option("--long", help="Whole descriptions, and of metrics all that is known.")] = False,
    results: options.Results = Path("results"),
    json_: options.Json = False,
) -> None:
    """List scenarios, families of models, backends, suites, metrics and runs; on a terminal a line each.

    \b
    Examples:
      bench list
      bench list backends
      bench list metrics --long
      bench list runs --json
    """
    if what is not None and what not in LISTERS:
        raise unknown("thing to list", what, LISTERS)
    tables = {thing: list(LISTERS[thing](results)) for thing in ([what] if what else LISTERS)}
    if json_:
        import json

        sys.stdout.write(json.dumps(tables if what is None else tables[what], indent=1) + "\n")
        return
    for thing, rows in tables.items():
        if what is None:
            sys.stdout.write(f"{thing}:\n")
        lines = _metric_names(rows) if thing == "metrics" and not long else _rows(rows, long=long)
        if thing == "metrics" and what is None:
            lines = [f"{len(rows)}; they are listed by: bench list metrics"]
        sys.stdout.write("".join(f"  {escaped(line)}\n" for line in lines or ["none"]))


def info(
    name: Annotated[str, typer.Argument(help="A scenario, backend, suite, metric, column, budget or run.")],
    results: options.Results = Path("results"),
) -> None:
    """Say everything about one scenario, backend, suite, metric, column of a table, or run.

    \b
    Examples:
      bench info s0-uniform
      bench info mine.toml
      bench info torch.adam
      bench info b2_max
      bench info seconds_total
      bench info latest
    """
    from bench.store.folder import every

    if name in scenario_files() or name.endswith(".toml"):
        text = _scenario_info(name if name in scenario_files() or "/" in name else f"./{name}")
    elif is_backend(name):
        text = _backend_info(name)
    elif name in suite_files():
        text = suite_files()[name].read_text(encoding="utf-8")
        text += f"\nthe budget of the same name:\n{_budget_info(name)}" if name in BUDGETS else ""
    elif name in METRICS:
        text = _metric_info(name)
    elif name in BUDGETS:
        text = _budget_info(name)
    elif found := [(table, columns[name]) for table, columns in COLUMNS.items() if name in columns]:
        text = "\n".join(f"{name}, column of {table}, {column.type}: {column.meaning}" for table, column in found)
    else:
        runs = {r.name: r for r in every(results)}
        runs |= {"latest": max(runs.values(), key=lambda r: (r.path / "run.json").stat().st_mtime)} if runs else {}
        if name not in runs:
            known = {*scenario_files(), *backend_files(), *suite_files(), *METRICS, *runs}.union(*COLUMNS.values())
            listed = " and ".join(program.command("list", *what) for what in ((), ("metrics",)))
            raise UsageError(f"{unknown('name', name, known)}: {listed}")
        text = _run_info(runs[name])
    sys.stdout.write(tame(text.rstrip().expandtabs(4)) + "\n")


def _scenarios(_: Path) -> Iterator[Row]:
    files = scenario_files()
    sources = {_line(name): _line(owner(file)) for name, file in files.items()}
    for name, table, broken in _tables(files, _check):
        formula, model = table.get("likelihood", "gaussian") if "formula" in table else "", "parameters" in table
        known = table.get("family") or formula or ("own" if model else "?")
        family, description = ("broken", broken) if broken else (known, table.get("description", ""))
        yield {"name": name, "family": _line(family), "description": _line(description), "from": sources[name]}


def _check(file: Path) -> None:
    """UsageError where a user's file is no scenario; the project's own are."""
    if file.parent != root() / "scenarios":
        from bench.formula.make import load  # numpy, which whoever has no scenarios of his own does without

        load(file)


def _families(_: Path) -> Iterator[Row]:
    for name in families():
        file = family_file(name)
        try:
            description = source.read(file).doc.partition("\n")[0]
        except UsageError as error:
            description = f"broken: {error}"
        fitting = ", ".join(one.name for one in frameworks().values() if name in one.families)
        row = {"name": _line(name), "description": _line(description), "frameworks": fitting}
        yield row | {"from": _line(owner(file))}


def _suites(_: Path) -> Iterator[Row]:
    for name, table, broken in _tables(suite_files()):
        yield {"name": name, "description": f"broken: {broken}" if broken else _line(table.get("description", ""))}


def _tables(
    files: Mapping[str, Path], check: Callable[[Path], None] = lambda file: None
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(name, table, why it is broken) of TOML files; `check` raises UsageError for what a readable one lacks."""
    for name, file in files.items():
        try:
            table = toml.read(file)
            check(file)
            yield _line(name), table, ""
        except UsageError as error:
            yield _line(name), {}, str(error)


def _backends(_: Path) -> Iterator[Row]:
    for name in backend_files():
        try:
            b = backend(name)
            if b.home.broken:
                raise UsageError(b.home.broken)
        except UsageError as error:
            came = _line(owner(backend_files()[name]))
            yield {"name": _line(name), "kind": "broken", "state": "broken", "description": str(error), "from": came}
            continue
        state = f"not installed: {_line(b.home.install)}" if b.home.missing else "ready"
        came = _line(owner(b.file))
        yield {"name": _line(b.name), "kind": b.kind, "state": state, "description": _line(b.summary), "from": came}


def _line(text: object) -> str:
    """What a file says, on one line and without what a terminal obeys."""
    return printable(str(text), 1000)


def _metrics(_: Path) -> Iterator[Row]:
    for m in METRICS.values():
        better = m.direction if m.direction in ("lower", "higher") else "-"
        kinds = ", ".join(sorted(m.kinds))
        yield {"name": m.name, "unit": m.unit, "better": better, "kinds": kinds, "description": m.definition}


def _runs(results: Path) -> Iterator[Row]:
    with contextlib.suppress(OSError, ValueError):  # which `every` reports
        if next(results.glob("*/run.json"), None) is None:
            return
    from bench.store.folder import every

    for run in every(results):
        try:
            manifest = run.manifest()
            state, description = manifest.state or "?", str(manifest.command)
            if state == "running" and run.KIND == "run" and not run.at_work():
                state = "broken off"  # killed: nobody is making it any more
        except UsageError as error:
            state, description = "damaged", str(error)
        yield {"name": run.name, "kind": run.KIND, "state": state, "description": description}


LISTERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    "scenarios": _scenarios,
    "families": _families,
    "backends": _backends,
    "suites": _suites,
    "metrics": _metrics,
    "runs": _runs,
}


def _rows(rows: Sequence[Row], *, long: bool) -> list[str]:
    """A line each, no wider than a terminal; what is broken is marked and stands last, with its reason in full."""
    broken = [row for row in rows if "broken" in (row.get("family"), row.get("state"), row["description"][:6])]
    shown = [row for row in rows if row not in broken]
    texts = [[str(value) for key, value in row.items() if key != "from"] for row in shown]
    for text, row in zip(texts, shown, strict=True):
        text[-1] += f"  (from {row['from']})" if row.get("from") else ""
    width = shutil.get_terminal_size().columns - 3 if sys.stdout.isatty() and not long else None
    lines = [line if width is None or len(line) <= width else f"{line[: width - 1]}…" for line in _aligned(texts)]
    why = (str(row["description"]).removeprefix("broken: ") for row in broken)
    where = (f"  (from {row['from']})" if row.get("from") else "" for row in broken)
    return lines + [f"broken: {row['name']}: {w}{f}" for row, w, f in zip(broken, why, where, strict=True)]


SCOPES = {
    "parameter": "of each parameter",
    "derived": "of each derived quantity",
    "fit": "of a fit",
    "reps": "of all fits of a cell",
    "curve": "over the steps of a fit",
}


def _metric_names(rows: Sequence[Row]) -> list[str]:
    """Their names by what they are of; a screen has no room for more."""
    width = shutil.get_terminal_size().columns - 6
    lines = []
    for scope, words in SCOPES.items():
        names = ", ".join(str(row["name"]) for row in rows if METRICS[row["name"]].scope == scope)
        lines += [f"{words}:", *(f"  {line}" for line in textwrap.wrap(names, width, break_on_hyphens=False))]
    return [*lines, "what one of them is: bench info NAME; all of that: bench list metrics --long"]


def _scenario_info(name: str) -> str:
    from bench.catalog import terms
    from bench.data import dataset
    from bench.selected import Scenarios

    s = next(iter(Scenarios([name])))
    priors = terms.assumed(s.design, s.priors) if s.design else s.priors
    data = dataset(s, seed=0, rep=0)
    lines = [
        f"{s.name}: {s.description}",
        f"family {s.family}" + (f", source {s.source}" if s.source else ""),
        "data: " + ("fixed, the same in every rep" if s.fixed_data else "fresh in every rep"),
        *(f"  {k} = {v}" for k, v in s.settings.items() if not s.design and v is not None),
        *(f"  {note}" for note in (s.design.notes if s.design else ())),
        "priors:",
        *(f"  {k} ~ {v}" for k, v in priors.items()),
        "parameters: " + ", ".join(_parameter(p) for p in data.parameters),
        f"run it: {program.command('run', *(['-s', s.name] if s.name in scenario_files() else [name]))}",
        "",
        Path(s.file).read_text(encoding="utf-8"),
    ]
    return "\n".join(lines)


def _parameter(p: Parameter) -> str:
    """`weights[2]` and, in words, what its elements are called."""
    return f"{p.name}{list(p.shape) if p.shape else ''}" + (f" ({', '.join(p.labels)})" if p.labels else "")


def _backend_info(name: str) -> str:
    b = backend(name)
    settings = [(o.name, str(o.default), o.allowed, o.help) for o in b.options.values()]
    settings += [
        (k, "none" if k == "until" else "budget", f"a value of {'float' if k == 'until' else 'int'}", v)
        for k, v in BUDGET_OPTIONS.items()
    ]
    lines = [
        f"{b.name} ({b.kind}): {b.doc}",
        "",
        f"families: {', '.join(b.families) or 'all'}; devices: {', '.join(b.devices)}",
        f"state: {b.home.unavailable or 'ready'}",
        f"--until: {'stops at the error' if b.kind in ('point', 'vi') else _goes_on(b)}",
        "options:",
        *(f"  {line}" for line in _aligned(settings)),
        f"run it: {program.command('run', '-s', 's0-uniform', '-b', b.name)}",
    ]
    return "\n".join(lines)


def _goes_on(b: BackendInfo) -> str:
    return f"cannot be continued: {b.ends}" if b.ends else "goes on in blocks of draws"


def _budget_info(name: str) -> str:
    return "\n".join(f"{key}: {value}" for key, value in preset(name).items())


def _metric_info(name: str) -> str:
    m = METRICS[name]
    lines = [
        f"{m.name} [{m.unit or 'no unit'}]: {m.definition}",
        f"better: {m.direction}; kinds: {', '.join(sorted(m.kinds))}; source: {m.source}",
        *(f"  {kind}: {m.not_applicable(kind)}" for kind in sorted(ALL - m.kinds)),
    ]
    if name in {"p_mean", "p_spread"}:
        from bench.analysis import power  # scipy

        lines += power.lines()
    return "\n".join(lines)


def _run_info(folder: Any) -> str:
    from bench.store.manifest import plain

    manifest = folder.manifest()
    keys = ("id", "command", "started", "finished", "state", "bench", "commit", "dirty", "threads", "seed")
    lines = [f"{k}: {getattr(manifest, k)}" for k in keys]
    lines += [f"host: {', '.join(f'{k} {v}' for k, v in plain(manifest.host).items())}"]
    lines += [f"versions: {', '.join(f'{k} {v}' for k, v in manifest.versions.items())}"]
    lines += [f"cells: {len(manifest.cells)}", f"report: {folder.report}"]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
