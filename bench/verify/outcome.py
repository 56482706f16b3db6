"""What is verified, and how that ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from bench.types import Device, DType, Scenario
from bench.verify.comparison import GATES, Errors

# unsupported: its models lack the family or a prior; unavailable: a package or device is missing; unknown: nothing to
# hold it against, as where the data cannot be made. Their cells run, and say in their own rows what is wrong.
Verdict = Literal["same", "wrong", "failed", "crashed", "timeout", "memory", "unsupported", "unavailable", "unknown"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
REFUSED: frozenset[Verdict] = frozenset({"wrong", "failed", "crashed", "timeout", "memory"})
"""Verdicts after which no fit is timed: the target is wrong, or nobody can say that it is right."""


class Key(NamedTuple):
    """The density of a framework for a scenario, in a precision on a device."""

    framework: str
    scenario: str
    dtype: str
    device: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A framework's density of one scenario, to be verified."""

    framework: str
    scenario: Scenario
    dtype: DType = "float64"
    device: Device = "cpu"

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return Key(self.framework, self.scenario.label, self.dtype, self.device)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one density was judged.

    `value_error` and `gradient_error` are the largest relative errors (see `comparison.compare`), None where there is
    none or it is not finite; `gate` the largest allowed; `points` the groups of points; `cached`: judged earlier.
    """

    framework: str
    scenario: str
    dtype: str
    device: str
    verdict: Verdict
    reason: str = ""
    value_error: float | None = None
    gradient_error: float | None = None
    gate: float | None = None
    points: tuple[str, ...] = ()
    cached: bool = False

    @property
    def key(self) -> Key:
        """The pair it is about."""
        return Key(self.framework, self.scenario, self.dtype, self.device)

    @property
    def refusal(self) -> str:
        """Why a cell with this density is not timed."""
        if self.verdict == "wrong":
            return self.reason
        return f"not verified to have the right target: {self.verdict}: {self.reason}"

    def description(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def judged(pair: Pair, errors: Errors, points: Sequence[str]) -> Outcome:
    """The outcome of a comparison."""
    value, gradient = ((e if math.isfinite(e) else None) for e in (errors.value, errors.gradient))
    verdict: Verdict = "same" if errors.passed else "wrong"
    return Outcome(*pair.key, verdict, errors.reason, value, gradient, errors.gate, tuple(points))


def unjudged(pair: Pair, verdict: str, reason: str) -> Outcome:
    """The outcome where nothing could be compared; ValueError for a verdict that is none."""
    if verdict not in VERDICTS:
        raise ValueError(f"not a verdict: {verdict}")
    return Outcome(*pair.key, verdict, reason, gate=GATES[pair.dtype])
