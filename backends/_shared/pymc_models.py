"""Each family as a PyMC model whose arrays are `pm.Data`: one compiled program serves all data of the same shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pymc as pm
from pytensor.compile.mode import Mode
from pytensor.link.vm import VMLinker
from pytensor.tensor import TensorVariable

from backends._shared import own as code
from backends._shared import pymc_laws as laws
from backends._shared.pymc_priors import sample
from backends._shared.pytensor import compiling
from backends._shared.sites import split
from bench.types import Array, Arrays, Dataset, Place, Unsupported

Values = Mapping[str, TensorVariable]
Write = Callable[[Dataset, Values], None]
"""Writes a family's variables into the model at hand, given its arrays."""

LINKERS: Mapping[str, str | None] = {"numba": "NUMBA", "default": None}
"""PyTensor's modes by the name of an option."""
INTERPRETED = Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_run").excluding("fusion", "BlasOpt")
"""PyTensor's rewrites, evaluated by NumPy: to look at a few densities is not worth 10 s of compilation."""


def regression(law: laws.Law) -> Write:
    """y ~ law(X·weights + bias or a[group] + offset, values of all parameters, known ones and the rows' trials too)."""

    def write(data: Dataset, arrays: Values) -> None:
        known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
        params = {**arrays, **known, **_sample(data)}
        slope = arrays["x"] @ params["weights"] if "weights" in params else 0.0
        grouped = "group" in arrays
        intercept = params["a"][arrays["group"].astype("int64")] if grouped else params.get("bias", 0.0)
        predictor = slope + intercept + arrays.get("offset", 0.0)
        law(laws.LOG_ODDS[data.link](predictor), arrays["y"], params)

    return write


def two_groups(data: Dataset, arrays: Values) -> None:
    """Two groups, each Normal with its own mean and scale."""
    params = _sample(data)
    for i, name in enumerate(("y1", "y2")):
        pm.Normal(name, params["mu"][i], params["sigma"][i], observed=arrays[name])


def eight_schools(data: Dataset, arrays: Values) -> None:
    """y_j ~ Normal(theta_j, s_j) of effects theta_j ~ Normal(mu, tau)."""
    params = _sample(data)
    pm.Normal("y", params["theta"], arrays["errors"], observed=arrays["y"])


def own(data: Dataset, arrays: Values) -> None:
    """The function `model` of `pymc.py` in the folder of a user's model, given the data by name."""
    code.function(data, "pymc", "model")(**arrays, **code.sizes(data))
    names = [p.name for p in data.sites]
    if (sampled := {rv.name for rv in pm.modelcontext(None).free_RVs}) != set(names):
        found, wanted = ", ".join(sorted(sampled)), ", ".join(names)
        raise Unsupported(f"pymc.py samples {found}, but the parameters are {wanted}")


MODELS: dict[str, Write] = {
    "linear": regression(laws.normal),
    "two_groups": two_groups,
    "logistic": regression(laws.bernoulli),
    "robust": regression(laws.student_t),
    "binomial": regression(laws.binomial),
    "poisson": regression(laws.poisson),
    "negative_binomial": regression(laws.negative_binomial),
    "gamma": regression(laws.gamma),
    "eight_schools": eight_schools,
    "varying_intercept": regression(laws.normal),
    "grouped_regression": lambda data, arrays: MODELS[data.law](data, arrays),
    "model": own,
}


def model(data: Dataset) -> pm.Model:
    """The model of the data's family, its arrays the values of `data`."""
    with pm.Model() as made:
        MODELS[data.model](data, {name: pm.Data(stored(name), data.arrays[name]) for name in code.arrays(data)})
    return made


def stored(name: str) -> str:
    """The name of an array in a model, where `y` is the variable that is observed."""
    return f"{name}_data"


def by_name(arrays: Arrays, data: Dataset) -> dict[str, Array]:
    """What takes the place of the arrays in a model of data of the same shapes."""
    return {stored(name): arrays[name] for name in code.arrays(data)}


def replace(made: pm.Model, data: Dataset) -> None:
    """Give the model other data of the same shapes."""
    for name, array in by_name(data.arrays, data).items():
        made[name].set_value(np.asarray(array, made[name].dtype))


def value_names(made: pm.Model) -> dict[str, str]:
    """{site: name of its unconstrained variable}, in the order of the sampler's vector."""
    return {rv.name: made.rvs_to_values[rv].name for rv in made.free_RVs}


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`.

    PyMC's own logp and dlogp, of its own unconstrained variables.
    """
    place = place or Place()
    made = model(data)
    with compiling("numba"):  # no C either
        function = made.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})
    names = value_names(made)
    sites = split(data, np.arange(data.dim))
    order = np.concatenate([sites[site].ravel() for site in names])  # the sampler's scalars, as places in z
    flat = np.asarray(z, place.dtype).reshape(-1, data.dim)
    value, gradient = np.empty(len(flat)), np.empty(flat.shape)
    with np.errstate(all="ignore"):  # far out a density is −∞, and its gradient nothing to warn of
        for i, at in enumerate(flat):
            value[i], gradient[i, order] = function(at[order])
    return value.reshape(z.shape[:-1]), gradient.reshape(z.shape)


def _sample(data: Dataset) -> dict[str, TensorVariable]:
    """Sample every site in order; the effects, if there are any, Normal(mu, tau) themselves (centred) or as eta."""
    params: dict[str, TensorVariable] = {}
    effects = next((p for p in data.parameters if p.name not in data.priors), None)
    for p in data.sites:
        if p.name in data.priors or effects is None:
            params[p.name] = sample(data.priors[p.name], p)
        elif data.coordinates:
            eta = pm.Normal("eta", 0.0, 1.0, shape=effects.shape)
            params[effects.name] = pm.Deterministic(effects.name, params["mu"] + params["tau"] * eta)
        else:
            params[effects.name] = pm.Normal(effects.name, params["mu"], params["tau"], shape=effects.shape)
    return params
