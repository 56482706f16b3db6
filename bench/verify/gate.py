"""Verify pairs: what is known already from the cache, the rest in a child per framework, precision and device."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog.frameworks import frameworks
from bench.measure import child, guardian, interrupts
from bench.measure.environment import default_threads
from bench.measure.job import free_memory, how
from bench.measure.servers import Key as ServerKey
from bench.measure.servers import Servers
from bench.plan import Plan
from bench.store.folder import write_json
from bench.verify.cache import Verdicts
from bench.verify.comparison import compare
from bench.verify.outcome import REFUSED, Key, Outcome, Pair, judged, unjudged
from bench.verify.problems import SEED, Problem, Problems

START_SECONDS, TASK_SECONDS = 120.0, 60.0
"""Limit of a child: for its import, and for each density on top."""

Tick = Callable[[str], None]
"""Told a few times a second what is being verified."""


def verify(pairs: Iterable[Pair], tick: Tick, *, again: bool = False, servers: Servers | None = None) -> list[Outcome]:
    """An outcome per pair, in order; with `again` what the cache knows is verified anew.

    Children are forked from those of `servers` that have imported what they need.
    """
    found: dict[Key, Outcome] = {}
    known = frameworks()
    wanted = list({pair.key: pair for pair in pairs}.values())
    verdicts = Verdicts(known[name] for name in {pair.framework for pair in wanted})
    for pair in wanted:
        framework = known[pair.framework]
        if why := framework.unavailable:
            found[pair.key] = unjudged(pair, "unavailable", why)
        elif not again and (kept := verdicts.load(pair, framework)):
            found[pair.key] = kept
    left = sorted((p for p in wanted if p.key not in found), key=_child)
    groups = [list(together) for _, together in groupby(left, key=_child)]
    for pair, outcome in _side_by_side(groups, tick, servers or Servers()):
        verdicts.store(pair, known[pair.framework], outcome)
        found[pair.key] = outcome
    return [found[pair.key] for pair in wanted]


def pairs_of(plan: Plan) -> list[Pair]:
    """The densities that the cells of a plan fit, where their framework has one."""
    known = frameworks()
    return [
        Pair(p.backend.framework, p.scenario, p.cell.dtype, p.cell.device)
        for p in plan.cells
        if not p.unsupported() and known[p.backend.framework].has_density
    ]


def refused(plan: Plan, outcomes: Iterable[Outcome]) -> dict[str, str]:
    """{cell id: reason} of the cells that must not be timed."""
    bad = {outcome.key: outcome for outcome in outcomes if outcome.verdict in REFUSED}
    found = {}
    for p in plan.cells:
        if outcome := bad.get(Pair(p.backend.framework, p.scenario, p.cell.dtype, p.cell.device).key):
            found[p.cell.id] = sentence(outcome)
    return found


def sentence(outcome: Outcome) -> str:
    """Why a cell is not timed."""
    if outcome.verdict == "wrong":
        return outcome.reason
    return f"not verified to have the right target: {outcome.verdict}: {outcome.reason}"


def _child(pair: Pair) -> tuple[str, str, str]:
    return pair.framework, pair.dtype, pair.device


def _work(pairs: Sequence[Pair]) -> str:
    """What a child does, in words."""
    framework, dtype, device = _child(pairs[0])
    what = pairs[0].scenario.label if len(pairs) == 1 else f"{len(pairs)} scenarios"
    return f"{framework} {dtype}{'' if device == 'cpu' else f' on {device}'}: {what}"


Task = tuple[Pair, Problem]
Told = tuple[Pair, Outcome]


def _side_by_side(groups: Sequence[Sequence[Pair]], tick: Tick, servers: Servers) -> Iterator[Told]:
    """Outcomes of groups that have a child each, as many children at a time as there are CPUs: nothing is timed."""
    problems, stop = Problems(), threading.Event()

    def look() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    with ThreadPoolExecutor(default_threads()) as executor:
        left: dict[Future[list[Told]], str] = {}
        try:
            for pairs in groups:
                tasks, unknown = _tasks(pairs, problems, tick)
                yield from unknown
                left[executor.submit(_verified, tasks, servers, look)] = _work(pairs)
            while left:
                interrupts.check()
                tick("; ".join(list(left.values())[: default_threads()]))
                done, _ = wait(left, child.WATCH_SECONDS, FIRST_COMPLETED)
                for future in done:
                    left.pop(future)
                    yield from future.result()
        except BaseException:
            stop.set()
            for future in left:
                future.cancel()
            raise


def _tasks(pairs: Sequence[Pair], problems: Problems, tick: Tick) -> tuple[list[Task], list[Told]]:
    """What the child of a group is asked, and what cannot be asked."""
    tasks, unknown = [], []
    for pair in pairs:
        interrupts.check()
        tick(_work(pairs))
        try:
            tasks.append((pair, problems.get(pair.scenario, pair.dtype)))
        except Exception as error:  # noqa: BLE001 -- what its data or family raise, its cells will say in their rows
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            unknown.append((pair, unjudged(pair, "unknown", f"the family gives no density here: {text}")))
    return tasks, unknown


def _verified(tasks: Sequence[Task], servers: Servers, look: Callable[[], None]) -> list[Told]:
    """Outcomes of what shares a child; after one that ends it, the rest get another."""
    found: list[Told] = []
    while left := tasks[len(found) :]:
        with guardian.scratch("verify") as folder:
            answers = _asked(left, folder, servers, look)
        found += [(pair, outcome) for (pair, _), outcome in zip(left, answers, strict=False)]
    return found


def _asked(tasks: Sequence[Task], folder: Path, servers: Servers, tick: Callable[[], None]) -> list[Outcome]:
    """Outcomes of the first tasks: those a child answered, then the one that ended it, or all if it never started."""
    first, threads, timeout = tasks[0][0], default_threads(), START_SECONDS + TASK_SECONDS * len(tasks)
    for number, (_, problem) in enumerate(tasks):
        np.save(folder / f"{number}-points.npy", problem.z)
    request = {
        "framework": first.framework,
        "dtype": first.dtype,
        "device": first.device,
        "threads": threads,
        "parent": os.getpid(),
        "folder": str(folder),
        "tasks": [_task(number, pair, problem) for number, (pair, problem) in enumerate(tasks)],
    }
    write_json(folder / "request.json", request)
    key = ServerKey(first.framework, first.device, first.dtype, threads, "matched")
    started = servers.child(key, folder / "request.json", folder / "log", module="bench.verify.worker")
    end = child.watch(started, timeout=timeout, memory=free_memory(), tick=tick)
    status, reason = how(end, timeout)
    begun = _answer(folder / "started.json") or {"verdict": status, "reason": reason}
    if begun["verdict"]:
        return [unjudged(pair, **begun) for pair, _ in tasks]
    outcomes = []
    for number, (pair, problem) in enumerate(tasks):
        said = _answer(folder / f"{number}.json")
        ended = said or {"verdict": status, "reason": reason}
        outcomes.append(_outcome(pair, problem, ended, folder / f"{number}.npz"))
        if said is None:
            break
    return outcomes


def _task(number: int, pair: Pair, problem: Problem) -> dict[str, Any]:
    return {
        "number": number,
        "scenario": pair.scenario.name,
        "overrides": dict(pair.scenario.overrides),
        "seed": SEED,
        "digest": problem.data.digest,
    }


def _answer(file: Path) -> dict[str, str] | None:
    return dict(json.loads(file.read_text())) if file.is_file() else None


def _outcome(pair: Pair, problem: Problem, said: dict[str, str], arrays: Path) -> Outcome:
    if said["verdict"]:
        return unjudged(pair, **said)
    with np.load(arrays) as given:
        errors = compare(
            problem.expected, given["value"], given["gradient"], groups=problem.points.groups, dtype=pair.dtype
        )
    return judged(pair, errors, problem.points.names)
