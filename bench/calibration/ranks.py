"""One fit of a data set whose truth is known: rank of the truth, central intervals, effective draws, per scalar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data import flatten
from bench.protocols import Family
from bench.score.likelihood import joint_log_likelihood
from bench.stats.effective import bulk_and_tail
from bench.types import Array, Arrays, Dataset, Fit

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Probabilities of the central intervals."""
LADDER = (255, 127, 63, 31, 15, 7)
"""Numbers of thinned draws L among which the truth is ranked; the study takes the largest its ESS allows."""
LOG_LIKELIHOOD = "log likelihood"
"""Name of the joint log likelihood as a quantity (Modrák et al. 2025): it sees what no single parameter shows."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the truth lies in a fit of one scalar.

    `ranks` are in the order of LADDER, None where the fit has fewer draws; `low` and `high` in the order of LEVELS;
    `ess` the smaller of bulk and tail, the number of draws where they are independent.
    """

    truth: float
    mean: float
    sd: float
    ess: float
    ranks: list[int | None]
    low: list[float]
    high: list[float]

    def held(self) -> list[bool]:
        """Whether the interval of each level holds the truth."""
        return [a <= self.truth <= b for a, b in zip(self.low, self.high, strict=True)]


def place(fit: Fit, data: Dataset, family: Family, rng: np.random.Generator) -> dict[str, Placed]:
    """Every scalar parameter and the joint log likelihood; `data` has the truth. Ties are broken by `rng`.

    ValueError where the log likelihood is not finite at some draw.
    """
    names, draws, truth = scalars(fit.draws, data, family)
    count = draws.shape[1] * draws.shape[2]
    ess = bulk_and_tail(draws) if fit.kind == "mcmc" else np.full(len(names), float(count))
    flat = draws.reshape(len(names), count)
    tails = [(1.0 - level) / 2.0 for level in LEVELS]
    low, high = np.quantile(flat, tails, axis=1), np.quantile(flat, [1.0 - t for t in tails], axis=1)
    return {
        name: Placed(
            truth=float(truth[i]),
            mean=float(flat[i].mean()),
            sd=float(flat[i].std(ddof=1)) if count > 1 else 0.0,
            ess=float(ess[i]),
            ranks=[rank(flat[i], truth[i], size, rng) for size in LADDER],
            low=low[:, i].tolist(),
            high=high[:, i].tolist(),
        )
        for i, name in enumerate(names)
    }


def rank(draws: Array, truth: float, size: int, rng: np.random.Generator) -> int | None:
    """How many of `size` evenly spaced draws (draw,) are below the truth, ties broken at random; None with fewer."""
    if len(draws) < size:
        return None
    chosen = draws[((np.arange(size) + 0.5) * len(draws) / size).astype(int)]
    ties = int((chosen == truth).sum())
    return int((chosen < truth).sum()) + int(rng.integers(ties + 1))


def scalars(draws: Arrays, data: Dataset, family: Family) -> tuple[list[str], Array, Array]:
    """Names of the quantities, their draws (quantity, chain, draw) and their truths (quantity,)."""
    columns, truth = np.moveaxis(flatten(data.parameters, draws), 2, 0), flatten(data.parameters, data.truth)
    likely = joint_log_likelihood(draws, data, family)
    at_truth = family.log_likelihood(data, data.truth, data.arrays).sum()
    lost = int((~np.isfinite(likely)).sum())
    if lost:
        raise ValueError(f"the log likelihood is not finite at {lost} of {likely.size} draws")
    return [*data.parts, LOG_LIKELIHOOD], np.concatenate([columns, likely[None]]), np.append(truth, at_truth)
