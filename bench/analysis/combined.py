"""Several runs as one set of tables, in which nothing of different machines, data or runs is mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from bench.analysis import changes
from bench.analysis.tables import RunTables
from bench.store.manifest import SCHEMA, About, Combined, Host, Run
from bench.words import format as fmt


@dataclass(frozen=True)
class Source:
    """A run with the name it goes by here and the folder it lies in, relative to the report, with a slash; or empty."""

    name: str
    tables: RunTables
    home: str = ""


def combine(sources: Sequence[Source]) -> RunTables:
    """Tables of all runs, for the reports. Every cell of every run is a contender of its own.

    Fits get the columns `origin` (their run), `planned` (their cell in it), `home` and `apart`: what tells the section
    they belong to, a machine or a set of data, empty where all runs agree. The manifest is a `Combined`. ValueError
    for names that are there twice.
    """
    names = [s.name for s in sources]
    if len(set(names)) < len(names):
        raise ValueError(f"names are there twice: {names}")
    machines, problems = machines_of(sources), problems_of(sources)
    apart = {
        (s.name, scenario): _apart(s, scenario, machines, problems)
        for s in sources
        for scenario in s.tables.fits["scenario"].astype(str).unique()
    }
    frames = {kind: _stacked(sources, kind) for kind in ("fits", "metrics", "curves")}
    fits = frames["fits"]
    keys = zip(fits["origin"], fits["scenario"].astype(str), strict=True)
    return RunTables(
        run=_manifest(sources, apart, [*_differs(sources, machines), *_unlike(problems)]),
        fits=fits.assign(apart=[apart[key] for key in keys]),
        metrics=frames["metrics"],
        curves=frames["curves"],
    )


def cpu_words(host: Host) -> str:
    """`2 CPUs`, or `1 of 2 CPUs` where the run was let use fewer; empty where it is not known."""
    if not host.cpus:
        return ""
    fewer = host.usable_cpus is not None and host.usable_cpus < host.cpus
    return f"{host.usable_cpus} of {fmt.count(host.cpus, 'CPU')}" if fewer else fmt.count(host.cpus, "CPU")


def machine_words(run: Run) -> str:
    """`AMD EPYC, 2 CPUs`, with a GPU where one is recorded."""
    if len(run.hosts) > 1:
        return f"{len(run.hosts)} machines, {', '.join(sorted(run.hosts))}"
    host = next(iter(run.hosts.values()), run.host)
    return ", ".join(filter(None, [host.cpu or "unknown machine", cpu_words(host), host.gpu]))


def machines_of(sources: Sequence[Source]) -> dict[str, str]:
    """The words of each run's machine, by name of the run; unlike machines have unlike words."""
    groups: list[list[Source]] = []
    for s in sources:
        run = s.tables.run
        known = () if len(run.hosts) > 1 else groups  # of several machines a scenario's own may be another in each run
        alike = next((group for group in known if not changes.machine(group[0].tables.run, run)), None)
        if alike is None:
            groups.append([s])
        else:
            alike.append(s)
    words = [machine_words(group[0].tables.run) for group in groups]
    unlike = [
        text if words.count(text) == 1 else f"{text}, of {' and '.join(s.name for s in group)}"
        for group, text in zip(groups, words, strict=True)
    ]
    return {s.name: text for group, text in zip(groups, unlike, strict=True) for s in group}


class _Problem(NamedTuple):
    """What fits say of the problem they answer: digests of the scenario, and of data as `changes.drawn` has them."""

    digests: frozenset[str]
    data: Mapping[int | None, set[str]]

    def agrees(self, other: _Problem) -> bool:
        """Whether the scenario's digests are the same, and the data of every seed that both drew."""
        if self.digests and other.digests and self.digests != other.digests:
            return False
        return all(self.data[seed] == digests for seed, digests in other.data.items() if seed in self.data)


def problems_of(sources: Sequence[Source]) -> dict[str, list[list[str]]]:
    """{scenario: names of runs that fitted the same problem, by group}, of scenarios whose digests or data differ."""
    by_scenario: dict[str, list[tuple[_Problem, list[str]]]] = {}
    for s in sources:
        for scenario, fitted in _problems(s.tables.fits).items():
            groups = by_scenario.setdefault(scenario, [])
            place = next((i for i, (problem, _) in enumerate(groups) if problem.agrees(fitted)), None)
            if place is None:
                groups.append((fitted, [s.name]))
            else:
                problem, names = groups[place]
                both = _Problem(problem.digests or fitted.digests, {**fitted.data, **problem.data})
                groups[place] = both, [*names, s.name]
    return {name: [names for _, names in groups] for name, groups in by_scenario.items() if len(groups) > 1}


