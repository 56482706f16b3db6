"""Several runs as one set of tables, in which nothing of different machines, data or runs is mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from bench.analysis import changes
from bench.analysis.tables import RunTables
from bench.store.manifest import SCHEMA, Combined, Run

FACTS = ("bench", "commit", "seed")


@dataclass(frozen=True)
class Source:
    """A run with the name it goes by here and the folder it lies in, relative to the report, with a slash; or empty."""

    name: str
    tables: RunTables
    home: str = ""


def combine(sources: Sequence[Source]) -> RunTables:
    """Tables of all runs, for the reports. Every cell of every run is a contender of its own.

    Fits get the columns `origin` (their run), `planned` (their cell in it), `home` and `apart`: what tells the section
    they belong to, a machine or a set of data, empty where all runs agree. The manifest is
    a `Combined`. ValueError for names that are there twice.
    """
    names = [s.name for s in sources]
    if len(set(names)) < len(names):
        raise ValueError(f"names are there twice: {names}")
    machines = machines_of(sources)
    versions = problems_of(sources)
    apart = {
        (s.name, scenario): _apart(s, scenario, machines, versions)
        for s in sources
        for scenario in s.tables.fits["scenario"].astype(str).unique()
    }
    frames = {kind: _stacked(sources, kind) for kind in ("fits", "metrics", "curves")}
    fits = frames["fits"]
    keys = zip(fits["origin"], fits["scenario"].astype(str), strict=True)
    return RunTables(
        run=_manifest(sources, [*_differs(sources, machines), *_unlike(versions)]),
        fits=fits.assign(apart=[apart[key] for key in keys]),
        metrics=frames["metrics"],
        curves=frames["curves"],
        scenarios=_scenarios(sources, apart),
    )


def machine_words(run: Run) -> str:
    """`AMD EPYC, 2 CPUs`, with a GPU where one is recorded."""
    host, cpus = run.host, run.host.cpus
    gpu = host.gpu or host.gpus
    gpus = gpu if isinstance(gpu, str) else ", ".join(gpu)
    return ", ".join(filter(None, [host.cpu or "unknown machine", f"{cpus} CPUs" if cpus else "", gpus]))


def machines_of(sources: Sequence[Source]) -> dict[str, str]:
    """The words of each run's machine, by name of the run; unlike machines have unlike words."""
    kinds: list[list[Source]] = []
    for s in sources:
        mine = next((k for k in kinds if not changes.machine(k[0].tables.run, s.tables.run)), None)
        if mine is None:
            kinds.append([s])
        else:
            mine.append(s)
    words = [machine_words(kind[0].tables.run) for kind in kinds]
    told: dict[str, str] = {}
    for kind, said in zip(kinds, words, strict=True):
        unlike = said if words.count(said) == 1 else f"{said}, of {' and '.join(s.name for s in kind)}"
        told |= {s.name: unlike for s in kind}
    return told


class _Problem(NamedTuple):
    """What fits say of the problem they answer: digests of the scenario, and {data seed (None: fixed): data digest}."""

    digests: frozenset[str]
    data: Mapping[int | None, str]

    def agrees(self, other: _Problem) -> bool:
        """Whether the scenario's digests are the same, and the data of every seed that both drew."""
        if self.digests and other.digests and self.digests != other.digests:
            return False
        return all(self.data[seed] == digest for seed, digest in other.data.items() if seed in self.data)


def problems_of(sources: Sequence[Source]) -> dict[str, list[list[str]]]:
    """{scenario: names of runs that fitted the same problem, by group}, of scenarios whose digests or data differ."""
    groups: dict[str, list[tuple[_Problem, list[str]]]] = {}
    for s in sources:
        for scenario, mine in _problems(s.tables.fits):
            known = groups.setdefault(scenario, [])
            place = next((i for i, (problem, _) in enumerate(known) if problem.agrees(mine)), None)
            if place is None:
                known.append((mine, [s.name]))
                continue
            problem, names = known[place]
            known[place] = (
                _Problem(problem.digests or mine.digests, {**mine.data, **problem.data}),
                [*names, s.name],
            )
    return {name: [names for _, names in found] for name, found in groups.items() if len(found) > 1}


