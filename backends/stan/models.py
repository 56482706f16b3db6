"""Each family as a Stan program, what its data block is given, and the log density Stan makes of it.

A program depends on which parameters there are and on the kinds of their priors; sizes, bounds, arguments of priors
and known parameters are data, so that one build serves every data set of a scenario, of whatever size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backends._shared import own as code
from backends.stan import priors, runtime
from backends.stan.laws import LAWS
from bench.data import family
from bench.types import Array, Dataset, Place, Unsupported

Values = dict[str, Any]


class Model(NamedTuple):
    """The lines of a program's blocks, and the arrays of a data set as its data block has them."""

    data: list[str]
    once: str
    given: str
    model: list[str]
    values: Callable[[Dataset], Values]
    function: str = ""


def regression(data: Dataset) -> Model:
    """y ~ law(x·weights + bias or a[group] + offset, scales), known ones and the rows' trials among the data."""
    law = LAWS[data.law or data.family, data.link]
    features, grouped = "weights" in data.names, "group" in data.arrays
    lines = ["int<lower=0> n", f"{law.y} y", *(["matrix[n, n_weights] x"] if features else [])]
    # without features a column of zeros: binomial_logit_glm is 0 where x has no columns
    once = law.once if features else f"matrix[n, 1] x = rep_matrix(0, n, 1);\n  vector[1] weights = [0]';\n  {law.once}"
    level = ["a[group]"] if grouped else [s for s in ("bias",) if s in data.names or s in priors.known(data)]
    if "offset" in data.arrays:
        lines.append("vector[n] offsets")
        level.append("offsets")
    lines += [f"array[n] int {name}" for name in ("trials", "group") if name in data.arrays]
    text = law.model.format(level=" + ".join(level) or "0", predictor=" + ".join(["x * weights", *level]))
    whole = {"trials", "group", *(["y"] if law.y.endswith("int") else [])}

    def values(at: Dataset) -> Values:
        """Stan counts groups from 1."""
        named = {"offsets" if name == "offset" else name: value for name, value in at.arrays.items()}
        named |= {"group": named["group"] + 1.0} if grouped else {}
        kept = {name: value for name, value in named.items() if name != "x" or features}
        return {"n": len(named["y"])} | {
            name: np.rint(value).astype(np.int64) if name in whole else value for name, value in kept.items()
        }

    return Model(lines, once, _effects(data, "a") if grouped else "", [text], values, law.function)


def two_groups(data: Dataset) -> Model:
    """Two groups, each Normal with its own mean and scale."""
    lines = ["int<lower=0> n1", "int<lower=0> n2", "vector[n1] y1", "vector[n2] y2"]
    text = ["y1 ~ normal(mu[1], sigma[1]);", "y2 ~ normal(mu[2], sigma[2]);"]
    return Model(lines, "", "", text, lambda at: {"n1": len(at.arrays["y1"]), "n2": len(at.arrays["y2"]), **at.arrays})


def eight_schools(data: Dataset) -> Model:
    """y_j ~ Normal(theta_j, s_j) of effects theta_j ~ Normal(mu, tau)."""
    effects = "eta" if data.coordinates else "theta"
    lines = [f"vector[n_{effects}] y", f"vector<lower=0>[n_{effects}] errors"]
    return Model(lines, "", _effects(data, "theta"), ["y ~ normal(theta, errors);"], lambda at: {**at.arrays})


MODELS: dict[str, Callable[[Dataset], Model] | None] = {
    "linear": regression,
    "two_groups": two_groups,
    "logistic": regression,
    "robust": regression,
    "binomial": regression,
    "poisson": regression,
    "negative_binomial": regression,
    "gamma": regression,
    "eight_schools": eight_schools,
    "varying_intercept": regression,
    "grouped_regression": regression,
    "model": None,
}
"""A model of the user's own is a program already."""


def _effects(data: Dataset, name: str) -> str:
    """The effects of a non-centred hierarchy, which are no parameters of the program."""
    return f"vector[n_eta] {name} = mu + tau * eta;" if data.coordinates else ""


def _sites(data: Dataset) -> list[priors.Site]:
    """Every parameter of the program; one without a prior is an effect, Normal(mu, tau) or standardised."""
    law = "std_normal()" if data.coordinates else "normal(mu, tau)"
    return [priors.site(p, data.priors.get(p.name), "" if p.name in data.priors else law) for p in data.sites]


def program(data: Dataset) -> str:
    """The Stan program of the data's family; only names, supports and kinds of priors of `data` are used."""
    make = MODELS[data.model]
    if make is None:
        return code.text(data, "model.stan")
    model, sites = make(data), _sites(data)
    declared = [line for site in sites for line in site.data] + [f"real {name}" for name in priors.known(data)]
    # sizes first: other declarations use them
    declared = sorted(declared + model.data, key=lambda line: not line.startswith("int"))
    statements = [f"{site.model};" for site in sites if site.model] + model.model
    blocks = {
        "functions": [model.function],
        "data": [f"{line};" for line in declared],
        "transformed data": [model.once],
        "parameters": [f"{site.parameter};" for site in sites],
        "transformed parameters": [model.given],
        "model": statements,
    }
    written = ((name, [line for line in lines if line]) for name, lines in blocks.items())
    return "\n".join(f"{name} {{\n  " + "\n  ".join(lines) + "\n}" for name, lines in written if lines) + "\n"


def values(data: Dataset) -> Values:
    """What the program's data block is given."""
    make = MODELS[data.model]
    if make is None:
        return {name: _whole(value) for name, value in data.arrays.items()}
    given: Values = dict(priors.known(data))
    for site in _sites(data):
        given |= site.values
    return given | make(data).values(data)


def _whole(value: Array) -> Any:
    """As whole numbers where all are, which Stan takes for real ones too: JSON has but one kind of number."""
    if value.dtype.kind == "i" or ((np.abs(value) < 2**31).all() and (value == np.rint(value)).all()):
        return value.astype(np.int64)
    return value


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant; −∞ and NaN where Stan refuses the point."""
    given, module = values(data), runtime.extension(program(data))
    at = order(data, given, module)
    flat = np.asarray(z, np.float64).reshape(-1, data.dim)
    value, gradient = np.full(len(flat), -np.inf), np.full(flat.shape, np.nan)
    for i, point in enumerate(flat[:, at].tolist()):
        if (answer := runtime.evaluated(module, given, point)) is not None:
            value[i], gradient[i, at] = answer
    return value.reshape(z.shape[:-1]), gradient.reshape(z.shape)


def order(data: Dataset, given: Mapping[str, Any], module: Any) -> npt.NDArray[np.intp]:
    """Where Stan has each scalar of z: as it is but in models of the user's own, whose matrices may go by columns."""
    if not data.source:
        return np.arange(data.dim)
    z = np.random.default_rng(0).uniform(-1.0, 1.0, data.dim)
    fam = family(data.family)
    draws = fam.to_sites(data, fam.constrain(data, z))
    stan = np.array(module.transform_inits(given, {name: np.asarray(x, np.float64) for name, x in draws.items()}))
    places = np.abs(stan[:, None] - z).argmin(axis=1) if stan.shape == z.shape else np.zeros(0, int)
    if len(places) != data.dim or not np.allclose(z[places], stan, rtol=0.0, atol=1e-8):
        raise Unsupported("the parameters of model.stan are not those of model.toml, or have other supports")
    return places
