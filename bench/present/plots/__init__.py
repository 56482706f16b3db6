"""Pictures of fits: one file per kind, pure functions from scored fits to a matplotlib Figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.present.plots import forest, loss, posterior, predictive, trace
from bench.present.plots.canvas import styled
from bench.present.plots.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: Mapping[str, ModuleType] = {
    "trace": trace,
    "posterior": posterior,
    "forest": forest,
    "predictive": predictive,
    "loss": loss,
}
"""Each module says `why_not(subject)`, empty where the kind applies, and draws."""


def why_not(kind: str, subject: Subject) -> str:
    """Empty where the kind applies to a fit, else a sentence that ends with the kinds that do."""
    reason = KINDS[kind].why_not(subject)
    if not reason:
        return ""
    others = [name for name, module in KINDS.items() if not module.why_not(subject)]
    return f"{kind} does not apply to {subject.backend} on {subject.scenario}: {reason}; what does: {', '.join(others)}"


def draw(kind: str, subjects: Sequence[Subject]) -> Figure:
    """One picture: of one fit, or, for a forest, of all fits of one data set; UsageError where the kind is wrong."""
    reasons = [reason for subject in subjects if (reason := why_not(kind, subject))]
    if reasons:
        raise UsageError("; ".join(reasons))
    if kind == "forest":
        return styled(lambda: forest.draw(subjects))
    if len(subjects) != 1:
        raise UsageError(f"{kind} draws one fit, not {len(subjects)}")
    return styled(lambda: KINDS[kind].draw(subjects[0]))
