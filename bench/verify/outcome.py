"""What is verified, and how that ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bench.measure.target import GATES
from bench.store.manifest import Density, Verified
from bench.types import Device, DType, Scenario
from bench.verify.comparison import Errors

# unsupported: its models lack the family or a prior; unavailable: a package or device is missing; unknown: nothing to
# hold it against, as where the data cannot be made. Their cells run, and say in their own rows what is wrong.
Verdict = Literal["same", "wrong", "failed", "crashed", "timeout", "memory", "unsupported", "unavailable", "unknown"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
REFUSED: frozenset[str] = frozenset({"wrong", "failed", "crashed", "timeout", "memory"})
"""Verdicts after which no fit is timed: the target is wrong, or nobody can say that it is right."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A framework's density of one scenario, to be verified."""

    framework: str
    scenario: Scenario
    dtype: DType = "float64"
    device: Device = "cpu"

    @property
    def key(self) -> Density:
        """What tells it from the others."""
        return Density(self.framework, self.scenario.label, self.dtype, self.device)


def judged(pair: Pair, errors: Errors, points: Sequence[str]) -> Verified:
    """How a comparison at these groups of points ended."""
    value, gradient = ((e if math.isfinite(e) else None) for e in (errors.value, errors.gradient))
    return Verified(
        **pair.key._asdict(),
        verdict="same" if errors.passed else "wrong",
        reason=errors.reason,
        value_error=value,
        gradient_error=gradient,
        gate=errors.gate,
        points=list(points),
    )


def unjudged(pair: Pair, verdict: str, reason: str) -> Verified:
    """What is said where nothing could be compared; ValueError for a verdict that is none."""
    if verdict not in VERDICTS:
        raise ValueError(f"not a verdict: {verdict}")
    return Verified(**pair.key._asdict(), verdict=verdict, reason=reason, gate=GATES[pair.dtype])
