"""Each family as a NumPyro model of its arrays, and the log density NumPyro makes of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.infer.util import potential_energy

from backends._shared import jax_arrays
from backends._shared import own as code
from backends._shared.jax_arrays import LOG_ODDS
from backends.numpyro import OWN, laws
from backends.numpyro.priors import distribution, flat
from bench.types import Array, Arrays, Dataset, Place

Model = Callable[..., None]


def _regression(law: Callable[..., dist.Distribution]) -> Callable[[Dataset], Model]:
    """y ~ law(X·weights + bias or a[group] + offset, values of all parameters, known ones and the rows' trials too).

    Called with fewer rows than the data have, their log density is scaled up to that of all.
    """

    def regression(data: Dataset) -> Model:
        n = len(data.arrays["y"])
        known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
        beside = _arguments(data)[2:]

        def model(X: jax.Array, y: jax.Array, *columns: jax.Array) -> None:
            params = known | _sample(data) | dict(zip(beside, columns, strict=True))
            slope = X @ params["weights"] if "weights" in params else 0.0
            intercept = params["a"][params["group"].astype(int)] if "group" in params else params.get("bias", 0.0)
            predictor = LOG_ODDS[data.link](slope + intercept + params.get("offset", 0.0))
            scaled = handlers.scale(scale=n / len(y)) if len(y) < n else nullcontext()
            with scaled, numpyro.plate("observations", len(y)):
                numpyro.sample("y", law(predictor, params), obs=y)

        return model

    return regression


def two_groups(data: Dataset) -> Model:
    """Two groups, each Normal with its own mean and scale."""

    def model(y1: jax.Array, y2: jax.Array) -> None:
        params = _sample(data)
        for i, y in enumerate((y1, y2)):
            with numpyro.plate(f"group_{i + 1}", len(y)):
                numpyro.sample(f"y{i + 1}", dist.Normal(params["mu"][i], params["sigma"][i]), obs=y)

    return model


def eight_schools(data: Dataset) -> Model:
    """y_j ~ Normal(theta_j, s_j) of effects theta_j ~ Normal(mu, tau)."""

    def model(y: jax.Array, errors: jax.Array) -> None:
        params = _sample(data)
        with numpyro.plate("schools", len(y)):
            numpyro.sample("y", dist.Normal(params["theta"], errors), obs=y)

    return model


def own(data: Dataset) -> Model:
    """The function `model` of `numpyro.py` in the folder of a user's model, given the data by name.

    Where there is only `jax.py`, parameters without a prior on their supports, and its `log_density` as a factor.
    """
    names, sizes = code.arrays(data), code.sizes(data)
    if code.framework(data, OWN) == "jax":
        density = code.function(data, "jax", "log_density")

        def model(**values: Any) -> None:
            params = {p.name: numpyro.sample(p.name, flat(p)) for p in data.sites}
            numpyro.factor("density", density(values, params))

    else:
        model = code.function(data, "numpyro", "model")

    def named(*values: jax.Array) -> None:
        model(**dict(zip(names, values, strict=True)), **sizes)

    return named


MODELS: dict[str, tuple[Callable[[Dataset], Model], tuple[str, ...]]] = {
    "linear": (_regression(lambda mean, p: dist.Normal(mean, p["sigma"])), ("x", "y")),
    "two_groups": (two_groups, ("y1", "y2")),
    "logistic": (_regression(lambda logits, p: dist.Bernoulli(logits=logits)), ("x", "y")),
    "robust": (_regression(lambda mean, p: dist.StudentT(p["df"], mean, p["sigma"])), ("x", "y")),
    "binomial": (_regression(lambda logits, p: dist.BinomialLogits(logits, p["trials"])), ("x", "y")),
    "poisson": (_regression(lambda log_rate, p: laws.LogPoisson(log_rate)), ("x", "y")),
    "negative_binomial": (
        _regression(lambda log_mean, p: dist.NegativeBinomialLogits(p["phi"], log_mean - jnp.log(p["phi"]))),
        ("x", "y"),
    ),
    "gamma": (_regression(lambda log_mean, p: laws.LogGamma(p["shape"], log_mean)), ("x", "y")),
    "eight_schools": (eight_schools, ("y", "errors")),
    "varying_intercept": (_regression(lambda mean, p: dist.Normal(mean, p["sigma"])), ("x", "y")),
    "grouped_regression": (lambda data: MODELS[data.law][0](data), ("x", "y")),
    "model": (own, ()),
}


def model(data: Dataset) -> Model:
    """The model of the data's family; only names, shapes and priors of `data` are used."""
    return MODELS[data.model][0](data)


def _arguments(data: Dataset) -> tuple[str, ...]:
    """Names of the model's arguments: those of its family, and then what else the rows of a regression have."""
    if data.source:
        return code.arrays(data)
    names = MODELS[data.model][1]
    return names + tuple(sorted({"group", "offset", "trials"} & data.arrays.keys()))


def to_arrays(arrays: Arrays, data: Dataset, place: Place) -> tuple[jax.Array, ...]:
    """The model's arguments on the device of `place`, in its dtype."""
    return tuple(jax_arrays.to_arrays(arrays, _arguments(data), place).values())


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    place = place or Place()
    target, args = model(data), to_arrays(data.arrays, data, place)

    def density(point: jax.Array, args: tuple[jax.Array, ...]) -> Any:
        return -potential_energy(target, args, {}, jax_arrays.split(data, point))

    return jax_arrays.values_and_gradients(density, data, z, args, place)


def _sample(data: Dataset) -> dict[str, jax.Array]:
    """Sample every site in order; the effects, if there are any, Normal(mu, tau) themselves (centred) or as eta."""
    params: dict[str, jax.Array] = {}
    for p in data.sites:
        if p.name in data.priors:
            params[p.name] = numpyro.sample(p.name, distribution(data.priors[p.name], p))
            continue
        effects = next(p for p in data.parameters if p.name not in data.priors)
        with numpyro.plate("effects", effects.size):
            if data.coordinates:
                eta = numpyro.sample("eta", dist.Normal(0.0, 1.0))
                params[effects.name] = numpyro.deterministic(effects.name, params["mu"] + params["tau"] * eta)
            else:
                params[effects.name] = numpyro.sample(effects.name, dist.Normal(params["mu"], params["tau"]))
    return params
