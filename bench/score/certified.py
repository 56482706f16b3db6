"""Long runs of several samplers as a reference posterior: the rules they must keep, and what they are then worth.

The rules are those of posteriordb (Magnusson et al. 2024, arXiv:2407.04967): R-hat below 1.01, enough effective draws,
no divergence, E-BFMI of at least 0.2 in every chain. To them comes that two independent samplers agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from bench.data import flatten
from bench.errors import NoReference, UsageError
from bench.protocols import Reference
from bench.reference.cache import reference
from bench.reference.stored import Unreadable
from bench.score.chains import Diagnostics, e_bfmi
from bench.store import arrays
from bench.types import Array, Dataset, Scenario, beside
from scenarios.families.posteriors.weighted import WeightedPosterior, summarise

R_HAT, E_BFMI = 1.01, 0.2
WORTH = 10_000.0
"""Independent draws that a reference must be worth, as by importance sampling: means are then known to 1 % of an sd."""
PER_CHAIN = 100.0
"""Effective draws of bulk and tail for each chain, below which R-hat itself is not to be relied on."""
FALSE_ALARM = 1e-4
"""How probable it is that samplers which agree are said to differ."""


class Sampled(NamedTuple):
    """What one sampler gave: `draws` (chain, draw, scalar), and of each draw whether it diverged and its energy."""

    name: str
    draws: Array
    diverging: Array | None = None
    energy: Array | None = None


def faults(sampled: Sequence[Sampled], parts: Sequence[str], *, alone: bool = False) -> list[str]:
    """Sentences on what keeps these from being a reference; `parts` are the names of the scalars.

    `alone`: one sampler may do, as where a user vouches for it.
    """
    found = [f"{one.name}: {fault}" for one in sampled for fault in _faults(one, parts)]
    if len({one.name.partition("[")[0] for one in sampled}) < 2 and not alone:  # options make no other sampler
        found.append("two independent samplers are needed, so that each is held against another")
    return found or _disagreements(sampled, parts)


def _faults(one: Sampled, parts: Sequence[str]) -> list[str]:
    found = []
    chains, draws, _ = one.draws.shape
    if chains < 4 or draws < PER_CHAIN:
        return [f"{chains} chains of {draws} draws; at least 4 of {PER_CHAIN:.0f} are needed"]
    if not np.isfinite(one.draws).all():
        return ["some draws are not finite"]
    for values, what in ((one.draws, ""), (_squares(one.draws), "the square of ")):
        diagnostics = Diagnostics(values)
        r_hat = np.where(np.isnan(diagnostics.r_hat), np.inf, diagnostics.r_hat)
        if (worst := int(np.argmax(r_hat))) >= 0 and not r_hat[worst] < R_HAT:
            found.append(f"R-hat of {what}{parts[worst]} is {r_hat[worst]:.4f}, not below {R_HAT}")
        effective = np.minimum(diagnostics.ess_bulk, diagnostics.ess_tail)
        if (worst := int(np.argmin(effective))) >= 0 and effective[worst] < PER_CHAIN * chains:
            wanted = f"{PER_CHAIN * chains:.0f} are needed"
            found.append(f"{what}{parts[worst]} has {effective[worst]:.0f} effective draws, {wanted}")
    if one.diverging is not None and (count := int(np.sum(one.diverging))):
        remedy = "smaller steps, as by target_accept=0.99, or another parametrisation"
        found.append(f"{count} transitions diverged: {remedy}")
    if one.energy is not None and not (least := float(e_bfmi(one.energy).min())) >= E_BFMI:
        found.append(f"E-BFMI of a chain is {least:.2f}, not at least {E_BFMI}")
    return found


def _squares(draws: Array) -> Array:
    return np.asarray(np.square(draws - draws.mean(axis=(0, 1))))


def _disagreements(sampled: Sequence[Sampled], parts: Sequence[str]) -> list[str]:
    """Means and centred squares of each sampler against the first, by their own standard errors (Bonferroni)."""
    middle = sampled[0].draws.mean(axis=(0, 1))
    means, errors = zip(*(_estimates(one.draws, middle) for one in sampled), strict=True)
    limit = float(special.ndtri(1.0 - FALSE_ALARM / (2.0 * len(means[0]) * max(len(sampled) - 1, 1))))
    labels = [*parts, *(f"the square of {part}" for part in parts)]
    found = []
    for i in range(1, len(sampled)):
        z = (means[i] - means[0]) / np.hypot(errors[i], errors[0])
        if (worst := int(np.argmax(np.abs(z)))) >= 0 and not abs(z[worst]) <= limit:
            off = f"{abs(z[worst]):.1f} standard errors apart in {labels[worst]}, of {limit:.1f} that chance explains"
            found.append(f"{sampled[0].name} and {sampled[i].name} are {off}")
    return found


def _estimates(draws: Array, middle: Array) -> tuple[Array, Array]:
    """Means of the scalars and of their squares about `middle`, and the standard errors of both, each (2·scalar,)."""
    values = np.concatenate([draws, np.square(draws - middle)], axis=-1)
    diagnostics = Diagnostics(values)
    errors = values.std(axis=(0, 1)) / np.sqrt(np.maximum(diagnostics.ess_mean, 1.0))
    return values.mean(axis=(0, 1)), errors


def poor(state: Mapping[str, Any]) -> list[str]:
    """A sentence where all draws together are worth too little."""
    worth = float(state["n_effective"])
    if worth >= WORTH:
        return []
    return [f"all draws are worth {worth:.0f} independent ones, {WORTH:.0f} are needed: more draws"]


def read(file: Path, data: Dataset) -> Sampled:
    """The draws in a .npz file, arrays (chain, draw, *shape) by parameter; UsageError where it has not these."""
    try:
        drawn = arrays.read(file)
    except Exception as error:  # noqa: BLE001 -- whatever a reader makes of what is no such file
        raise UsageError(f"{file.name} is no .npz file of draws: {' '.join(str(error).split())[:200]}") from None
    for p in data.parameters:
        has = drawn[p.name].shape if p.name in drawn else None
        if (
            has is None
            or len(has) != 2 + len(p.shape)
            or has[2:] != p.shape
            or has[:2] != drawn[data.names[0]].shape[:2]
        ):
            wanted = f"(chain, draw{''.join(f', {n}' for n in p.shape)})"
            found = f"has shape {has}" if has else "is not in it"
            raise UsageError(f"{file.name}: {p.name} {found}, but it must be {wanted}, alike for all parameters")
    return Sampled(file.name, flatten(data.parameters, drawn))


def brought(file: Path, data: Dataset) -> WeightedPosterior:
    """The reference that a user's draws give, by the rules for one sampler; NoReference names what is broken."""
    try:
        sampled = [read(file, data)]
    except UsageError as error:
        raise NoReference(str(error)) from None
    broken = faults(sampled, data.parts, alone=True)
    made = {} if broken else state(sampled, np.random.default_rng(0))
    if broken := broken or poor(made):
        raise NoReference(f"its own draws are no reference: {broken[0]}")
    return WeightedPosterior(data, made)


