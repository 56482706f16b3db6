"""The scores of one fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.score import chains
from bench.score.derived import derived_rows
from bench.score.error import error_rows
from bench.score.optimum import optimum_rows
from bench.score.predictive import predictive_rows
from bench.score.problem import Row, Scored, rows
from bench.score.recovery import recovery_rows
from bench.score.target import target_rows
from bench.score.variational import variational_rows
from bench.types import PHASES


def score(scored: Scored) -> list[Row]:
    """Every row that applies to the fit; a value that is not finite is left out, never stored."""
    groups = (
        _answer, chain_rows, error_rows, variational_rows, recovery_rows, predictive_rows, derived_rows, optimum_rows,
        target_rows,
    )  # fmt: skip
    return [row for group in groups for row in group(scored) if np.isfinite(row.value)]


def _answer(scored: Scored) -> Iterator[Row]:
    yield from rows("mean", scored.problem.parts, scored.answer[0])
    if scored.fit.kind != "point":
        yield from rows("sd", scored.problem.parts, scored.sd)
    gradients = scored.stat("gradients")
    if gradients > 0.0 and not scored.cold and scored.fit.kind != "exact":
        yield Row("seconds_per_gradient", "", scored.fitting / gradients)
        if scored.reading is not None and scored.fitting > 0.0:
            yield Row("roofline", "", scored.reading * gradients / scored.fitting)
    steps = scored.stat("steps")
    if scored.fit.kind in {"point", "vi"} and steps > 1.0 and not scored.cold and scored.fitting > 0.0:
        yield Row("steps_per_second", "", steps / scored.fitting)


def chain_rows(scored: Scored) -> Iterator[Row]:
    """Diagnostics of the chains of a sampler, what they cost, and what it says of itself; none of another kind."""
    if scored.fit.kind != "mcmc":
        return
    yield Row("stuck_parameters", "", float((np.ptp(scored.draws, axis=1) == 0.0).any(axis=0).sum()))
    diagnostics = scored.diagnostics
    if diagnostics is not None:
        for name in chains.NAMES:
            yield from rows(name, scored.problem.parts, getattr(diagnostics, name))
        yield Row("r_hat_max", "", float(diagnostics.r_hat.max()))  # NaN, so no row, as soon as one scalar has no R-hat
        superchains, count = int(scored.stat("superchains")), scored.draws.shape[0]
        if superchains and count % superchains == 0 and count >= 2 * superchains:
            yield from rows("r_hat_nested", scored.problem.parts, diagnostics.r_hat_nested(superchains))
        yield Row("ess_bulk_min", "", float(diagnostics.ess_bulk.min()))
        yield Row("ess_bulk_median", "", float(np.median(diagnostics.ess_bulk)))
        yield Row("ess_tail_min", "", float(diagnostics.ess_tail.min()))
        yield from _efficiency(scored, float(diagnostics.ess_bulk.min()))
    yield from _sampler(scored)


def _efficiency(scored: Scored, ess: float) -> Iterator[Row]:
    """Effective draws of the worst scalar over what they cost."""
    gradients, warmup = scored.stat("gradients"), scored.stat("gradients_warmup")
    if scored.cold:
        costs = {"ess_per_second_cold": sum(scored.seconds.get(p, 0.0) for p in PHASES)}
    else:
        costs = {"ess_per_second": scored.fitting, "ess_per_second_sampling": scored.seconds.get("sample", 0.0)}
        costs["ess_per_core_second"] = scored.fitting * (scored.threads or 0)
    costs |= {"ess_per_gradient": gradients, "ess_per_gradient_sampling": gradients - warmup}
    for name, cost in costs.items():
        if cost > 0.0:
            yield Row(name, "", ess / cost)


def _sampler(scored: Scored) -> Iterator[Row]:
    """What the sampler says of itself."""
    stats, total = scored.fit.stats, scored.draws.shape[0] * scored.draws.shape[1]
    yield Row("draws", "", total)
    for metric, stat in (("divergences", "diverging"), ("treedepth_hits", "treedepth_hits")):
        if stat in stats:
            yield Row(metric, "", 1000.0 * float(np.sum(stats[stat])) / total)
    if "energy" in stats:
        yield Row("e_bfmi", "", float(chains.e_bfmi(stats["energy"]).min()))  # NaN, so no row, where a chain stands
