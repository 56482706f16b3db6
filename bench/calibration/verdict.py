"""All data sets of a cell → a verdict in words, what was fitted, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from bench.calibration.quantities import SHORT, Ranked, rank_all
from bench.calibration.trial import Trial
from bench.words import format as fmt

if TYPE_CHECKING:
    from bench.store.manifest import CellEntry

MIN_DATASETS = 20
"""Fewer fitted data sets give no verdict."""
RECOMMENDED = 200
"""Fewer planned data sets are remarked upon: coverage is then known to no better than 5 percentage points."""

EMPTY = 1e-3
"""Seconds up to which a compile phase compiled nothing."""


@dataclass(frozen=True, slots=True)
class Fits:
    """How the data sets of a cell ended and what they cost.

    `counts` by status; `failures` (status, how many, the first's reason); `seconds` the median fit after the first;
    `compiled` seconds, in `compiles` of the fits; `children` processes; `divergences` over all fits, None where the
    method has none.
    """

    counts: Mapping[str, int]
    failures: tuple[tuple[str, int, str], ...] = ()
    seconds: float | None = None
    compiled: float = 0.0
    compiles: int = 0
    children: int = 0
    divergences: int | None = None

    @property
    def ok(self) -> int:
        """Data sets that were fitted."""
        return self.counts.get("ok", 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a calibration says of one cell.

    `state`: calibrated, miscalibrated, undetermined, or the status of what left nothing to judge; `ranked` is None
    then.
    """

    scenario: str
    backend: str
    cell: str
    kind: str
    planned: int
    state: str
    sentence: str
    fits: Fits
    ranked: Ranked | None = None


def judge(entry: CellEntry, planned: int, trials: Sequence[Trial], refusal: tuple[str, str]) -> Verdict:
    """The verdict on a cell of the manifest; `refusal` is status and reason of one that could not be run."""
    good = [t for t in trials if t.status == "ok"]
    ranked = None
    if refusal[0]:
        fits, state, sentence = Fits({refusal[0]: planned}), refusal[0], refusal[1]
    else:
        fits = _fits(trials, planned)
        if len(good) < MIN_DATASETS:
            state, sentence = _main_failure(fits.counts), _too_few(fits)
        else:
            ranked = rank_all(good)
            state, sentence = _state(ranked, good, entry.chains)
    return Verdict(
        scenario=entry.scenario_label,
        backend=entry.backend_label,
        cell=entry.id,
        kind=entry.kind,
        planned=planned,
        state=state,
        sentence=sentence,
        fits=fits,
        ranked=ranked,
    )


def _state(ranked: Ranked, good: Sequence[Trial], chains: int) -> tuple[str, str]:
    if not ranked.enough:
        least = float(np.quantile([t.ess for t in good], SHORT))
        return "undetermined", (
            f"undetermined: one fit in twenty has no more than {least:.0f} effective draws of its worst quantity, and "
            f"ranking takes {2 * ranked.draws}; give it more draws, now {good[0].draws // chains} per chain"
        )
    total, off = len(ranked.quantities), ranked.outside
    if not off:
        return "calibrated", (
            f"calibrated as far as {len(good)} data sets can tell: all {total} quantities stay inside their bands"
        )
    grouped: dict[str, list[str]] = {}
    for q in off:
        grouped.setdefault(q.words, []).append(q.name)
    words = "; ".join(f"{how}: {fmt.some(names, 6)}" for how, names in grouped.items())
    return "miscalibrated", f"miscalibrated in {len(off)} of {total} quantities; {words}"


def _fits(trials: Sequence[Trial], planned: int) -> Fits:
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.status] = counts.get(trial.status, 0) + 1
    if planned > len(trials):
        counts["interrupted"] = planned - len(trials)
    first = {t.status: t for t in reversed(trials) if t.status != "ok"}
    diverged = [t.divergences for t in trials if t.divergences is not None]
    warm = [t.total for t in trials if t.status == "ok" and not t.first]
    return Fits(
        counts=counts,
        failures=tuple((s, counts[s], f"data set {t.number}: {t.reason}") for s, t in sorted(first.items())),
        seconds=median(warm) if warm else None,
        compiled=sum(t.compiled for t in trials),
        compiles=sum(t.compiled > EMPTY for t in trials),
        children=sum(t.first for t in trials),
        divergences=sum(diverged) if diverged else None,
    )


def _main_failure(counts: Mapping[str, int]) -> str:
    bad = {k: v for k, v in counts.items() if k != "ok"}
    return max(bad, key=lambda k: bad[k]) if bad else "undetermined"


def _too_few(fits: Fits) -> str:
    why = f"; {fits.failures[0][2]}" if fits.failures else ""
    return f"no verdict: {fits.ok} data sets were fitted, at least {MIN_DATASETS} are needed{why}"
