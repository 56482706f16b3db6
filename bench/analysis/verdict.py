"""Which backend, and how sure: for one fit and for many, by a pure function; its words are those of `grammar`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.analysis import grammar
from bench.analysis.contender import (
    MANY,
    MARGIN,
    MIN_REPS,
    MIN_ROUNDS,
    ONCE,
    QUESTIONS,
    UNTRIED,
    Answer,
    Contender,
    Verdict,
)
from bench.stats.ratios import Ratio, Timed, fastest
from bench.stats.ratios import ratios as ratios_to
from bench.words import format as fmt
from bench.words.sentence import Sentence


def verdict(
    scenario: str,
    contenders: tuple[Contender, ...],
    *,
    budget: str = "the given",
    disturbance: str = "",
    finish: frozenset[str] = frozenset(),
) -> Verdict:
    """The verdict on one scenario.

    `budget` names the work allowed; `disturbance` says what made the machine untrustworthy, if anything did; `finish`
    holds the questions whose `times` are those of the whole fit, because not every backend has a time to the target.
    """
    rivals = [c for c in contenders if c.state != "reference"]
    met = sorted((c for c in rivals if c.state == "met"), key=lambda c: c.label)
    finished = [c for c in rivals if c.reps and c.state != "point"]
    if not finished:
        state = "untried" if all(c.state in UNTRIED for c in rivals) else "none"
        return _alike(state, grammar.none(scenario, rivals, budget))
    if all(c.state == "unchecked" and c.error is None for c in finished):
        return _alike("no reference", grammar.uncertified(scenario, finished))
    short = {question: _too_few(met or finished, question, paired=len(met) > 1) for question in QUESTIONS}
    if all(short.values()):
        sentence = grammar.not_enough(scenario, met, rivals, short[MANY], finish)
        return _alike("not enough", sentence, why_not=_why_not(rivals, met), warnings=_warnings(met))
    if disturbance:
        return _alike("not trusted", grammar.not_trusted(scenario, disturbance))
    if not met:
        return _alike("none", grammar.none(scenario, rivals, budget), why_not=grammar.near(rivals))
    if len(met) == 1:
        sentence, why_not = grammar.only_one(scenario, met[0], rivals, finish), _why_not(rivals, met)
        return _alike("only one", sentence, leader=met[0].label, why_not=why_not, warnings=_warnings(met))
    by_label = {c.label: c for c in met}
    answers = {}
    for question in QUESTIONS:
        answer = Answer("not enough") if short[question] else _answer(met, question)
        words = grammar.standing(grammar.clause(question, answer, by_label, short[question], finish))
        answers[question] = replace(answer, words=words, sure=grammar.how_sure(answer, by_label, question))
    return Verdict(
        answers=answers,
        sentence=grammar.compared(scenario, answers, by_label, short, finish),
        crossing=grammar.crossing(answers, by_label),
        made_of=_made_of(answers[MANY], by_label),
        warnings=_warnings(met),
        why_not=_why_not(rivals, met),
    )


def _alike(
    state: str, sentence: Sentence, *, leader: str = "", why_not: tuple[Sentence, ...] = (),
    warnings: tuple[Sentence, ...] = (),
) -> Verdict:  # fmt: skip
    """Where nothing is compared both questions have the same answer."""
    answer = Answer(state, leader=leader, best_group=(leader,) if leader else ())
    return Verdict(dict.fromkeys(QUESTIONS, answer), sentence, why_not=why_not, warnings=warnings)


def _too_few(judged: Sequence[Contender], question: str, *, paired: bool) -> str:
    """What is missing for an answer: reps for the error, rounds for the interval."""
    reps = min(c.reps for c in judged)
    if reps < MIN_REPS:
        return f"{fmt.count(reps, 'rep')}, {MIN_REPS} needed"
    by_run = _shared(judged, question).values() if paired else [set(c.rounds(question)) for c in judged]
    rounds, kind = min(map(len, by_run)), "cold" if question == ONCE else "warm"
    return f"{fmt.count(rounds, 'round')} with a {kind} rep, {MIN_ROUNDS} needed" if rounds < MIN_ROUNDS else ""


def _shared(met: Sequence[Contender], question: str) -> dict[str, set[int]]:
    """The rounds that all contenders of a run have, by run: rounds of different runs have nothing in common."""
    by_run: dict[str, set[int]] = {}
    for c in met:
        by_run[c.run] = by_run.get(c.run, set(c.rounds(question))) & set(c.rounds(question))
    return by_run


def timed(met: Sequence[Contender], question: str) -> dict[str, Timed]:
    """{label: seconds in the rounds that all of its run have}."""
    shared = _shared(met, question)
    return {c.label: Timed({r: c.rounds(question)[r] for r in shared[c.run]}, c.run) for c in met}


def _answer(met: Sequence[Contender], question: str) -> Answer:
    """Who is fastest, and whether that is shown, by the paired ratios to the leader."""
    times = timed(met, question)
    leader = fastest(times)
    ratios = ratios_to(times[leader], {name: t for name, t in times.items() if name != leader})
    tied = tuple(sorted((name for name, r in ratios.items() if r.low <= 1), key=lambda name: ratios[name].value))
    if tied:
        state, rival = _tied(tied, ratios)
    else:
        state, rival = _separated(leader, {c.label: c for c in met}, ratios, question)
    return Answer(state, leader, rival, (leader, *tied), ratios)


def _tied(tied: Sequence[str], ratios: Mapping[str, Ratio]) -> tuple[str, str]:
    if all(ratios[name].low >= 1 / MARGIN and ratios[name].high <= MARGIN for name in tied):
        return "equivalent", max(tied, key=lambda name: ratios[name].high)
    return "no difference shown", tied[0]


def _separated(
    leader: str, met: Mapping[str, Contender], ratios: Mapping[str, Ratio], question: str
) -> tuple[str, str]:
    tighter = [name for name in ratios if grammar.certainly(met[name], below=True)]
    if tighter and grammar.certainly(met[leader], below=False):
        return "trade-off", min(tighter, key=lambda name: met[name].time(question))
    weakest = min(ratios, key=lambda name: (ratios[name].low, name))
    if ratios[weakest].low > MARGIN:
        return "clear", min(ratios, key=lambda name: (ratios[name].value, name))
    return "size unsure" if ratios[weakest].high > MARGIN else "small", weakest


def _warnings(met: Sequence[Contender]) -> tuple[Sentence, ...]:
    return tuple(grammar.warned(c) for c in met if c.warning)


def _why_not(rivals: Sequence[Contender], met: Sequence[Contender]) -> tuple[Sentence, ...]:
    """Every one that is no candidate and yet was done before the first that is, once or again."""
    least = {q: min((c.whole[q] for c in met if q in c.whole), default=0.0) for q in QUESTIONS}
    faster = [c for c in rivals if c.state != "met" and any(c.whole[q] < least[q] for q in c.whole)]
    faster.sort(key=lambda c: (c.whole.get(MANY, 0.0), c.label))
    points = [c.label for c in faster if c.state == "point"]
    others = [grammar.no_candidate(c) for c in faster if c.state != "point"]
    return (*([grammar.points(points)] if points else []), *others)


def _made_of(answer: Answer, met: Mapping[str, Contender]) -> Sentence:
    if not answer.ratios:
        return ()
    leader, rival = met[answer.leader], met[answer.rival]
    return grammar.made_of(leader, rival) if leader.work and rival.work else ()
