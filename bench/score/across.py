"""Scores over the reps of a cell: means are taken over reps first, the worst quantity afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bench.score.curves import Curve
from bench.score.problem import Row
from bench.stats.coverage import wilson
from bench.stats.settling import aligned, settled

TARGET = 0.01
"""b² of 100 independent draws: the accuracy that time_to_accuracy is the time to."""

KEPT = frozenset({"b2", "ess_bulk", "covered_90", "recovery_error"})
"""Metrics whose rows are kept of each rep."""


class RepRow(NamedTuple):
    """A row of a cell; `rep` is None for a value over all its reps."""

    rep: int | None
    metric: str
    part: str
    value: float


@dataclass
class CellScores:
    """What is kept of each rep of a cell while its run is scored: scalars and one curve."""

    kind: str
    fresh_data: bool
    reps: list[int] = field(default_factory=list)
    cold: list[bool] = field(default_factory=list)
    values: list[dict[tuple[str, str], float]] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def add(self, rep: int, rows: Sequence[Row], way: Curve, *, cold: bool) -> None:
        """Take in one scored rep."""
        self.reps.append(rep)
        self.cold.append(cold)
        self.values.append({(r.metric, r.part): r.value for r in rows if r.metric in KEPT})
        self.curves.append(way)

    def rows(self) -> Iterator[RepRow]:
        """Rows over reps, and each rep's time to the accuracy that the mean over reps reaches."""
        yield from self._error()
        ess = self._mean("ess_bulk")
        if ess:
            yield RepRow(None, "ess_bulk_min", "", min(ess.values()))
            yield RepRow(None, "ess_bulk_median", "", float(np.median(list(ess.values()))))
        if self.fresh_data:
            yield from self._recovery()
        yield from self._accuracy()

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
        parts = [part for name, part in self.values[0] if name == metric]
        shared = [p for p in parts if all((metric, p) in v for v in self.values)]
        return {p: float(np.mean([v[metric, p] for v in self.values])) for p in shared}

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
        yield RepRow(None, "b2_avg", "", float(np.mean(list(mean.values()))))

    def _accuracy(self) -> Iterator[RepRow]:
        if not all(c.b2.size for c in self.curves):
            return
        _, at = aligned([c.step for c in self.curves])
        error = np.mean([c.b2[i] for c, i in zip(self.curves, at, strict=True)], axis=0).max(axis=1)
        yield RepRow(None, "accuracy_floor", "", float(error[-1]))
        first = settled(error, TARGET)
        if first is None:
            return
        reps = list(zip(self.reps, self.cold, self.curves, [int(i[first]) for i in at], strict=True))
        for rep, cold, way, i in reps:
            if not cold:
                yield RepRow(rep, "time_to_accuracy", "", float(way.seconds[i]))
        for name, seconds in (
            ("time_to_accuracy", [float(way.seconds[i]) for _, cold, way, i in reps if not cold]),
            ("time_to_accuracy_cold", [float(way.seconds_cold[i]) for _, cold, way, i in reps if cold]),
        ):
            if seconds:
                yield RepRow(None, name, "", float(np.median(seconds)))
        if self.kind != "exact":
            yield RepRow(None, "gradients_to_accuracy", "", float(np.mean([way.gradients[i] for *_, way, i in reps])))
