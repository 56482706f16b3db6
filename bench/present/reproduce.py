"""The exact command that makes one cell of a run again, and the one that would give a verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.analysis.contender import MIN_ROUNDS
from bench.analysis.sections import Row, Section
from bench.measure.noise import DISTURBED
from bench.store.manifest import CellEntry, Run
from bench.types import bracketed
from bench.words import program

_BARE = re.compile(r"[A-Za-z_][\w.\-/]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+")
AXES = ("budget", "track", "device", "dtype", "threads")
FLAGS = {"fresh": "--fresh", "reuse_compiled": "--reuse-compiled"}
LIMITS = {
    "timeout": "--timeout",
    "until_limit": "--until-limit",
    "memory": "--memory",
    "max_disturbance": "--max-disturbance",
}


def reproduce(row: Row, run: Run) -> str:
    """`python -m bench run …` that plans exactly this cell, with its seed, reps and rounds.

    `--threads` is there where it was asked for, since it is part of the cell; otherwise the CPUs of the machine decide.
    A cell that the manifest does not have gives what its tables know.
    """
    run, scenario, backend, facts = _planned(row, run)
    return program.kept(*_words(run, scenario, [backend], facts))


def remedy(section: Section, run: Run, command: Callable[..., str] = program.kept) -> str:
    """The command that would give a verdict where there were too few rounds, or other work on the machine; else empty.

    Where a quick budget was too small for all, it is that of a larger one. It fits those that could be judged: again,
    in more rounds, and anew where others took their CPUs. `command` makes it of words: one that is kept, or
    `program.command` for a terminal. A run that was interrupted is first to go on.
    """
    states = {answer.state for answer in section.verdict.answers.values()}
    if not states & {"not enough", "not trusted", "none"} or run.state == "interrupted":
        return ""
    rows = [row for row in section.rows if row.state == "met"]
    rows = rows or [row for row in section.rows if row.reps and row.group == "posterior"]
    if not rows:
        return ""
    planned = [_planned(row, run) for row in rows]
    run, scenario, _, facts = planned[0]
    if "none" in states and facts.get("budget") != "quick":
        return ""
    unlike = {axis: None for axis in AXES if len({one[3].get(axis) for one in planned}) > 1}
    if unlike and (suite := (run.options or {}).get("suite")):  # it alone plans cells that differ so
        facts |= {"suite": suite} | unlike
    alike = [one for one in planned if all(one[3].get(axis) == facts[axis] for axis in AXES if facts.get(axis))]
    named = [_bare(one[2]) if facts.get("suite") else one[2] for one in alike]
    if facts.get("budget") == "quick":
        facts |= {"budget": "standard", "reps": None, "rounds": None}
    else:
        least = {"reps": 2, "rounds": MIN_ROUNDS + 2}
        facts |= {name: max(int(facts.get(name) or 0), number) for name, number in least.items()}
    facts |= {"seed": None} | ({"max-disturbance": DISTURBED} if "not trusted" in states else {})
    scenario = _bare(scenario) if facts.get("suite") else scenario
    return command(*_words(run, scenario, list(dict.fromkeys(named)), facts))


def _planned(row: Row, run: Run) -> tuple[Run, str, str, dict[str, Any]]:
    """The run that planned a row's cell, its selectors of scenario and backend, and its other facts."""
    if planned := run.planned(row.cell):
        run, entry = planned
        facts = {name: getattr(entry, name) for name in (*AXES, "reps", "rounds")} | {"seed": run.seed}
        scenario = selector(_scenario(run, entry), dict(entry.overrides))
        return run, scenario, selector(entry.backend, dict(entry.options)), facts
    return run, row.tables.first("scenario"), selector(row.backend, row.options), _facts(row)


def _words(run: Run, scenario: str, backends: Sequence[str], facts: Mapping[str, Any]) -> list[str]:
    options = run.options or {}
    words = ["run", "-s", scenario, *(word for name in backends for word in ("-b", name))]
    for name in ("suite", *AXES, "seed", "reps", "rounds", "max-disturbance"):
        value = facts.get(name)
        words += [] if value is None or value == "" else [f"--{name}", str(value)]
    limits = {
        flag: str(options[key])
        for key, flag in LIMITS.items()
        if options.get(key) is not None and flag.removeprefix("--") not in facts
    }
    words += [part for limit in limits.items() for part in limit]
    words += [flag for key, flag in FLAGS.items() if options.get(key)]
    return words


def _bare(selected: str) -> str:
    """Its name: a suite that is narrowed by it says the rest."""
    return selected.partition("[")[0]


def _scenario(run: Run, entry: CellEntry) -> str:
    """Its name, or the path of the copy that the run keeps of a scenario that no catalog has."""
    about = run.scenarios.get(entry.scenario_label)
    results = (run.options or {}).get("results", "results")
    return f"{results}/{run.id}/{about.file}" if about and about.file else entry.scenario


def selector(name: str, values: Mapping[str, Any]) -> str:
    """`name[k=v,…]` as `-s` and `-b` read it back: a list is nested once more, since one alone would sweep."""
    return bracketed(name, {k: _toml_or_word([v] if isinstance(v, list) else v) for k, v in values.items()})


def _toml_or_word(value: Any) -> str:
    """A value of JSON in TOML, or a bare word where that reads back as the same text."""
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value not in {"true", "false"}
        return value if bare else _toml(value)
    return _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{k if _KEY.fullmatch(k) else _text(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for those of halves of characters; DEL must be escaped in TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _facts(row: Row) -> dict[str, Any]:
    """What the first of a cell's fits says of it."""
    fits = row.tables.fits
    rounds = int(fits["round"].nunique()) if "round" in fits else 1
    axes = {name: row.tables.first(name) for name in AXES if name != "threads"}
    return axes | {"rounds": rounds, "reps": max(len(fits) // max(rounds, 1), 1)}
