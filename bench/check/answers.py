"""What must hold of the answers of any backend: pure functions of fits that give complaints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from bench.data import flatten
from bench.data import moments as moments_of
from bench.protocols import Family, Reference
from bench.score import chains
from bench.types import Dataset, Fit

TIMED = {"warmup", "sample", "warmup+sample"}
STANDARD_ERRORS = 6.0
"""By chance a mean is farther off than so many standard errors once in 10⁹ scalars; their own error leaves room."""
SD_OFF = 0.25
R_HAT = 1.1
GAP = 1.0
"""Nats that a point may lie above the least value of its own objective before that is worth saying."""


def reproducible(first: Fit, again: Fit) -> str:
    """Complaint unless the same seed gives the same draws, bit for bit."""
    odd = [name for name in first.draws if not np.array_equal(first.draws[name], again.draws[name])]
    return f"the same seed gives other draws of {', '.join(odd)}" if odd else ""


def seeded(first: Fit, other: Fit) -> str:
    """Complaint if another seed gives the same draws, where draws are random at all."""
    if first.kind == "point":
        return ""
    odd = [name for name in first.draws if np.array_equal(first.draws[name], other.draws[name])]
    return f"another seed gives the same draws of {', '.join(odd)}" if odd else ""


def unbiased_by_another(reused: Fit, fresh: Fit, elsewhere: Fit) -> str:
    """Complaint unless a program that has fitted other data answers as one that has not, and not as on those data."""
    parameters = [name for name in fresh.draws if not np.array_equal(reused.draws[name], fresh.draws[name])]
    if parameters:
        return f"a program that has fitted other data before gives other draws of {', '.join(parameters)}"
    if all(np.array_equal(fresh.draws[name], elsewhere.draws[name]) for name in fresh.draws):
        return "other data give the same draws: the fit does not depend on its argument"
    return ""


def worked(fit: Fit, seconds: Mapping[str, float]) -> Iterator[str]:
    """Complaints on counted work and timed phases."""
    gradients = fit.stats.get("gradients")
    if fit.kind != "exact" and not gradients:
        yield "stats have no `gradients`: how much work it was is not counted"
    if fit.kind == "mcmc" and not 0 <= fit.stats.get("gradients_warmup", -1) <= (gradients or 0):
        yield "stats have no `gradients_warmup` between 0 and `gradients`"
    if not set(seconds) & TIMED:
        yield 'no phase was timed: `with clock("warmup")`, `"sample"` or `"warmup+sample"`'
    if fit.kind == "vi" and "log_q" not in fit.stats:
        yield "stats have no `log_q`, the log density of q at each draw: k-hat cannot be had"
    if fit.kind == "point" and "objective" not in fit.stats:
        yield "stats name no `objective`: the optimality gap cannot be had"


def unconverged(fit: Fit, data: Dataset) -> str:
    """Complaint where chains have not mixed: what they say of the posterior cannot be judged then."""
    draws = flatten(data.parameters, fit.draws)
    if fit.kind != "mcmc" or draws.shape[1] < chains.MIN_DRAWS:
        return ""
    worst = float(np.nan_to_num(chains.Diagnostics(draws).r_hat, nan=np.inf).max())
    return f"its chains have not mixed: R-hat {worst:.2f}" if worst > R_HAT else ""


def moments(fit: Fit, data: Dataset, reference: Reference) -> str:
    """Complaint on means and sds of Markov chains or exact draws against the reference, beyond Monte-Carlo error."""
    draws = flatten(data.parameters, fit.draws)
    mean, sd = flatten(data.parameters, reference.mean), flatten(data.parameters, reference.sd)
    total = draws.shape[0] * draws.shape[1]
    effective = np.full(len(mean), float(total))
    if fit.kind == "mcmc" and draws.shape[1] >= chains.MIN_DRAWS:
        ess = chains.Diagnostics(draws).ess_mean
        effective = np.clip(np.nan_to_num(ess, nan=1.0), 1.0, total)
    # the reference may itself be an estimate, worth n_effective draws
    error = sd * np.sqrt(1 / effective + 1 / reference.n_effective)
    off = np.abs(draws.mean((0, 1)) - mean) / error
    worst = int(off.argmax())
    if off[worst] > STANDARD_ERRORS:
        return f"the mean of {data.parts[worst]} is {off[worst]:.1f} standard errors off the reference"
    with np.errstate(divide="ignore"):
        ratio = np.abs(np.log(draws.std((0, 1)) / sd))
    allowed = SD_OFF + STANDARD_ERRORS / np.sqrt(2 * effective)
    if (ratio > allowed).any():
        worst = int((ratio - allowed).argmax())
        factor = float(draws.std((0, 1))[worst] / sd[worst])
        return f"the sd of {data.parts[worst]} is {factor:.2f} times that of the reference"
    return ""


def gap(fit: Fit, data: Dataset, family: Family) -> str:
    """Complaint on a point that is not the least value of the objective it names; NoReference where none is known."""
    name = str(fit.stats["objective"])
    point = {parameter: value[0, 0] for parameter, value in fit.draws.items()}
    nats = family.objective(data, name, point) - family.optimum(data, name)[1]
    return f"its point is {nats:.3g} nats above the least {name}" if nats > GAP else ""


def far(fit: Fit, data: Dataset, reference: Reference) -> str:
    """Complaint on a variational mean more than one posterior sd from the reference's."""
    mean = flatten(data.parameters, reference.mean)
    off = np.abs(flatten(data.parameters, moments_of(fit)[0]) - mean) / flatten(data.parameters, reference.sd)
    worst = int(off.argmax())
    text = f"the mean of {data.parts[worst]} is {off[worst]:.1f} posterior sds off the reference"
    return text if off[worst] > 1 else ""
