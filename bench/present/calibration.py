"""What every form of a calibration's report says: columns, cells, warnings, method. Verdicts in, text out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import pandas as pd

from bench.analysis.tables import RunTables
from bench.calibration.quantities import ALPHA, BAND_ALPHA, Quantity
from bench.calibration.ranks import LEVELS
from bench.calibration.verdict import RECOMMENDED, Verdict
from bench.present import provenance
from bench.stats.coverage import Coverage
from bench.store.manifest import CalibrationRun
from bench.words import format as fmt
from bench.words.clean import clean

Item = TypeVar("Item")
COARSE = 15
METHOD = (
    "For each data set a truth is drawn from the prior and observations from the model at that truth, at the design of "
    "the scenario's first data set. All backends fit the same data sets, each with one program that is built and "
    "compiled once. Were the posteriors right, the rank of the truth among L independent draws would be uniform over "
    "0 … L (Talts et al. 2018), for every parameter and for the joint log likelihood (Modrák et al. 2025).",
    "Ranks are judged by their ECDF with simultaneous bands (Säilynoja et al. 2022), whose level is computed exactly, "
    f"not simulated. Outside the {100 * (1 - BAND_ALPHA):.0f} % band is a hint; a quantity is called miscalibrated "
    f"when its p-value is at most {ALPHA:g} divided by the number of quantities (Bonferroni): a calibrated cell is "
    f"accused in at most {100 * ALPHA:.0f} of 100 calibrations. Staying inside is no proof: smaller departures need "
    "more data sets.",
    "L is the largest of 255, 127, 63, 31, 15 and 7 of which 95 % of the fits have twice as many effective draws (the "
    "smaller of bulk and tail ESS, of the worst quantity); draws are thinned evenly to L, ties are broken at random.",
    "Coverage: share of data sets whose central interval, from all draws, holds the truth, with 95 % Wilson intervals; "
    "over several parameters their mean, with the interval of as many trials as there are data sets. Width and "
    "interval score (Gneiting & Raftery 2007; less is better) are means for 90 %. Denominators are the data sets that "
    "were fitted.",
)


@dataclass(frozen=True)
class Calibration:
    """A calibration to report: run.json, the verdicts in plan order, and an SVG per cell that has ranks."""

    run: CalibrationRun
    verdicts: Sequence[Verdict]
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def scenarios(self) -> dict[str, list[Verdict]]:
        """Verdicts by scenario, in plan order."""
        grouped: dict[str, list[Verdict]] = {}
        for verdict in self.verdicts:
            grouped.setdefault(verdict.scenario, []).append(verdict)
        return grouped

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """(cell, what, reason) of everything that did not end ok."""
        rows = []
        for v in self.verdicts:
            where = f"{v.scenario} × {v.backend}"
            if v.state in ("unsupported", "unavailable") and not v.fits.failures:
                rows.append((where, v.state, clean(v.sentence)))
            for status, count, reason in v.fits.failures:
                rows.append((where, f"{count} of {v.planned} {status}", clean(reason)))
        return rows

    def context(self) -> str:
        """One line: how much was run, with what, where and when."""
        run, cores = self.run, self.run.host.cpus
        cells = run.cells
        parts = [
            fmt.count(run.datasets, "data set"),
            "budget " + "/".join(sorted({c.budget for c in cells})),
            "/".join(sorted({c.device for c in cells})) + (f" with {fmt.count(cores, 'CPU')}" if cores else ""),
            "/".join(sorted({c.dtype for c in cells})),
            "/".join(sorted({c.track for c in cells})) + " track",
            (run.started or "")[:10],
            f"calibration {run.id}",
        ]
        return clean(" · ".join(parts))

    def warnings(self) -> list[str]:
        """What a reader must know before any number."""
        sentences = list[str]()
        planned = self.run.datasets
        left = sum(v.fits.counts.get("interrupted", 0) for v in self.verdicts)
        if left:
            sentences.append(f"Interrupted: {left} of {planned * len(self.verdicts)} data sets have not been fitted.")
        if planned < RECOMMENDED:
            sentences.append(f"{planned} data sets; {RECOMMENDED} are the least from which coverage is worth quoting.")
        if self.run.dirty:
            sentences.append("The checkout had uncommitted changes.")
        return sentences

    def command(self) -> str:
        """The command that made it."""
        return clean(self.run.command)

    def environment(self) -> list[tuple[str, str]]:
        """(name, value) of everything recorded about it."""
        none = pd.DataFrame()
        return provenance.environment(RunTables(self.run, none, none, none))


def covered(share: Coverage) -> str:
    """Per cent with Wilson interval: `48 (41–55)`."""
    return f"{100 * share.share:.0f} ({100 * share.low:.0f}–{100 * share.high:.0f})"


def compiles(verdict: Verdict) -> str:
    """How many fits compiled something, and for how long."""
    fits = verdict.fits
    if not fits.compiles:
        return "0" if fits.ok else fmt.NONE
    return f"{fits.compiles} ({fmt.seconds(fits.compiled)})"


class Column(NamedTuple, Generic[Item]):
    """A column of a table in every format: title, text of an item, and whether that is `off` what it should be."""

    title: str
    text: Callable[[Item], str]
    off: Callable[[Item], bool] = lambda _: False
    level: bool = False
    """Whether it is of a level of coverage."""


def _levels(shares: Callable[[Any], Sequence[Coverage]]) -> Iterator[Column[Any]]:
    """A column per level of coverage, without numbers for an item that has no shares."""
    for i, level in enumerate(LEVELS):
        yield Column(
            f"{100 * level:.0f} %",
            lambda item, i=i: covered(shares(item)[i]) if shares(item) else fmt.NONE,  # type: ignore[misc]
            lambda item, i=i: any(share.off for share in shares(item)[i : i + 1]),  # type: ignore[misc]
            level=True,
        )


COLUMNS: tuple[Column[Verdict], ...] = (
    Column("backend", lambda v: v.backend),
    Column("verdict", lambda v: v.state, lambda v: v.state != "calibrated"),
    Column("data sets", lambda v: f"{v.fits.ok}/{v.planned}", lambda v: v.fits.ok != v.planned),
    Column(
        "outside",
        lambda v: f"{len(v.ranked.outside)}/{len(v.ranked.quantities)}" if v.ranked else fmt.NONE,
        lambda v: v.ranked is not None and bool(v.ranked.outside),
    ),
    *_levels(lambda v: v.ranked.coverage if v.ranked else ()),
    Column("fit", lambda v: fmt.seconds(v.fits.seconds)),
    Column("compiles", compiles),
)
QUANTITY_COLUMNS: tuple[Column[Quantity], ...] = (
    Column("quantity", lambda q: q.name),
    Column("verdict", lambda q: q.words or "inside its band", lambda q: q.outside),
    Column("p", lambda q: f"{q.p_value:.2g}" if q.p_value >= 1e-9 else "< 1e-9"),
    *_levels(lambda q: q.coverage),
    Column("width", lambda q: fmt.significant(q.width)),
    Column("score", lambda q: fmt.significant(q.score)),
)


def remarks(verdict: Verdict) -> list[str]:
    """What the numbers of a cell rest on, and what casts doubt on them."""
    fits, ranked = verdict.fits, verdict.ranked
    if ranked is None:
        return []
    processes = "one process" if fits.children == 1 else f"{fits.children} processes"
    sentences = [f"Ranks among L = {ranked.draws} draws, {fits.ok} data sets, {processes}."]
    if ranked.draws <= COARSE:
        sentences.append(
            "Ranks among so few are coarse: only gross departures show; more draws per fit would tell more."
        )
    if ranked.short:
        sentences.append(f"{fmt.count(ranked.short, 'fit')} had fewer than {2 * ranked.draws} effective draws.")
    if fits.divergences:
        sentences.append(f"{fmt.count(fits.divergences, 'divergence')} over all fits.")
    if fits.ok < verdict.planned:
        sentences.append(
            f"{verdict.planned - fits.ok} of {verdict.planned} data sets were not fitted; the others are no random "
            "choice if that has to do with their truths."
        )
    return sentences
