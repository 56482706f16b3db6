"""Methods whose answer to the sharp problem is judged: from the cache, or by a child per framework and precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby

from bench.catalog.backends import BackendInfo, backend
from bench.families import families
from bench.measure import guardian, interrupts
from bench.measure.executor import Executor, Needs, Request
from bench.plan import Plan, Planned
from bench.store.ledger import Ledger
from bench.store.manifest import Density, Verified
from bench.verify import cache, sharp
from bench.verify.wire import ANSWERS

SECONDS, START_SECONDS = 60.0, 120.0
"""Limit of a child: for each method, and for its import."""
KINDS = ("point", "vi", "exact")
"""Who is judged before a run. A sampler states the log density of its draws, and its means are held against the
reference of the data themselves; of these kinds few state one, and being off is their nature."""
KEPT = ("same", "wrong", "unknown")


Judge = Callable[[Callable[[], None]], list[Verified]]
"""Has methods of the same needs judged in children, calling its argument a few times a second: their verdicts."""


def verify(methods: Iterable[Density], tick: Callable[[str], None], executor: Executor) -> list[Verified]:
    """A verdict on each: same, wrong, or unknown with the reason."""
    wanted = list(dict.fromkeys(methods))
    known, unknown = split(wanted, executor)
    for needs, judge in unknown.items():
        interrupts.check()
        known += judge(partial(tick, words(needs)))
    outcomes = {outcome.key: outcome for outcome in known}
    return [outcomes[key] for key in wanted]


def split(methods: Iterable[Density], executor: Executor) -> tuple[list[Verified], dict[Needs, Judge]]:
    """What is known of them from earlier, and what finds out about the others."""
    wanted = list(methods)
    harness = cache.harness_digest() if wanted else ""
    files = {key: cache.file(key, [backend(key.framework).digest, harness]) for key in wanted}
    known = [verdict for key, file in files.items() if (verdict := cache.load(file, key, KEPT))]
    left = sorted(set(files) - {verdict.key for verdict in known}, key=_needs)

    def judge(needs: Needs, keys: list[Density], tick: Callable[[], None]) -> list[Verified]:
        outcomes: list[Verified] = []
        while len(outcomes) < len(keys):
            judged = _judged(keys[len(outcomes) :], needs, executor, tick)
            for outcome in judged:
                cache.store(files[outcome.key], outcome, KEPT)
            outcomes += judged
        return outcomes

    return known, {needs: partial(judge, needs, list(group)) for needs, group in groupby(left, key=_needs)}


def words(needs: Needs) -> str:
    """What is done with methods of these needs."""
    return f"{needs.framework}: the {sharp.NAME} problem"


def methods_of(plan: Plan) -> list[Density]:
    """Those of a plan that are judged before it: a method may be given other data in each family that it serves."""
    return list(dict.fromkeys(key_of(p) for p in plan.cells if not p.unsupported() and is_judged(p.backend)))


def is_judged(info: BackendInfo) -> bool:
    """Whether it is of such a kind and can fit a linear regression."""
    return info.kind in KINDS and "linear" in (info.families or families()) and not info.home.unavailable


def key_of(planned: Planned) -> Density:
    """The method of a cell, by what it depends on here."""
    return Density(planned.cell.backend, sharp.NAME, planned.cell.dtype, planned.cell.device)


def _needs(key: Density) -> Needs:
    return Needs(key.framework.rpartition(".")[0], key.device, key.dtype, None, "matched")


def _judged(keys: Sequence[Density], needs: Needs, executor: Executor, tick: Callable[[], None]) -> list[Verified]:
    """Verdicts on the first of the methods: those a child answered, then the one that ended it."""
    limit = START_SECONDS + SECONDS * len(keys)
    request = Request(work="verify", needs=needs, task={"methods": [list(key) for key in keys]}, timeout=limit)
    with guardian.scratch("verify") as folder:
        end = executor.submit(request, folder, tick)
        answers = Ledger(folder / ANSWERS).entries()
    if len(answers) < len(keys):
        answers.append({"verdict": "unknown", "reason": ": ".join(end.status(limit))})
    return [Verified(**key._asdict(), **answer) for key, answer in zip(keys, answers, strict=False)]
