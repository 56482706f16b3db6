"""What the verdict is made from and what it says: contenders, states, targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import median

from bench.stats.ratios import Ratio
from bench.words.sentence import Sentence

TARGET = 0.01
STRICTER = 0.003
MARGIN = 1.1
MIN_REPS = 5
MIN_ROUNDS = 3

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


@dataclass(frozen=True, slots=True)
class Contender:
    """One backend on one scenario, as far as the verdict needs it.

    `state` is `met`, `reference` or a key of `OUTCOMES`; `error` the b²_max; `seconds` and `cold` its median
    seconds, warm and cold; `times` {round: warm seconds to the target}; `reps` those that finished; `run` the run whose
    rounds these are, where several are combined.
    """

    label: str
    state: str
    reason: str = ""
    error: float | None = None
    error_interval: tuple[float, float] | None = None
    seconds: float | None = None
    times: Mapping[int, float] = field(default_factory=dict)
    reps: int = 0
    cold: float | None = None
    run: str = ""

    @property
    def time(self) -> float:
        """Median over rounds of the seconds to the target; inf without a warm round."""
        return median(self.times.values()) if self.times else inf


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state of the grammar, its sentence, the why-not and how-sure lines, and the ratios behind it."""

    state: str
    sentence: Sentence
    why_not: tuple[Sentence, ...] = ()
    how_sure: Sentence = ()
    leader: str = ""
    best_group: tuple[str, ...] = ()
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
