"""How good q is: its ELBO, the gap to the evidence, and the k-hat of its importance weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bench.score.problem import Row, Scored
from bench.stats.pareto import smooth
from bench.types import Array

FEWEST = 1000
"""Draws of q below which nothing is said."""
LIGHTEST = -1.0
"""k-hat of weights that are all equal: a shape below −1 has no tail to speak of, and −∞ is no number to store."""


def variational_rows(scored: Scored) -> Iterator[Row]:
    """ELBO, gap and k-hat of a VI fit that states `log_q`; the draws at which they could not be computed.

    ELBO = E_q[log p − log q] and log evidence − ELBO = KL(q‖p); k-hat of log p − log q by Yao et al. 2018,
    arXiv:1802.02538. log p is the family's, in float64, at the fit's own draws.
    """
    if scored.fit.kind != "vi" or "log_q" not in scored.fit.stats or scored.problem.family.OPAQUE:
        return
    ratios = log_ratios(scored)
    kept = np.isfinite(ratios)
    yield Row("log_ratios_lost", "", float((~kept).sum()))
    if not kept.all() or len(ratios) < FEWEST:
        return
    elbo, se = float(ratios.mean()), float(ratios.std(ddof=1)) / math.sqrt(len(ratios))
    yield Row("elbo", "", elbo)
    yield Row("elbo_se", "", se)
    reference = scored.problem.reference
    if reference is not None and math.isfinite(reference.log_evidence):  # a long run has none
        yield Row("elbo_gap", "", reference.log_evidence - elbo)
        yield Row("elbo_gap_se", "", math.hypot(se, reference.log_evidence_se))
    yield Row("k_hat", "", max(smooth(ratios).k_hat, LIGHTEST))


def log_ratios(scored: Scored) -> Array:
    """log p − log q at every draw, (draw,); NaN where the draw lies on a bound, or a density is no finite number.

    A draw that float64 rounds onto the bound of its support has no place on the unconstrained scale any more.
    """
    family, data = scored.problem.family, scored.problem.data
    flat = {name: np.asarray(d, dtype=float).reshape(-1, *np.shape(d)[2:]) for name, d in scored.fit.draws.items()}
    log_q = np.asarray(scored.fit.stats["log_q"], dtype=float).ravel()
    z = family.unconstrain(data, flat)
    inside = np.isfinite(z).all(axis=-1) & np.isfinite(log_q)
    ratios = np.full(len(log_q), np.nan)
    with np.errstate(all="ignore"):  # far out in a tail of q a density may overflow: that draw is counted as lost
        ratios[inside] = family.log_density(data, z[inside])[0] - log_q[inside]
    return np.where(np.isfinite(ratios), ratios, np.nan)
