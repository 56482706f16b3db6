"""Which backend, and how sure: one sentence per scenario from a fixed grammar, the same in every format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from bench.analysis.contender import MARGIN, MIN_REPS, MIN_ROUNDS, OUTCOMES, STRICTER, TARGET, Contender, Verdict
from bench.stats.ratios import Ratio, Timed, fastest
from bench.stats.ratios import ratios as ratios_to
from bench.words import format as fmt
from bench.words.sentence import Part, Sentence, joined, say


def verdict(
    scenario: str,
    contenders: tuple[Contender, ...],
    *,
    budget: str = "the given",
    disturbance: str = "",
    finish: bool = False,
) -> Verdict:
    """The verdict on one scenario.

    `budget` names the work allowed; `disturbance` says what made the machine untrustworthy, if anything did;
    `finish` tells that `times` are those of the whole fit, because not every backend has a time to the target.
    """
    rivals = [c for c in contenders if c.state != "reference"]
    met = sorted((c for c in rivals if c.state == "met"), key=lambda c: (c.time, c.label))
    finished = [c for c in rivals if c.reps and c.state != "point"]
    if not finished:
        return Verdict("none", _none(scenario, rivals, budget))
    short = _too_few(met or finished, paired=len(met) > 1)
    if short:
        return Verdict("not enough", _not_enough(scenario, met, rivals, short), _why_not(rivals, met))
    if disturbance:
        return Verdict("not trusted", say("{No:b} for {S:i}: {why}.", No="No verdict", S=scenario, why=disturbance))
    if not met:
        return Verdict("none", _none(scenario, rivals, budget), _unvouched(rivals))
    if len(met) == 1:
        return Verdict(
            "only one", _only_one(scenario, met[0], rivals), _why_not(rivals, met), leader=met[0].label,
            best_group=(met[0].label,),
        )  # fmt: skip
    return _compare(scenario, met, rivals, finish)


def _too_few(judged: list[Contender], *, paired: bool) -> str:
    reps = min(c.reps for c in judged)
    if reps < MIN_REPS:
        return f"{fmt.count(reps, 'rep')}, {MIN_REPS} needed"
    rounds = min(map(len, _shared(judged).values() if paired else (c.times for c in judged)))
    return f"{fmt.count(rounds, 'round')} with a warm rep, {MIN_ROUNDS} needed" if rounds < MIN_ROUNDS else ""


def _shared(met: list[Contender]) -> dict[str, set[int]]:
    """The rounds that all contenders of a run have, by run: rounds of different runs have nothing in common."""
    by_run: dict[str, set[int]] = {}
    for c in met:
        by_run[c.run] = by_run.get(c.run, set(c.times)) & set(c.times)
    return by_run


def _not_enough(scenario: str, met: list[Contender], rivals: list[Contender], short: str) -> Sentence:
    sentence = say(
        "{No:b} for {S:i}: {short}. Medians below are for orientation only. ", No="No verdict", S=scenario, short=short
    )
    timed = [c for c in met if c.seconds is not None]
    if timed:
        first = min(timed, key=lambda c: (c.seconds or 0.0, c.label))
        of = f"fastest of {len(met)} that met" if len(met) > 1 else "the only one that met"
        return sentence + say(
            "{A:b} was {of} error {target}, in {t} warm.", A=first.label, of=of, target=f"{TARGET}",
            t=fmt.seconds(first.seconds),
        )  # fmt: skip
    near = tuple(part for one in _unvouched(rivals) for part in (*say(" "), *one))
    return sentence + say("No backend met error {target}. ", target=f"{TARGET}") + _closest(rivals) + near


def _none(scenario: str, rivals: list[Contender], budget: str) -> Sentence:
    head = say(
        "{No:b} error {target} within {budget} budget on {S:i}. ",
        No="No backend met", target=f"{TARGET}", budget=budget, S=scenario,
    )  # fmt: skip
    return head + (_closest(rivals) or say("{counts}.", counts=_counts(rivals) or "Nothing was run"))


def _closest(rivals: list[Contender]) -> Sentence:
    # A chain that has not converged may be near by luck; it counts as closest only when nothing else is measured.
    measured = sorted(
        (c.state not in ("off target", "met"), c.error, c.label, c)
        for c in rivals
        if c.error is not None and c.state != "point"
    )
    if not measured:
        return ()
    *_, best = measured[0]
    spread = best.error_interval
    return say(
        "Closest: {A:b}, {error}{spread}{unsure}.",
        A=best.label,
        unsure="" if best.state in ("off target", "met") else ", which its own diagnostics do not vouch for",
        error=fmt.error(best.error),
        spread=f" ({fmt.error(spread[0])}–{fmt.error(spread[1])})" if spread else "",
    )


def _unvouched(rivals: list[Contender]) -> tuple[Sentence, ...]:
    """Those whose error is below the target while a diagnostic of their own objects: what objects, in words."""
    near = [c for c in rivals if c.state == "not converged" and c.error is not None and c.error < TARGET]
    return tuple(
        say("{A:b} has error {error} in {t}, but {why}.", A=c.label, error=fmt.error(c.error),
            t=fmt.seconds(c.seconds), why=_objection(c))
        for c in sorted(near, key=lambda c: (c.error or 0.0, c.label))
    )  # fmt: skip


def _only_one(scenario: str, leader: Contender, rivals: list[Contender]) -> Sentence:
    counts = _counts(rivals)
    return say(
        "Only {A:b} met the target on {S:i} ({t}). {counts}no speed comparison is possible.",
        A=leader.label, S=scenario, t=fmt.seconds(leader.time), counts=f"{counts}; " if counts else "It ran alone; ",
    )  # fmt: skip


def _counts(rivals: list[Contender]) -> str:
    counted = Counter(c.state for c in rivals if c.state != "met")
    return ", ".join(f"{counted[s]} {words[counted[s] > 1]}" for s, words in OUTCOMES.items() if counted[s])


def _why_not(rivals: list[Contender], met: list[Contender]) -> tuple[Sentence, ...]:
    limit = min((c.seconds for c in met if c.seconds is not None), default=None)
    if limit is None:
        return ()
    faster = [c for c in rivals if c.state != "met" and c.seconds is not None and c.seconds < limit]
    return tuple(
        say("{A:b} finished in {t}, but {why}.", A=c.label, t=fmt.seconds(c.seconds), why=_objection(c))
        for c in sorted(faster, key=lambda c: (c.seconds or 0.0, c.label))
    )


def _colder(leader: Contender, met: list[Contender]) -> tuple[Sentence, ...]:
    """Where the first fit of a process, compile included, is faster with another that met the target, say so."""
    first = min((c for c in met if c.cold is not None), key=lambda c: (c.cold or 0.0, c.label), default=leader)
    if first is leader or not first.cold or not leader.cold or leader.cold < MARGIN * first.cold:
        return ()
    return (
        say(
            "For one fit in a fresh process, compile included, {B:b} is done first: {b} against {a} of {A}.",
            A=leader.label, B=first.label, a=fmt.seconds(leader.cold), b=fmt.seconds(first.cold),
        ),
    )  # fmt: skip


def _objection(c: Contender) -> str:
    if c.state == "point":
        return "is a point estimate: it answers a different question and gives no uncertainty"
    if c.state == "off target":
        return f"its largest error is {fmt.error(c.error)} (target {TARGET})"
    return f"{OUTCOMES[c.state][0]}{f': {c.reason}' if c.reason else ''}"


def _compare(scenario: str, met: list[Contender], rivals: list[Contender], finish: bool) -> Verdict:
    shared = _shared(met)
    times = {c.label: Timed({r: c.times[r] for r in shared[c.run]}, c.run) for c in met}
    by_label = {c.label: c for c in met}
    leader = by_label[fastest(times)]
    ratios = ratios_to(times[leader.label], {name: t for name, t in times.items() if name != leader.label})
    tied = sorted((label for label, r in ratios.items() if r.low <= 1), key=lambda label: ratios[label].value)
    state, rival, sentence = (
        _tied(scenario, leader, tied, ratios)
        if tied
        else _separated(scenario, leader, by_label, ratios, "finishes within" if finish else "reaches")
    )
    why_not = (*_colder(leader, met), *_why_not(rivals, met))
    how_sure = _how_sure(leader, by_label[rival], ratios[rival])
    return Verdict(state, sentence, why_not, how_sure, leader.label, (leader.label, *tied), ratios)


def _tied(scenario: str, leader: Contender, tied: list[str], ratios: Mapping[str, Ratio]) -> tuple[str, str, Sentence]:
    names = joined([leader.label, *tied])
    widest = max(tied, key=lambda label: ratios[label].high)
    if all(ratios[label].low >= 1 / MARGIN and ratios[label].high <= MARGIN for label in tied):
        tail = say(
            " are equally fast on {S:i} within {m}×: ratio {ratio}.", S=scenario, m=f"{MARGIN}",
            ratio=_interval(ratios[widest], sign=False),
        )  # fmt: skip
        return "equivalent", widest, (*names, *tail)
    r = ratios[tied[0]]
    seen = max(math.sqrt(ratios[label].high / ratios[label].low) for label in tied)
    tail = say(
        " on {S:i}: {B}/{A} {ratio}. With {n} only differences above about {seen} could have been seen.",
        S=scenario, A=leader.label, B=tied[0], ratio=_interval(r), n=fmt.count(r.rounds, "round"), seen=fmt.times(seen),
    )  # fmt: skip
    return "no difference shown", tied[0], (Part("No difference shown", "b"), Part(" between "), *names, *tail)


def _separated(
    scenario: str, leader: Contender, met: Mapping[str, Contender], ratios: Mapping[str, Ratio], reaches: str
) -> tuple[str, str, Sentence]:
    tighter = [label for label in ratios if _certainly(met[label], below=True)]
    if tighter and _certainly(leader, below=False):
        best = min(tighter, key=lambda label: met[label].time)
        return "trade-off", best, say(
            "{A:b} is fastest to error {target} on {S:i} ({t}); below {strict} only {B:b} gets there (whole run {u}).",
            A=leader.label, target=f"{TARGET}", S=scenario, t=fmt.seconds(leader.time), strict=f"{STRICTER}",
            B=fmt.listed(tighter), u=fmt.seconds(met[best].seconds),
        )  # fmt: skip
    rival = min(ratios, key=lambda label: (ratios[label].low, label))
    r = ratios[rival]
    if r.low > MARGIN:
        rival = min(ratios, key=lambda label: (ratios[label].value, label))
        r = ratios[rival]
        return "clear", rival, say(
            "Choose {A:b} for {S:i}: it {reaches} error {target} in {t:b} warm; {B:b}, the next that does, takes "
            "{times:b} as long ({interval}).",
            A=leader.label, S=scenario, reaches=reaches, target=f"{TARGET}", t=fmt.seconds(leader.time), B=rival,
            times=fmt.times(r.value), interval=fmt.interval(r.low, r.high),
        )  # fmt: skip
    names = {"A": leader.label, "B": rival, "S": scenario, "ratio": _interval(r)}
    if r.high > MARGIN:
        return "size unsure", rival, say(
            "Choose {A:b} for {S:i}: {B:b} takes {times} as long ({interval}). That {A} is faster is shown; by how "
            "much is not.",
            **names, times=fmt.times(r.value), interval=fmt.interval(r.low, r.high),
        )  # fmt: skip
    return "small", rival, say(
        "{A:b} is faster than {B:b} on {S:i}, but by less than the {m}× margin: {ratio}. Choose by other needs.",
        **names, m=f"{MARGIN}",
    )  # fmt: skip


def _certainly(c: Contender, *, below: bool) -> bool:
    """Whether its final error is on one side of the stricter target, its interval included."""
    if c.error is None:
        return False
    low, high = c.error_interval or (c.error, c.error)
    return max(high, c.error) < STRICTER if below else min(low, c.error) >= STRICTER


def _how_sure(leader: Contender, rival: Contender, r: Ratio) -> Sentence:
    if not r.paired:
        return say(
            "{n} of {A} and {k} of {B} finished, in different runs: their rounds are not paired, and whatever changed "
            "between the runs is in the ratio.",
            n=fmt.count(leader.reps, "rep"), k=str(rival.reps), A=leader.label, B=rival.label,
        )  # fmt: skip
    return say(
        "{n} of {A} and {k} of {B} finished; {A} was faster than {B} in {wins} of {rounds} paired rounds.",
        n=fmt.count(leader.reps, "rep"), k=str(rival.reps), A=leader.label, B=rival.label, wins=str(r.faster),
        rounds=str(r.rounds),
    )  # fmt: skip


def _interval(r: Ratio, *, sign: bool = True) -> str:
    return f"{fmt.times(r.value) if sign else fmt.ratio(r.value)} ({fmt.interval(r.low, r.high)})"
