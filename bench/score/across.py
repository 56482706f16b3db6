"""Scores over the reps of a cell: means are taken over reps first, the worst quantity afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bench.score.curves import Curve
from bench.score.judged import Deviations, departures
from bench.score.problem import Row
from bench.stats.coverage import wilson
from bench.stats.settling import aligned, settled

TARGET = 0.01
"""b² of 100 independent draws: the accuracy that time_to_accuracy is the time to."""

KEPT = frozenset(
    {"b2", "b2_avg", "ess_bulk", "covered_90", "recovery_error"}
    | {"target_met", "time_to_target", "time_to_target_cold", "b2_after_target"}
)
"""Metrics whose rows are kept of each rep."""


class RepRow(NamedTuple):
    """A row of a cell; `rep` is None for a value over all its reps."""

    rep: int | None
    metric: str
    part: str
    value: float


class _Rep(NamedTuple):
    number: int
    cold: bool
    values: dict[tuple[str, str], float]
    curve: Curve
    deviations: Deviations | None


@dataclass
class CellScores:
    """What is kept of each rep of a cell while its run is scored: scalars and one curve."""

    kind: str
    fresh_data: bool
    reps: list[_Rep] = field(default_factory=list)

    def add(
        self, rep: int, rows: Sequence[Row], curve: Curve, *, cold: bool, deviations: Deviations | None = None
    ) -> None:
        """Take in one scored rep."""
        values = {(r.metric, r.part): r.value for r in rows if r.metric in KEPT}
        self.reps.append(_Rep(rep, cold, values, curve, deviations))

    def rows(self) -> Iterator[RepRow]:
        """Rows over reps, and each rep's time to the accuracy that the mean over reps reaches."""
        self.reps.sort(key=lambda rep: rep.number)  # sums of the same order, whichever came first
        yield from self._error()
        yield from self._departures()
        ess = self._mean("ess_bulk")
        if ess:
            yield RepRow(None, "ess_bulk_min", "", min(ess.values()))
            yield RepRow(None, "ess_bulk_median", "", float(np.median(list(ess.values()))))
        if self.fresh_data:
            yield from self._recovery()
        yield from self._accuracy()
        yield from self._target()

    def _recovery(self) -> Iterator[RepRow]:
        """Bias and coverage over data sets; the Wilson interval is per scalar, whose reps are independent."""
        for part, value in self._mean("recovery_error").items():
            yield RepRow(None, "recovery_bias", part, value)
        covered = self._mean("covered_90")
        for part, share in covered.items():
            low, high = wilson(share * len(self.reps), len(self.reps))
            yield RepRow(None, "coverage_90", part, share)
            yield RepRow(None, "coverage_90_low", part, low)
            yield RepRow(None, "coverage_90_high", part, high)
        if covered:
            yield RepRow(None, "coverage_90", "", float(np.mean(list(covered.values()))))

    def _mean(self, metric: str) -> dict[str, float]:
        """{part: mean over reps}; a part missing in any rep (a stuck chain, say) is left out."""
        parts = [part for name, part in self.reps[0].values if name == metric]
        shared = [p for p in parts if all((metric, p) in rep.values for rep in self.reps)]
        return {p: float(np.mean([rep.values[metric, p] for rep in self.reps])) for p in shared}

    def _error(self) -> Iterator[RepRow]:
        mean = self._mean("b2")
        if not mean:
            return
        for part, value in mean.items():
            if value > 0.0:
                yield RepRow(None, "n_eq", part, 1.0 / value)
        worst = max(mean.values())
        if worst > 0.0:
            yield RepRow(None, "n_eq", "", 1.0 / worst)
        yield RepRow(None, "b2_max", "", worst)
        average = self._mean("b2_avg")
        yield RepRow(None, "b2_avg", "", average[""] if average else float(np.mean(list(mean.values()))))

    def _departures(self) -> Iterator[RepRow]:
        """Of each group the function that is the least probable when deviations are averaged over reps."""
        fits = [rep.deviations for rep in self.reps if rep.deviations is not None]
        if not fits:
            return
        for worst in departures(fits, shared=not self.fresh_data):
            yield RepRow(None, f"p_{worst.group}", worst.label, worst.p)
            yield RepRow(None, "judged_estimate", worst.label, worst.estimate)
            yield RepRow(None, "judged_reference", worst.label, worst.reference)
            yield RepRow(None, "judged_error", worst.label, worst.error)

    def _target(self) -> Iterator[RepRow]:
        """Of fits that ran until a target: how many met it, when, and how large the error was of what followed.

        A fit that did not meet it took longer than any that did: where half or more are such there is no median.
        """
        met = self._mean("target_met")
        if not met:
            return
        yield RepRow(None, "target_met", "", met[""])
        for name, cold in (("time_to_target", False), ("time_to_target_cold", True)):
            times = [rep.values.get((name, ""), np.inf) for rep in self.reps if rep.cold == cold]
            if times and np.isfinite(middle := float(np.median(times))):
                yield RepRow(None, name, "", middle)
        after: dict[str, list[float]] = {}
        for rep in self.reps:
            for (name, part), value in rep.values.items():
                if name == "b2_after_target":
                    after.setdefault(part, []).append(value)
        if after:
            yield RepRow(None, "b2_after_target", "", max(float(np.mean(values)) for values in after.values()))

    def _accuracy(self) -> Iterator[RepRow]:
        curves = [rep.curve for rep in self.reps]
        if not all(c.b2.size for c in curves):
            return
        _, at = aligned([c.step for c in curves])
        error = np.mean([c.b2[i] for c, i in zip(curves, at, strict=True)], axis=0).max(axis=1)
        yield RepRow(None, "accuracy_floor", "", float(error[-1]))
        first = settled(error, TARGET)
        if first is None:
            return
        reached = [(rep, int(i[first])) for rep, i in zip(self.reps, at, strict=True)]
        warm = {rep.number: float(rep.curve.seconds[i]) for rep, i in reached if not rep.cold}
        cold = {rep.number: float(rep.curve.seconds_cold[i]) for rep, i in reached if rep.cold}
        for name, times in (("time_to_accuracy", warm), ("time_to_accuracy_cold", cold)):
            yield from (RepRow(number, name, "", seconds) for number, seconds in times.items())
            if times:
                yield RepRow(None, name, "", float(np.median(list(times.values()))))
        if self.kind != "exact":
            mean = np.mean([rep.curve.gradients[i] for rep, i in reached])
            yield RepRow(None, "gradients_to_accuracy", "", float(mean))
