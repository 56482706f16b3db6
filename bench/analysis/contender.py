"""What the verdict is made from and what it says: contenders, states, targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import median

from bench.stats.ratios import Ratio
from bench.words.sentence import Part, Sentence, say

TARGET = 0.01
STRICTER = 0.003
"""Errors b²_max: of so many independent draws it is on average one over their number."""
GOAL = f"as exact as {1 / TARGET:.0f} independent draws"
"""The target in words."""
MARGIN = 1.1
MIN_REPS = 5
MIN_ROUNDS = 3

CHOSEN = ("clear", "size unsure")
"""States of an answer that names one backend to choose."""

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "off target": ("finished off target", "finished off target"),
    "not converged": ("did not converge", "did not converge"),
    "unchecked": ("has no reference to be judged by", "have no reference to be judged by"),
    "part of reps": ("finished only part of its reps", "finished only part of their reps"),
    "point": ("is a point estimate", "are point estimates"),
    "timeout": ("timed out", "timed out"),
    "memory": ("ran out of memory", "ran out of memory"),
    "failed": ("failed", "failed"),
    "crashed": ("crashed", "crashed"),
    "invalid": ("gave unusable draws", "gave unusable draws"),
    "interrupted": ("was interrupted", "were interrupted"),
    "unsupported": ("does not apply", "do not apply"),
    "unavailable": ("is not installed or has no device here", "are not installed or have no device here"),
}
"""Every state but `met` and `reference`, in words for one backend and for several."""
UNTRIED = ("point", "interrupted", "unsupported", "unavailable")
"""States of what gave no posterior, through no fault of its own."""


ONCE, MANY = "once", "many"
TRACKS: Mapping[str, str] = {"matched": "the same settings for all", "defaults": "each framework's own defaults"}
"""What a track means."""
QUESTIONS: Mapping[str, str] = {ONCE: "one fit", MANY: "each further fit"}
"""What a reader may want to do, in words: one fit from a fresh start, import and compile included; or one fit after the
other in the same process, where each further one finds everything loaded and compiled."""
HOW: Mapping[str, str] = {ONCE: "one fit from a fresh start", MANY: "each further fit in the same process"}
"""The same in full."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One backend on one scenario, as far as the verdict needs it.

    `state` is `met`, `reference` or a key of `OUTCOMES`; `error` the b²_max; `whole` its median seconds of a whole fit
    and `times` {round: seconds to the target}, both by question; `prorated` says that the latter are modelled, not
    measured; `reps` counts those that finished; `run` is the run whose rounds these are, where several are combined.
    `work` is the number of evaluations of the model to the target and the seconds of each, if known. `machines` {round:
    machine} are those of its rounds where these are several, `away` the rounds that are not of the scenario's own.
    """

    label: str
    state: str
    reason: str = ""
    warning: str = ""
    error: float | None = None
    error_interval: tuple[float, float] | None = None
    whole: Mapping[str, float] = field(default_factory=dict)
    times: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    prorated: bool = False
    reps: int = 0
    run: str = ""
    work: tuple[float, float] | None = None
    machines: Mapping[int, str] = field(default_factory=dict)
    away: frozenset[int] = frozenset()

    def rounds(self, question: str) -> Mapping[int, float]:
        """{round: seconds to the target}."""
        return self.times.get(question, {})

    def time(self, question: str) -> float:
        """Median over rounds on one machine of the seconds to the target; inf without a round."""
        seconds = [value for number, value in self.rounds(question).items() if number not in self.away]
        return median(seconds) if seconds else inf


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question: its state in the grammar, who leads, who is next, and the ratios behind it.

    Where backends were compared `words` say it in a sentence of its own, and `sure` says in how many rounds it held.
    """

    state: str
    leader: str = ""
    rival: str = ""
    best_group: tuple[str, ...] = ()
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    words: Sentence = ()
    sure: Sentence = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answers by question; the sentence that gives them, and the lines below it.

    These are from how many fits on another is done first (`crossing`), what the ratio is made of, what those that are
    ranked come with (`warnings`), and who was faster and is no candidate (`why_not`).
    """

    answers: Mapping[str, Answer]
    sentence: Sentence
    crossing: Sentence = ()
    made_of: Sentence = ()
    warnings: tuple[Sentence, ...] = ()
    why_not: tuple[Sentence, ...] = ()

    @property
    def state(self) -> str:
        """The state of both answers; `split` where they differ, or choose different backends."""
        answers = {(a.state, a.leader if a.state in CHOSEN else "") for a in self.answers.values()}
        return answers.pop()[0] if len(answers) == 1 else "split"

    @property
    def how_sure(self) -> Sentence:
        """In how many rounds the answers held, both questions in one; empty where nothing was compared."""
        said = [(QUESTIONS[q], answer.sure) for q, answer in self.answers.items() if answer.sure]
        lines = [(*say("For {q}: ", q=question), *sure, Part(" ")) for question, sure in said]
        return tuple(part for line in lines for part in line)[:-1]

    @property
    def compared(self) -> frozenset[str]:
        """The labels of those that were compared on any question."""
        return frozenset(name for a in self.answers.values() if a.ratios for name in (a.leader, *a.ratios))
