"""Does a backend keep the contract of bench.types.Backend? Read from its source, then tried in children."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.catalog.backends import BackendInfo
from bench.catalog.places import owner
from bench.cell import Cell
from bench.check import answers
from bench.check.findings import Finding, note, ok, problem
from bench.check.trials import SEED, data_of, has_second, smallest
from bench.data import family
from bench.errors import NoReference
from bench.families import families
from bench.measure import guardian
from bench.measure.executor import Executor, Request, needs_of
from bench.reference.cache import reference
from bench.store import arrays
from bench.store.folder import RunFolder
from bench.store.manifest import Density
from bench.store.records import Record
from bench.types import Dataset, Fit, Scenario, bracketed
from bench.verify import methods, sharp
from bench.words import program

LINES = 60
TRIES = {0: (0, 1), 1: (0, 1), 2: (0, 2), 3: (1, 1)}
"""Reps of the first child: [number of the data set, seed]."""
ALONE = {4: (1, 1)}
"""And of the second, whose program has fitted nothing before."""
Answer = tuple[Record, Fit | None]
FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)


def findings(
    info: BackendInfo, options: Mapping[str, Any], progress: Callable[[str], None], executor: Executor
) -> Iterator[Finding]:
    """Problems, notes, and a line for everything that holds; `options` are those that the user named."""
    yield from _declared(info)
    if info.home.broken:
        yield problem(info.name, info.home.broken)
        return
    if missing := info.home.missing:
        yield problem(info.name, f"{', '.join(missing)} is not installed, so it cannot be tried", info.home.install)
        return
    yield from _given_data(info, progress, executor)
    typed = bracketed(info.name, dict(options))
    tried = Tried(info, typed, tuple(info.validate(options).items()), progress, executor)
    for name in info.families or families():
        if name not in families() or not family(name).OPAQUE:  # whose models are the user's
            yield from tried.on_family(name)


def _declared(info: BackendInfo) -> Iterator[Finding]:
    source = info.file.read_text(encoding="utf-8")
    where = info.file.name
    wrong = [f"FAMILIES names {name!r}, which is none" for name in info.families if name not in families()]
    wrong += [f"it defines no {name}" for name in ("build", "fit", "draw") if name not in _defined(source)]
    yield from (problem(where, text, "see bench/protocols.py, class Backend") for text in wrong)
    if not info.summary:
        yield note(where, "it has no docstring: `bench list` says nothing of it")
    for option in info.options.values():
        if not option.help:
            yield note(where, f"option {option.name} has no help; write option(default, help)")
    if (lines := _code_lines(source)) >= LINES:
        yield note(where, f"{lines} lines of code; most backends do with fewer than {LINES}")
    if not wrong:
        yield ok(where, f"{info.kind}, {lines} lines of code, options {', '.join(info.options) or 'none'}")


def _defined(source: str) -> set[str]:
    tree = ast.parse(source)
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    names |= {a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    return names | {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}


def _code_lines(source: str) -> int:
    """Lines with a statement on them, docstrings left out."""
    tree = ast.parse(source)
    held: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            held |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(1 for number, line in lines if line.strip() and not line.strip().startswith("#") and number not in held)


def _given_data(info: BackendInfo, progress: Callable[[str], None], executor: Executor) -> Iterator[Finding]:
    """Whether it fits the data it is given, shown on one problem of the family linear."""
    if "linear" not in (info.families or families()):
        return
    where = f"{info.name} on the {sharp.NAME} problem"
    (outcome,) = methods.verify([Density(info.name, sharp.NAME, "float64", "cpu")], progress, executor)
    if outcome.verdict == "wrong":
        yield problem(where, outcome.reason, "look for what its file does to the data before it fits them")
    elif outcome.verdict == "same":
        yield ok(where, "it fits the data it is given: other data would have given another answer")
    else:
        yield note(where, f"nothing to be said on whether it fits the data it is given: {outcome.reason}")


@dataclass(frozen=True, slots=True)
class Tried:
    """A backend with its options, and what its children are started with."""

    info: BackendInfo
    typed: str
    options: tuple[tuple[str, Any], ...]
    progress: Callable[[str], None]
    executor: Executor

    def on_family(self, name: str) -> Iterator[Finding]:
        """Fits of the smallest scenario of a family that the backend supports, judged."""
        refusals: list[str] = []
        for chosen in smallest(name):
            where = f"{name} ({chosen.label})"
            tries = TRIES if has_second(chosen) else {rep: t for rep, t in TRIES.items() if t[0] == 0}
            fits = self._child(chosen, tries, where)
            status, reason = fits[0][0].status, fits[0][0].reason
            if status == "unsupported":
                refusals.append(f"{chosen.label}: {reason}")
                continue
            if len(tries) == len(TRIES) and status == "ok":
                fits |= self._child(chosen, ALONE, where)
            yield from self._judged(where, chosen, fits)
            return
        why = f" ({'; '.join(refusals)})" if refusals else ": there is none of it"
        if self.info.families:
            what = f"named in FAMILIES, but no scenario of it is supported{why}"
            yield problem(name, what, "name only what it serves")
        else:
            yield note(name, f"no scenario of it is supported{why}")

    def _child(self, chosen: Scenario, tries: Mapping[int, tuple[int, int]], where: str) -> dict[int, Answer]:
        """One child's answers; a try that it left without one has a record that says how the child ended."""
        # one thread, so that sums have one order, and the same seed the same bits
        cell = Cell(chosen.name, (), self.info.name, self.options, "quick", "matched", "cpu", "float64", threads=1)
        request = Request(
            work="check",
            needs=needs_of(cell),
            task={
                "cell": asdict(cell),
                "round": 0,
                "position": 0,
                "reps": list(tries),
                "tries": {str(rep): attempt for rep, attempt in tries.items()},
                "seed": SEED,
            },
            timeout=cell.resolved_budget().timeout,
        )
        with guardian.scratch("check") as place:
            folder = RunFolder.create(place, "try")
            end = self.executor.submit(request, folder.path, lambda: self.progress(f"{self.info.name} on {where}"))
            ended = end.status(request.timeout)
            records = {rep: folder.record(cell.id, rep) or Record(cell.id, rep, 0, 0, False, *ended) for rep in tries}
            return {rep: self._answer(folder, record) for rep, record in records.items()}

    def _answer(self, folder: RunFolder, record: Record) -> Answer:
        """A record with its fit, where it has ended ok."""
        if record.status != "ok":
            return record, None
        kind: Any = self.info.kind_of(dict(self.options))
        file = folder.fit(record.cell, record.rep) / "draws.npz"
        return record, arrays.unpack(arrays.read(file), kind, record.stats, record.notes)[0]

    def _judged(self, where: str, chosen: Scenario, tried: Mapping[int, Answer]) -> Iterator[Finding]:
        bad = {(r.status, r.reason): rep for rep, (r, _) in reversed(list(tried.items())) if r.status != "ok"}
        mend = f"{self._found()}bench run -s {shlex.quote(chosen.label)} -b {shlex.quote(self.typed)}"
        for (status, reason), rep in bad.items():
            honest = reason.startswith("diverged:")  # a fit may fail, as long as it says so
            place = _raised(tried[rep][0].log_tail, self.info.file.parent)
            yield (note if honest else problem)(f"{where}, fit {rep}", f"{status}: {reason}{place}", mend)
        if bad:
            return
        fits = {rep: fit for rep, (_, fit) in tried.items() if fit is not None}
        record, first = tried[0][0], fits[0]
        wrong = [answers.reproducible(first, fits[1]), answers.seeded(first, fits[2])]
        if 4 in fits:
            wrong.append(answers.unbiased_by_another(fits[3], fits[4], first))
        else:
            yield note(where, "its data are fixed and a prior is improper: no second data set to try")
        complaints = [text for text in wrong if text]
        yield from (problem(where, text) for text in complaints)
        for text in answers.worked(first, record.seconds):
            yield note(where, text)
        if not complaints:
            yield ok(where, "draws named, shaped and in their support; seeds decide them; a program serves any data")
        for number in sorted({TRIES[rep][0] for rep in fits if rep in TRIES}):
            rep = next(rep for rep, t in TRIES.items() if t[0] == number)
            yield self._against_reference(f"{where}, data set {number}", fits[rep], data_of(chosen, number))

    def _against_reference(self, at: str, fit: Fit, data: Dataset) -> Finding:
        """Whether the answer is that of the posterior, as far as its kind claims that."""
        fam = family(data.family)
        try:
            if fit.kind == "point":
                text = answers.gap(fit, data, fam) if "objective" in fit.stats else ""
                more = "options may need more steps than the quick budget has"
                return note(at, text, more) if text else ok(at, "its point is the optimum of its objective")
            if text := answers.unconverged(fit, data):
                more = bracketed(self.info.name, {**dict(self.options), "warmup": 5000, "draws": 5000})
                return note(at, text, f"try more draws, as in: {self._found()}bench check {shlex.quote(more)}")
            known = reference(data)
            if fit.kind == "vi":
                text = answers.far(fit, data, known)
                return note(at, text, "try more steps") if text else ok(at, "its means are near the reference")
            text = answers.moments(fit, data, known)
            return (
                problem(at, text, f"{program.command('verify')}, then see its transforms")
                if text
                else ok(at, "as the reference")
            )
        except NoReference as why:
            return note(at, f"nothing to hold it against: {why}")

    def _found(self) -> str:
        """What must stand before a command so that it finds the backend, where a variable says where that is."""
        own = os.environ.get("BENCH_BACKENDS", "")
        return f"BENCH_BACKENDS={shlex.quote(own)} " if own and owner(self.info.file) else ""


def _raised(log: str, folder: Path) -> str:
    """` at FILE:LINE`, the last place in the contender's folder that the traceback of a log came through.

    Else its last place anywhere; empty where the log has no traceback.
    """
    frames = [(match["file"], match["line"]) for match in FRAME.finditer(log)]
    own = [(file, line) for file, line in frames if Path(file).is_relative_to(folder)]
    if not frames:
        return ""
    file, line = (own or frames)[-1]
    near = os.path.relpath(file)
    return f" at {file if near.startswith('..') else near}:{line}"