def _problems(fits: pd.DataFrame) -> Iterator[tuple[str, _Problem]]:
    """Every scenario of a run."""
    told = fits.reindex(columns=["scenario", "scenario_digest", "data_seed", "data_digest"]).drop_duplicates()
    known: dict[str, tuple[set[str], dict[int | None, str]]] = {}
    for scenario, digest, seed, data in told.itertuples(index=False):
        digests, drawn = known.setdefault(str(scenario), (set(), {}))
        if not pd.isna(digest) and digest:
            digests.add(str(digest))
        if not pd.isna(data) and data:
            drawn.setdefault(None if pd.isna(seed) else int(seed), str(data))
    yield from ((scenario, _Problem(frozenset(digests), data)) for scenario, (digests, data) in known.items())


def _apart(s: Source, scenario: str, machines: Mapping[str, str], versions: Mapping[str, list[list[str]]]) -> str:
    where = f"on {machines[s.name]}" if len(set(machines.values())) > 1 else ""
    mine = next((group for group in versions.get(scenario, []) if s.name in group), None)
    return " ".join(filter(None, [where, f"as in {' and '.join(mine)}" if mine else ""]))


def _stacked(sources: Sequence[Source], kind: str) -> pd.DataFrame:
    there = [(s, frame) for s in sources if len(frame := getattr(s.tables, kind))]
    if not there:
        empty: list[pd.DataFrame] = [getattr(s.tables, kind) for s in sources]
        return max(empty, key=lambda frame: len(frame.columns))
    found: list[pd.DataFrame] = []
    for s, frame in there:
        cell = frame["cell"].astype(str)
        new: dict[str, Any] = {"cell": f"{s.name}:" + cell}
        if kind == "fits":
            new |= {"origin": s.name, "planned": cell, "home": s.home}
        found.append(frame.assign(**new))
    columns = list(dict.fromkeys(column for frame in found for column in frame.columns))
    # An empty column has no type of its own and would spoil that of the others.
    return pd.concat([f.dropna(axis="columns", how="all") for f in found], ignore_index=True).reindex(columns=columns)


def _scenarios(sources: Sequence[Source], apart: Mapping[tuple[str, str], str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for s in sources:
        for scenario, about in s.tables.scenarios.items():
            told = apart.get((s.name, scenario), "")
            found.setdefault(f"{scenario} {told}".strip(), about)
            found.setdefault(scenario, about)
    return found


def _manifest(sources: Sequence[Source], differs: list[str]) -> Combined:
    runs = {s.name: s.tables.run for s in sources}
    verified = {repr(entry): entry for run in runs.values() for entry in run.verified or ()}
    return Combined(
        schema=SCHEMA,
        id=" + ".join(runs),
        started=min((run.started or "" for run in runs.values()), default=""),
        seed=0,
        cells=[],
        scenarios={},
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
        yield f"Machines differ: {_told(machines)}. Each has verdicts of its own; no ratio is formed between machines."
    known = {key: {n: _short(v) for n, r in runs.items() if (v := getattr(r, key)) is not None} for key in FACTS}
    facts = {key: told for key, values in known.items() if (told := _unequal(values))}
    yield from (f"{key.capitalize()} differs: {told}." for key, told in facts.items() if key != "seed")
    if "seed" in facts:
        yield f"Seeds differ: {facts['seed']}; these runs drew other data from the same scenarios."
    if dirty := [name for name, run in runs.items() if run.dirty]:
        yield f"The checkout had uncommitted changes in {', '.join(dirty)}."
    installed = {n: {**r.versions, "python": r.host.python} for n, r in runs.items()}
    packages = sorted({p for found in installed.values() for p in found} - {*changes.SCORING})
    unequal = {p: _unequal({n: _short(v.get(p)) for n, v in installed.items()}) for p in packages}
    if changed := [f"{package} {said}" for package, said in unequal.items() if said]:
        yield f"Versions differ: {'; '.join(changed)}."


def _unlike(versions: Mapping[str, list[list[str]]]) -> Iterator[str]:
    for scenario, groups in versions.items():
        told = " than in ".join(" and ".join(group) for group in groups)
        yield f"{scenario} is another problem in {told}: its file or its data have changed, so it is not compared."


def _unequal(values: Mapping[str, str]) -> str:
    """`0.21 (a), 0.22 (b, c)`; empty where all are the same."""
    return _told(values) if len(set(values.values())) > 1 else ""


def _told(values: Mapping[str, str]) -> str:
    by_value: dict[str, list[str]] = {}
    for name, value in values.items():
        by_value.setdefault(value, []).append(name)
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in by_value.items())


def _short(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)[:12]