def reference_of(scenario: Scenario, data: Dataset) -> Reference:
    """The reference of a scenario's data: of draws it names, of a file that `bench reference` filled, or the family's.

    NoReference with the reason.
    """
    if "draws" in scenario.reference:
        file = beside(Path(scenario.file), scenario.reference["draws"])
        assert file is not None, "checked where the scenario was read"
        return brought(file, data)
    file = scenario.reference_file
    try:
        return reference(data, file)
    except Unreadable:
        raise
    except NoReference as reason:
        if file is None:
            raise
        raise NoReference(f"{reason}; {file.name} has none of these data: make it again") from None


def state(sampled: Sequence[Sampled], rng: np.random.Generator) -> dict[str, Any]:
    """The state of a `WeightedPosterior` of all draws alike, worth what their effective draws say.

    The variance of a mean over all draws is Σ (n_k/N)² σ²/ESS_k over samplers k; `n_effective` is σ² over the largest.
    """
    values = np.concatenate([one.draws.reshape(-1, one.draws.shape[-1]) for one in sampled])
    middle, total = values.mean(axis=0), len(values)
    shares = [one.draws[..., 0].size / total for one in sampled]
    variance = np.zeros(2 * values.shape[1])
    for one, share in zip(sampled, shares, strict=True):
        both = np.concatenate([one.draws, np.square(one.draws - middle)], axis=-1)
        variance += share**2 / np.maximum(Diagnostics(both).ess_mean, 1e-9)
    worth = float(1.0 / variance.max())
    names = " and ".join(f"{one.name} ({one.draws.shape[0]} × {one.draws.shape[1]})" for one in sampled)
    method = f"long run{'s' if len(sampled) > 1 else ''} of {names}{', which agree' if len(sampled) > 1 else ''}"
    method += f": worth {worth:.0f} independent draws"
    method += f", so means are known to {1 / np.sqrt(worth):.4f} sd or better"
    numbers = {"n_effective": worth, "k_hat": np.nan, "log_evidence": np.nan, "log_evidence_se": np.nan}
    made: Mapping[str, Any] = summarise(values, np.full(total, 1.0 / total), rng)
    return {**made, **{name: np.array(value) for name, value in numbers.items()}, "method": np.array(method)}
