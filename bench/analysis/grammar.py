"""The sentences of a verdict: fixed templates, the same in every format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.analysis.contender import (
    CHOSEN,
    GOAL,
    HOW,
    MANY,
    MARGIN,
    ONCE,
    OUTCOMES,
    QUESTIONS,
    STRICTER,
    UNTRIED,
    Answer,
    Contender,
)
from bench.stats.ratios import Ratio
from bench.words import format as fmt
from bench.words import program
from bench.words.sentence import Part, Sentence, joined, say

NEAR, NAMED = 10.0, 3
"""Where none met the target: up to how many times the least error one is near, and how many of them are named."""


def compared(
    scenario: str, answers: Mapping[str, Answer], met: Mapping[str, Contender], short: Mapping[str, str],
    finish: frozenset[str],
) -> Sentence:  # fmt: skip
    """Both answers: in one sentence where the same backend is to be chosen for both, in one each elsewhere."""
    once, many = answers[ONCE], answers[MANY]
    chosen = once.state in CHOSEN and many.state in CHOSEN
    if chosen and once.leader == many.leader:
        return _choice(scenario, answers, met, finish)
    sentences = []
    for question, answer in answers.items():
        of = say(" of {S:i}", S=scenario) if question == ONCE else ()
        said = clause(question, answer, met, short[question], finish)
        sentences.append((*say("For {how:b}", how=HOW[question]), *of, Part(": "), *said, Part(".")))
    more = crossing(answers, met)
    return (*sentences[0], Part(" "), *sentences[1], *((Part(" "), *more) if more else ()))


def _choice(
    scenario: str, answers: Mapping[str, Answer], met: Mapping[str, Contender], finish: frozenset[str]
) -> Sentence:
    leader = answers[ONCE].leader
    sentence = say("Choose {A:b} for {S:i}: ", A=leader, S=scenario)
    for question, answer in answers.items():
        r = answer.ratios[answer.rival]
        sentence += say(
            "{how:b} takes {t:b}{goal}, {B} {times:b} as long ({interval})" + ("; " if question == ONCE else "."),
            how=HOW[question], t=taken(met[leader], question, finish), B=answer.rival, times=fmt.times(r.value),
            goal=goal(question, finish) if question == ONCE or finish else "", interval=fmt.interval(r.low, r.high),
        )  # fmt: skip
    unsure = [QUESTIONS[q] for q, answer in answers.items() if answer.state == "size unsure"]
    if unsure:
        sentence += say(" That {A} is faster is shown; by how much is not, for {q}.", A=leader, q=fmt.listed(unsure))
    return sentence


def standing(said: Sentence) -> Sentence:
    """A clause as a sentence of its own; names of backends stay as they are."""
    first, *rest = said
    own = first.text.startswith(("choose ", "no "))
    return (Part(first.text[0].upper() + first.text[1:], first.style) if own else first, *rest, Part("."))


def clause(question: str, answer: Answer, met: Mapping[str, Contender], short: str, finish: frozenset[str]) -> Sentence:
    """The answer to one question, in the middle of a sentence."""
    if not answer.ratios:
        return say("{no:b}, {short}", no="no verdict", short=short)
    r, a, b = answer.ratios[answer.rival], answer.leader, answer.rival
    t = taken(met[a], question, finish)
    if answer.state == "equivalent":
        return (*joined([*answer.best_group]), *say(
            " are equally fast within {m}×: ratio {ratio}", m=f"{MARGIN}", ratio=_interval(r, sign=False)
        ))  # fmt: skip
    if answer.state == "no difference shown":
        tied = [answer.ratios[name] for name in answer.best_group[1:]]
        seen = max(math.sqrt(one.high / one.low) for one in tied)
        of = "among" if tied[1:] else "between"
        return (*say("{no:b} {of} ", no="no difference shown", of=of), *joined([*answer.best_group]), *say(
            ", {B}/{A} {ratio}; with {n} only differences above about {seen} could have been seen",
            A=a, B=b, ratio=_interval(r), n=fmt.count(r.rounds, "round"), seen=fmt.times(seen),
        ))  # fmt: skip
    if answer.state == "trade-off":
        tighter = [name for name in answer.ratios if certainly(met[name], below=True)]
        return say(
            "{A:b} is fastest{goal} ({t}); only {B:b} gets below the error of {n} draws ({strict}; whole fit {u})",
            A=a, goal=goal(question, finish), t=t, n=f"{1 / STRICTER:.0f}", strict=f"{STRICTER}",
            B=fmt.listed(tighter), u=fmt.seconds(met[b].whole.get(question)),
        )  # fmt: skip
    if answer.state == "small":
        return say(
            "{A:b} is faster than {B:b}, but by less than the {m}× margin, {ratio}: choose by other needs",
            A=a, B=b, m=f"{MARGIN}", ratio=_interval(r),
        )  # fmt: skip
    unsure = f"; that {a} is faster is shown, by how much is not" if answer.state == "size unsure" else ""
    return say(
        "choose {A:b}, {t:b}{goal}; {B:b}, the next that gets there, takes {times:b} as long ({interval}){unsure}",
        A=a, t=t, goal=goal(question, finish), B=b, times=fmt.times(r.value), unsure=unsure,
        interval=fmt.interval(r.low, r.high),
    )  # fmt: skip


def crossing(answers: Mapping[str, Answer], met: Mapping[str, Contender]) -> Sentence:
    """From how many fits on the one that is faster again has made up for its slower start, by medians."""
    if not all(answer.state in CHOSEN for answer in answers.values()):
        return ()
    once, many = (met[answers[question].leader] for question in (ONCE, MANY))
    start = many.time(ONCE) - once.time(ONCE)
    gain = once.time(MANY) - many.time(MANY)
    if once is many or start <= 0.0 or gain <= 0.0:
        return ()
    fits = math.floor(start / gain) + 2
    return say("From about {n} fits on, {B:b} is done first in total.", n=f"{fits:,}", B=many.label)


def not_enough(
    scenario: str, met: Sequence[Contender], rivals: Sequence[Contender], short: str, finish: frozenset[str]
) -> Sentence:
    """Why there is no verdict, and what the medians say all the same."""
    sentence = say(
        "{No:b} for {S:i}: {short}. Medians below are for orientation only. ", No="No verdict", S=scenario, short=short
    )
    timed = {q: min(met, key=lambda c: (c.time(q), c.label)) for q in QUESTIONS if any(c.rounds(q) for c in met)}
    if timed:
        of = f"Fastest of {len(met)} that met the target: " if len(met) > 1 else "Only this met the target: "
        times = [f"{taken(c, q, finish)} for {QUESTIONS[q]}" for q, c in timed.items()]
        if len({c.label for c in timed.values()}) == 1:
            return sentence + say(of + "{A:b}, {t}.", A=timed.popitem()[1].label, t=fmt.listed(times))
        names = [f"{{{q}:b}}, {text}" for q, text in zip(timed, times, strict=True)]
        return sentence + say(of + "; ".join(names) + ".", **{q: c.label for q, c in timed.items()})
    more = tuple(part for line in near(rivals) for part in (Part(" "), *line))
    return sentence + say("No backend met the target. ") + _nearest(rivals) + more


def not_trusted(scenario: str, disturbance: str) -> Sentence:
    """No verdict because the machine was not quiet."""
    return say("{No:b} for {S:i}: {why}.", No="No verdict", S=scenario, why=disturbance)


def uncertified(scenario: str, finished: Sequence[Contender]) -> Sentence:
    """Nobody can be judged, for nothing says what the posterior is."""
    return say(
        "{No:b} for {S:i}: it has no reference posterior, so no answer can be checked; {cmd} makes one by long runs. "
        "The diagnostics of {names} object to nothing.",
        No="No verdict", S=scenario, cmd=program.kept("reference", scenario.partition("[")[0]),
        names=fmt.listed([c.label for c in finished]),
    )  # fmt: skip


def none(scenario: str, rivals: Sequence[Contender], budget: str) -> Sentence:
    """Nobody met the target: the nearest by error, or what became of all; of whom none was fitted, none missed it."""
    if all(c.state in UNTRIED for c in rivals):
        counts = _counts(rivals)
        return say(
            "{No:b} for {S:i}: no posterior was fitted{of}.", No="No verdict", S=scenario, of=counts and f"; {counts}"
        )
    head = say(
        "{No:b} ({goal}) within {budget} budget on {S:i}. ",
        No="No backend met the target", budget=budget, S=scenario, goal=GOAL,
    )  # fmt: skip
    return head + (_nearest(rivals) or say("{counts}.", counts=_counts(rivals)))


def _by_error(rivals: Sequence[Contender]) -> list[tuple[float, Contender]]:
    measured = [(c.error, c) for c in rivals if c.error is not None and c.state != "point"]
    return sorted(measured, key=lambda pair: (pair[0], pair[1].label))


def _nearest(rivals: Sequence[Contender]) -> Sentence:
    return next((say("Nearest by error: ") + _standing(c) for _, c in _by_error(rivals)), ())


def near(rivals: Sequence[Contender]) -> tuple[Sentence, ...]:
    """The next by error after the nearest, as far as they are near, and what objects to each."""
    ranked = _by_error(rivals)
    return tuple(say("Next by error: ") + _standing(c) for error, c in ranked[1:NAMED] if error <= NEAR * ranked[0][0])


def _standing(c: Contender) -> Sentence:
    spread = c.error_interval
    return say(
        "{A:b}, {worth} ({error}{spread}){but}.",
        A=c.label,
        worth=worth(c.error or 0.0),
        error=fmt.error(c.error),
        spread=f", {fmt.error(spread[0])}–{fmt.error(spread[1])}" if spread else "",
        but="" if c.state == "off target" else f", but {_objection(c)}",
    )


def only_one(scenario: str, leader: Contender, rivals: Sequence[Contender], finish: frozenset[str]) -> Sentence:
    """One met the target: nothing to compare it with."""
    counts = _counts(rivals)
    times = ", ".join(f"{QUESTIONS[q]} {taken(leader, q, finish)}" for q in QUESTIONS if leader.rounds(q))
    return say(
        "Only {A:b} met the target on {S:i} ({t}). {counts}no speed comparison is possible.",
        A=leader.label, S=scenario, t=times, counts=f"{counts}; " if counts else "It ran alone; ",
    )  # fmt: skip


def _counts(rivals: Sequence[Contender]) -> str:
    counted = Counter(c.state for c in rivals if c.state != "met")
    return ", ".join(f"{counted[s]} {words[counted[s] > 1]}" for s, words in OUTCOMES.items() if counted[s])


def warned(c: Contender) -> Sentence:
    """What a reader must know of one that is ranked."""
    return say("{A:b} is ranked with a warning: {warning}.", A=c.label, warning=c.warning)


def points(names: list[str]) -> Sentence:
    """Why point estimates that were done sooner are not to be chosen, in one sentence for all."""
    are, they, points = ("is", "it answers", "a point estimate") if len(names) == 1 else (
        "are", "they answer", "point estimates")  # fmt: skip
    give = "gives" if len(names) == 1 else "give"
    return (*joined(names), *say(
        " {are} done sooner, but {are} {points}: {they} a different question and {give} no uncertainty.",
        are=are, points=points, they=they, give=give,
    ))  # fmt: skip


def no_candidate(c: Contender) -> Sentence:
    """Why one that was done sooner is not to be chosen."""
    times = fmt.listed([f"{fmt.seconds(c.whole[q])} for {QUESTIONS[q]}" for q in QUESTIONS if q in c.whole])
    return say("{A:b} takes {times}, but {why}.", A=c.label, times=times, why=_objection(c))


def _objection(c: Contender) -> str:
    if c.state == "off target":
        return f"it has {worth(c.error or 0.0)} ({fmt.error(c.error)})"
    return f"{OUTCOMES[c.state][0]}{f': {c.reason}' if c.reason else ''}"


def made_of(leader: Contender, rival: Contender) -> Sentence:
    """The ratio of further fits as work and its cost: evaluations of the model to the target, and seconds of each."""
    (work, cost), (more, dearer) = leader.work or (1.0, 1.0), rival.work or (1.0, 1.0)
    numbers = {"A": leader.label, "B": rival.label, "x": fmt.times(more / work), "y": fmt.times(dearer / cost)}
    numbers |= {"h": f"{more:,.0f}", "g": f"{work:,.0f}", "t": fmt.seconds(dearer), "s": fmt.seconds(cost)}
    equal_work, equal_cost = (1 / MARGIN <= ratio <= MARGIN for ratio in (more / work, dearer / cost))
    head = (
        "Each further fit is equal work, {h} against {g} evaluations of the model"
        if equal_work
        else "For each further fit {B:b} needs {x:b} as many evaluations of the model as {A:b} ({h} against {g})"
    )
    costs = "; each costs {y:b} as much in {B:b}" if equal_work else ", and each costs {y:b} as much"
    return say(f"{head}{', each as cheap' if equal_cost else costs} ({{t}} against {{s}}).", **numbers)


def how_sure(answer: Answer, met: Mapping[str, Contender], question: str) -> Sentence:
    """In how many rounds the leader was faster than the next; empty where nothing was compared."""
    if not answer.ratios:
        return ()
    a, b, r = answer.leader, answer.rival, answer.ratios[answer.rival]
    if not r.paired:
        return say(
            "{A} and {B} were fitted in different runs: their rounds are not paired, and whatever changed between "
            "the runs is in the ratio.",
            A=a, B=b,
        )  # fmt: skip
    machines = {
        met[a].machines.get(number, "") for number in set(met[a].rounds(question)) & set(met[b].rounds(question))
    }
    on = f" on {len(machines)} machines" if len(machines) > 1 else ""
    n, of = f"{r.faster}", f"{r.rounds}"
    return say(f"{{A}} was faster than {{B}} on the same data in {{n}} of {{of}} rounds{on}.", A=a, B=b, n=n, of=of)


def worth(error: float) -> str:
    """An error as that of so many independent draws: on average one over their number."""
    draws = round(1.0 / error) if error > 0.0 else 0
    return f"the error of {draws:,} draw{'s' * (draws != 1)}" if draws else "more than the error of 1 draw"


def certainly(c: Contender, *, below: bool) -> bool:
    """Whether its final error is on one side of the stricter target, its interval included."""
    if c.error is None:
        return False
    low, high = c.error_interval or (c.error, c.error)
    return max(high, c.error) < STRICTER if below else min(low, c.error) >= STRICTER


def taken(c: Contender, question: str, finish: frozenset[str]) -> str:
    """Median seconds to the target, marked where they are prorated."""
    return fmt.seconds(c.time(question), about=c.prorated and question not in finish)


def goal(question: str, finish: frozenset[str]) -> str:
    """What the seconds are until."""
    return " for a whole fit, which ends within the target" if question in finish else " to the target"


def _interval(r: Ratio, *, sign: bool = True) -> str:
    return f"{fmt.times(r.value) if sign else fmt.ratio(r.value)} ({fmt.interval(r.low, r.high)})"