def _problems(fits: pd.DataFrame) -> dict[str, _Problem]:
    """The problem of every scenario of a run."""
    rows = fits.reindex(columns=["scenario", "scenario_digest", "data_seed", "data_digest"]).drop_duplicates()
    problems = {}
    for scenario, group in rows.groupby(rows["scenario"].astype(str), sort=False):
        digests = frozenset(map(str, group["scenario_digest"].dropna())) - {""}
        problems[str(scenario)] = _Problem(digests, changes.drawn(group))
    return problems


def _apart(s: Source, scenario: str, machines: Mapping[str, str], problems: Mapping[str, list[list[str]]]) -> str:
    where = f"on {machines[s.name]}" if len(set(machines.values())) > 1 else ""
    group = next((names for names in problems.get(scenario, []) if s.name in names), None)
    return " ".join(filter(None, [where, f"as in {' and '.join(group)}" if group else ""]))


def _stacked(sources: Sequence[Source], kind: str) -> pd.DataFrame:
    filled = [(s, frame) for s in sources if len(frame := getattr(s.tables, kind))]
    if not filled:
        empty: list[pd.DataFrame] = [getattr(s.tables, kind) for s in sources]
        return max(empty, key=lambda frame: len(frame.columns))
    frames: list[pd.DataFrame] = []
    for s, frame in filled:
        cell = frame["cell"].astype(str)
        new: dict[str, Any] = {"cell": f"{s.name}:" + cell}
        if kind == "fits":
            new |= {"origin": s.name, "planned": cell, "home": s.home}
        frames.append(frame.assign(**new))
    columns = list(dict.fromkeys(column for frame in frames for column in frame.columns))
    # An empty column has no type of its own and would spoil that of the others.
    return pd.concat([f.dropna(axis="columns", how="all") for f in frames], ignore_index=True).reindex(columns=columns)


def _scenarios(sources: Sequence[Source], apart: Mapping[tuple[str, str], str]) -> dict[str, About]:
    scenarios: dict[str, About] = {}
    for s in sources:
        for scenario, about in s.tables.run.scenarios.items():
            scenarios.setdefault(f"{scenario} {apart.get((s.name, scenario), '')}".strip(), about)
            scenarios.setdefault(scenario, about)
    return scenarios


def _manifest(sources: Sequence[Source], apart: Mapping[tuple[str, str], str], differs: list[str]) -> Combined:
    runs = {s.name: s.tables.run for s in sources}
    verified = {repr(entry): entry for run in runs.values() for entry in run.verified or ()}
    return Combined(
        schema=SCHEMA,
        id=" + ".join(runs),
        started=min(runs.values(), key=lambda run: run.instant).started,
        seed=0,
        cells=[],
        scenarios=_scenarios(sources, apart),
        verified=list(verified.values()),
        runs=runs,
        differs=differs,
    )


def _differs(sources: Sequence[Source], machines: Mapping[str, str]) -> Iterator[str]:
    """What is not the same in all runs, a sentence each; first what changes how the rest is to be read."""
    runs = {s.name: s.tables.run for s in sources}
    yield (
        f"{len(runs)} runs side by side: {', '.join(runs)}. Rounds are paired within a run only; a ratio between runs "
        "of one machine is not paired, and holds whatever changed from one to the other."
    )
    if len(set(machines.values())) > 1:
        names = _unequal(machines)
        yield f"Machines differ: {names}. Each has verdicts of its own; no ratio is formed between machines."
    for key in ("bench", "commit"):
        if values := _unequal({n: _short(v) for n, r in runs.items() if (v := getattr(r, key)) is not None}):
            yield f"{key.capitalize()} differs: {values}."
    if seeds := _unequal({name: _short(run.seed) for name, run in runs.items()}):
        yield f"Seeds differ: {seeds}; these runs drew other data from the same scenarios."
    if dirty := [name for name, run in runs.items() if run.dirty]:
        yield f"The checkout had uncommitted changes in {', '.join(dirty)}."
    installed = {name: changes.installed(run) for name, run in runs.items()}
    packages = sorted({package for versions in installed.values() for package in versions})
    unequal = {p: _unequal({name: _short(v.get(p)) for name, v in installed.items()}) for p in packages}
    if versions := [f"{package} {values}" for package, values in unequal.items() if values]:
        yield f"Versions differ: {'; '.join(versions)}."


def _unlike(problems: Mapping[str, list[list[str]]]) -> Iterator[str]:
    for scenario, groups in problems.items():
        where = " than in ".join(" and ".join(group) for group in groups)
        yield f"{scenario} is another problem in {where}: its file or its data have changed, so it is not compared."


def _unequal(values: Mapping[str, str]) -> str:
    """`0.21 (a), 0.22 (b, c)`; empty where all are the same."""
    by_value: dict[str, list[str]] = {}
    for name, value in values.items():
        by_value.setdefault(value, []).append(name)
    texts = [f"{value} ({', '.join(names)})" for value, names in by_value.items()]
    return ", ".join(texts) if len(texts) > 1 else ""


def _short(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)[:12]
