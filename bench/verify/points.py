"""Where densities are compared: around the origin, where the posterior is, and far from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import NoReference
from bench.protocols import Family
from bench.reference.cache import reference
from bench.types import Array, Dataset, DType, derive_seed

NEAR, POSTERIOR, FAR = 32, 32, 8
"""How many points of each group."""
NEIGHBOURS, NEIGHBOURHOOD = 6, 8
"""How many neighbours of each point tell how rough a density is, and how many units away they lie at most."""
UNIFORM = "U(−2, 2) points"
ORIGIN = "N(0, 1/4) points"
FAR_TAIL = "far-tail points"
FAR_OUT = "points 50 to 1000 out"
FAR_SDS, FAR_STEP = (10.0, 30.0), (4.0, 8.0)
"""Posterior sds from the posterior mean, and steps from the origin, at which the far tail is probed."""
OUT = np.geomspace(50.0, 1000.0, 8)
"""How far out sites without a bound are probed."""
HUGE = 1e30
"""Densities and gradients beyond this are not asked for: what enters them may have left float32."""


@dataclass(frozen=True, slots=True)
class Points:
    """Unconstrained vectors `z` (m, dim); `groups` (m,) says where each lies."""

    z: Array
    groups: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Groups in order, each once."""
        return tuple(dict.fromkeys(self.groups))

    def rounded(self, dtype: DType) -> Array:
        """(r, m, dim): `z` as numbers of `dtype`, which a framework computing in it does not round again.

        After them come r − 1 neighbours of each, at most 8 units in the last place away: a wrong density is as wrong
        there, what differs between them is rounding.
        """
        base = self.z.astype(dtype)
        rng = np.random.default_rng(derive_seed(0, "verify", "neighbours"))
        steps = rng.integers(-NEIGHBOURHOOD, NEIGHBOURHOOD + 1, (NEIGHBOURS, *base.shape))
        moved = base * (1.0 + steps.astype(dtype) * np.finfo(dtype).eps)
        return np.concatenate([base[None], moved.astype(dtype)]).astype(np.float64)


def points(data: Dataset, family: Family) -> Points:
    """The same points for every framework: 32 of U(−2, 2), 32 posterior draws, 8 in the far tail and 8 far out.

    Where there is no reference posterior, its draws are replaced by truths drawn from the prior, or, of an improper
    prior, by points around the posterior mode. A density that only frameworks know is looked at near the origin: how
    far out it can be computed at all, nobody says.
    """
    rng = np.random.default_rng(derive_seed(0, "verify", data.family, data.dim))
    near = rng.uniform(-2.0, 2.0, (NEAR, data.dim))
    if family.OPAQUE:
        around = 0.5 * rng.standard_normal((POSTERIOR, data.dim))
        return Points(np.concatenate([near, around]), (UNIFORM,) * NEAR + (ORIGIN,) * POSTERIOR)
    name, middle = _posterior(data, family, rng)
    far = _far(data, middle, rng)
    out = _out(data, family, middle, rng)
    parts = [(UNIFORM, near), (name, middle), (FAR_TAIL, far), (FAR_OUT, out)]
    return Points(np.concatenate([part for _, part in parts]), tuple(group for group, part in parts for _ in part))


def _posterior(data: Dataset, family: Family, rng: np.random.Generator) -> tuple[str, Array]:
    """(name, points) of where the posterior mass is, or of what comes nearest to that."""
    try:
        return "posterior draws", _finite(family.unconstrain(data, reference(data).draw(POSTERIOR, rng)))
    except NoReference:
        pass
    try:
        truths = [family.prior_predictive(data, rng)[0] for _ in range(POSTERIOR)]
        drawn = {name: np.stack([np.asarray(truth[name]) for truth in truths]) for name in truths[0]}
        return "prior draws (no reference posterior)", _finite(family.unconstrain(data, drawn))
    except NoReference:
        pass
    try:
        best = family.optimum(data, "map_unconstrained")[0]
        mode = family.unconstrain(data, {name: np.asarray(value)[None] for name, value in best.items()})[0]
    except NoReference:
        mode = np.zeros(data.dim)
    around = mode + 0.5 * rng.standard_normal((POSTERIOR, data.dim))
    return "points around the mode (no reference posterior)", _finite(around)


def _finite(z: Array) -> Array:
    """Those draws that are no bound of their support to the last digit."""
    return z[np.isfinite(z).all(axis=-1)]


def _far(data: Dataset, middle: Array, rng: np.random.Generator) -> Array:
    """Half of them many posterior sds from the posterior mean, half many steps from the origin, in random directions.

    Sites with a bound stay within 4 steps of where they were, a factor of 55: further out their exponential leaves
    float32.
    """
    half, bounded = FAR // 2, _bounded(data)
    away = rng.uniform(*FAR_SDS, (half, data.dim)) * middle.std(axis=0)
    away = np.where(bounded, np.minimum(away, FAR_STEP[0]), away)
    sign = rng.choice([-1.0, 1.0], (FAR, data.dim))
    outside = rng.uniform(*FAR_STEP, (FAR - half, data.dim))
    return np.concatenate([middle.mean(axis=0) + sign[:half] * away, sign[half:] * outside])


def _out(data: Dataset, family: Family, middle: Array, rng: np.random.Generator) -> Array:
    """All sites without a bound at once between half and all of 50 to 1000 from the origin, those with one as before.

    So what is clipped, or cut off, somewhere out there is seen. None where every site has a bound, or the family's own
    density leaves what float32 can hold.
    """
    bounded = _bounded(data)
    share = rng.uniform(0.5, 1.0, (len(OUT), data.dim)) * rng.choice([-1.0, 1.0], (len(OUT), data.dim))
    out = np.where(bounded, middle.mean(axis=0), OUT[:, None] * share)
    if bounded.all():
        return np.empty((0, data.dim))
    with np.errstate(all="ignore"):
        value, gradient = family.log_density(data, out)
        kept = (np.abs(value) < HUGE) & (np.abs(gradient) < HUGE).all(axis=-1)
    return np.asarray(out[kept])


def _bounded(data: Dataset) -> npt.NDArray[np.bool_]:
    """Which scalars of z belong to sites with a bound."""
    bounded = [np.full(p.size, np.isfinite(p.lower) or np.isfinite(p.upper)) for p in data.sites]
    return np.asarray(np.concatenate(bounded), bool)
