"""Verify pairs: what is known already from the cache, the rest in a child per framework, precision and device."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.catalog.frameworks import frameworks, named
from bench.catalog.kept import bring
from bench.data import family
from bench.measure import guardian, interrupts, local
from bench.measure.environment import default_threads
from bench.measure.executor import Executor, Needs, Request
from bench.plan import Plan, Planned
from bench.store.ledger import Ledger
from bench.store.manifest import Density, Verified
from bench.verify import among, cache, methods
from bench.verify.among import Answered
from bench.verify.comparison import compare
from bench.verify.outcome import REFUSED, Pair, judged, unjudged
from bench.verify.problems import SEED, Problem, Problems
from bench.verify.wire import ANSWERS, packed, unpacked

START_SECONDS, TASK_SECONDS = 120.0, 60.0
"""Limit of a child: for its import, and for each density on top; longer on a machine that is slow now."""
LOOK_SECONDS = 0.2
"""How often what is at work is said."""

Tick = Callable[[str], None]
"""Told a few times a second what is being verified."""


def verify(
    pairs: Iterable[Pair],
    tick: Tick,
    *,
    again: bool = False,
    executor: Executor | None = None,
    fitted: Iterable[Density] = (),
) -> list[Verified]:
    """An outcome per pair, in order; with `again` what the cache knows is verified anew.

    Children are those of `executor`, this machine's where none is named. The methods `fitted` are judged in turn with
    the densities of their framework (`methods.verify`), beside other frameworks; their outcomes come last.
    """
    executor = executor or local.Local()
    outcomes: dict[Density, Verified] = {}
    wanted = list({pair.key: pair for pair in pairs}.values())
    files = cache.files_of(wanted)
    for pair in wanted:
        framework = named(pair.framework)
        if why := framework.unavailable:
            outcomes[pair.key] = unjudged(pair, "unavailable", why)
        elif not again and not family(pair.scenario.family).OPAQUE and (kept := cache.load(files[pair.key], pair.key)):
            outcomes[pair.key] = kept
    left = sorted((p for p in wanted if p.key not in outcomes), key=_child)
    groups = {needs: list(group) for needs, group in groupby(left, key=_child)}
    answered: list[Answered] = []
    judged_methods, judges = methods.split(fitted, executor)
    for of, outcome in _side_by_side(groups, judges, tick, executor):
        if isinstance(outcome, Answered):
            answered.append(outcome)
        elif of is None:
            judged_methods.append(outcome)
        else:
            if not family(of.scenario.family).OPAQUE:
                cache.store(files[of.key], outcome)
            outcomes[of.key] = outcome
    outcomes |= {outcome.key: outcome for outcome in among.judge(answered)}
    return [*(outcomes[pair.key] for pair in wanted), *judged_methods]


def pairs_of(plan: Plan) -> list[Pair]:
    """The densities that the cells of a plan fit, where their framework has one.

    Of a model that only frameworks know also those of the other frameworks that have a file of their own for it here,
    to be held against.
    """
    pairs = [pair_of(p) for p in plan.cells if not p.unsupported() and p.backend.home.has_density]
    opaque = [pair for pair in pairs if family(pair.scenario.family).OPAQUE]
    return pairs + [
        replace(pair, framework=name)
        for pair in opaque
        for name, framework in frameworks().items()
        if framework.has_density
        and not framework.missing
        and Path(pair.scenario.file).with_name(framework.own_files[0]).is_file()
    ]


def refused(plan: Plan, outcomes: Iterable[Verified]) -> dict[str, str]:
    """{cell id: reason} of the cells that must not be timed."""
    bad = {outcome.key: outcome for outcome in outcomes if outcome.verdict in REFUSED}
    keys = ((p.cell.id, key) for p in plan.cells for key in (pair_of(p).key, methods.key_of(p)))
    return {cell: bad[key].refusal for cell, key in keys if key in bad}


def pair_of(planned: Planned) -> Pair:
    """The density that a cell fits."""
    return Pair(planned.backend.framework, planned.scenario, planned.cell.dtype, planned.cell.device)


def _child(pair: Pair) -> Needs:
    """Pairs of the same needs share a child."""
    return Needs(pair.framework, pair.device, pair.dtype, None, "matched")


def _work(pairs: Sequence[Pair]) -> str:
    """What a child does, in words."""
    first = pairs[0]
    what = first.scenario.label if len(pairs) == 1 else f"{len(pairs)} scenarios"
    return f"{first.framework} {first.dtype}{'' if first.device == 'cpu' else f' on {first.device}'}: {what}"


Task = tuple[Pair, Problem]
Judged = tuple[Pair, Verified | Answered] | tuple[None, Verified]
"""What came of a pair, or of a method."""


def _side_by_side(
    groups: Mapping[Needs, Sequence[Pair]], judges: Mapping[Needs, methods.Judge], tick: Tick, executor: Executor
) -> Iterator[Judged]:
    """Outcomes of groups that have a child each, as many children at a time as there are CPUs: nothing is timed.

    The methods of a group have the next, for a fork server has one child at a time.
    """
    problems, stop = Problems(), threading.Event()

    def look() -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    with ThreadPoolExecutor(default_threads()) as threads:
        left: dict[Future[list[Judged]], str] = {}
        try:
            for needs in sorted({*groups, *judges}):
                pairs, judge = groups.get(needs, ()), judges.get(needs)
                tasks, unknown = _tasks(pairs, problems, tick)
                yield from unknown
                work = [*([_work(pairs)] if pairs else []), *([methods.words(needs)] if judge else [])]
                left[threads.submit(_verified, tasks, problems, judge, executor, look)] = "; ".join(work)
            while left:
                interrupts.check()
                tick("; ".join(list(left.values())[: default_threads()]))
                done, _ = wait(left, LOOK_SECONDS, FIRST_COMPLETED)
                for future in done:
                    left.pop(future)
                    yield from future.result()
        except BaseException:
            stop.set()
            for future in left:
                future.cancel()
            raise


def _tasks(pairs: Sequence[Pair], problems: Problems, tick: Tick) -> tuple[list[Task], list[Judged]]:
    """What the child of a group is asked, and what cannot be asked."""
    tasks: list[Task] = []
    unknown: list[Judged] = []
    for pair in pairs:
        interrupts.check()
        tick(_work(pairs))
        try:
            opaque = family(pair.scenario.family).OPAQUE
            tasks.append((pair, problems.get(pair.scenario, pair.dtype, neighbours=opaque)))
        except Exception as error:  # noqa: BLE001 -- what its data or family raise, its cells will say in their rows
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            unknown.append((pair, unjudged(pair, "unknown", f"the family gives no density here: {text}")))
    return tasks, unknown


def _verified(
    tasks: Sequence[Task],
    problems: Problems,
    judge: methods.Judge | None,
    executor: Executor,
    look: Callable[[], None],
) -> list[Judged]:
    """Outcomes of what shares a child, then those of methods.

    What is off is asked again with the neighbours of every point: rounding may be why. What is not needs none.
    """
    outcomes = _all_answers(tasks, executor, look)
    off = [at for at, outcome in enumerate(outcomes) if isinstance(outcome, Verified) and outcome.verdict == "wrong"]
    again: dict[int, Task] = {}
    for at in off:
        pair = tasks[at][0]
        with contextlib.suppress(Exception):  # where its family has no answer there, the first outcome stands
            again[at] = pair, problems.get(pair.scenario, pair.dtype)
    for at, outcome in zip(again, _all_answers(list(again.values()), executor, look), strict=True):
        outcomes[at] = outcome
    judged_methods = judge(look) if judge else []
    return [*zip((pair for pair, _ in tasks), outcomes, strict=True), *((None, outcome) for outcome in judged_methods)]


def _all_answers(tasks: Sequence[Task], executor: Executor, tick: Callable[[], None]) -> list[Verified | Answered]:
    """Outcomes of the tasks, in order; after one that ends the child, the rest get another."""
    outcomes: list[Verified | Answered] = []
    while left := tasks[len(outcomes) :]:
        outcomes += _answers(left, executor, tick)
    return outcomes


def _answers(tasks: Sequence[Task], executor: Executor, tick: Callable[[], None]) -> list[Verified | Answered]:
    """Outcomes of the first tasks: those a child answered, then the one that ended it, or all if it never started."""
    needs = _child(tasks[0][0])
    request = Request(
        work="verify",
        needs=needs,
        task={
            "framework": needs.framework,
            "dtype": needs.dtype,
            "device": needs.device,
            "tasks": [_task(pair, problem) for pair, problem in tasks],
        },
        timeout=round((START_SECONDS + TASK_SECONDS * len(tasks)) * executor.slowness()),
    )
    with guardian.scratch("verify") as folder:
        for pair, _ in tasks:
            bring(pair.scenario, folder)
        end = executor.submit(request, folder, tick)
        answers = Ledger(folder / ANSWERS).entries()
    status, reason = end.status(request.timeout)
    ended = {"verdict": status, "reason": reason}
    started, *answered = answers or [ended]
    if started["verdict"]:
        return [unjudged(pair, started["verdict"], started["reason"]) for pair, _ in tasks]
    if len(answered) < len(tasks):
        answered.append(ended)
    return [_outcome(pair, problem, answer) for (pair, problem), answer in zip(tasks, answered, strict=False)]


def _task(pair: Pair, problem: Problem) -> dict[str, Any]:
    return {
        "scenario": pair.scenario.name,
        "overrides": dict(pair.scenario.overrides),
        "seed": SEED,
        "digest": problem.data.digest,
        "points": packed(problem.z),
    }


def _outcome(pair: Pair, problem: Problem, answer: Mapping[str, Any]) -> Verified | Answered:
    if answer["verdict"]:
        return unjudged(pair, answer["verdict"], answer["reason"])
    value, gradient = unpacked(answer["value"]), unpacked(answer["gradient"])
    if problem.expected is None:
        return Answered(pair, problem, value, gradient)
    errors = compare(problem.expected, value, gradient, groups=problem.points.groups, dtype=pair.dtype)
    return judged(pair, errors, problem.points.names)
