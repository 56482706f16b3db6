"""Each family as a Pyro model of its arrays, and the log density Pyro makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import biject_to

from backends._shared import own as code
from backends._shared import pytorch
from backends._shared.pytorch import dtype_of
from backends._shared.stream import Stream
from backends.pyro import laws
from backends.pyro.priors import distribution
from bench.types import Array, Arrays, Dataset, Parameter, Place

Model = Callable[..., None]


def _regression(law: Callable[..., dist.Distribution]) -> Callable[..., Model]:
    """y ~ law(X·weights + bias or a[group] + offset, values of all parameters, known ones and the rows' trials too).

    Over a mini-batch of so many rows if `batch` is given: chosen anew at each step, or, of data that lie in a file, the
    rows that it is called with.
    """

    def regression(data: Dataset, place: Place, batch: int | None = None) -> Model:
        sample, n = _sampler(data, place), len(data.arrays["y"])
        values = {name: np.array(prior.args[0]) for name, prior in data.priors.items() if prior.name == "known"}
        known = pytorch.to_tensors(values, place)
        beside = _arguments(data)[2:]
        chosen = torch.arange(batch, device=place.device) if batch and data.chunk_rows else None

        def model(*arrays: Tensor) -> None:
            params = known | sample()
            with pyro.plate("observations", n, subsample_size=batch, subsample=chosen) as rows:
                X, y, *columns = arrays if batch is None or chosen is not None else (array[rows] for array in arrays)
                params |= dict(zip(beside, columns, strict=True))
                slope = _rows(params["weights"] @ X.mT) if "weights" in params else 0.0
                grouped = "group" in params
                intercept = _rows(params["a"])[..., params["group"].long()] if grouped else params.get("bias", 0.0)
                predictor = pytorch.LOG_ODDS[data.link](slope + intercept + params.get("offset", 0.0))
                pyro.sample("y", law(predictor, params), obs=y)

        return model

    return regression


def two_groups(data: Dataset, place: Place, batch: int | None = None) -> Model:
    """Two groups, each Normal with its own mean and scale; small enough to need no mini-batches."""
    sample = _sampler(data, place)

    def model(y1: Tensor, y2: Tensor) -> None:
        params = sample()
        for i, y in enumerate((y1, y2)):
            with pyro.plate(f"group_{i + 1}", len(y)):
                mu, sigma = params["mu"][..., i], params["sigma"][..., i]
                pyro.sample(f"y{i + 1}", dist.Normal(mu, sigma), obs=y)

    return model


def eight_schools(data: Dataset, place: Place, batch: int | None = None) -> Model:
    """y_j ~ Normal(theta_j, s_j) of effects theta_j ~ Normal(mu, tau)."""
    sample = _sampler(data, place)

    def model(y: Tensor, errors: Tensor) -> None:
        params = sample()
        with pyro.plate("schools", len(y)):
            pyro.sample("y", dist.Normal(_rows(params["theta"]), errors), obs=y)

    return model


def own(data: Dataset, place: Place, batch: int | None = None) -> Model:
    """The function `model` of `pyro.py` in the folder of a user's model, given the data by name."""
    model, names, sizes = code.function(data, "pyro", "model"), code.arrays(data), code.sizes(data)

    def named(*values: Tensor) -> None:
        model(**dict(zip(names, values, strict=True)), **sizes)

    return named


def _rows(x: Tensor) -> Tensor:
    """Events as rows of a plate: of vectorised particles (P, 1, J) → (P, J)."""
    return x.squeeze(-2) if x.dim() > 1 else x


MODELS: dict[str, tuple[Callable[..., Model], tuple[str, ...]]] = {
    "linear": (_regression(lambda mean, p: dist.Normal(mean, p["sigma"])), ("x", "y")),
    "two_groups": (two_groups, ("y1", "y2")),
    "logistic": (_regression(lambda logits, p: dist.Bernoulli(logits=logits)), ("x", "y")),
    "robust": (_regression(lambda mean, p: dist.StudentT(p["df"], mean, p["sigma"])), ("x", "y")),
    "binomial": (_regression(lambda logits, p: dist.Binomial(p["trials"], logits=logits)), ("x", "y")),
    "poisson": (_regression(lambda log_rate, p: laws.LogPoisson(log_rate)), ("x", "y")),
    "negative_binomial": (
        _regression(lambda log_mean, p: dist.NegativeBinomial(p["phi"], logits=log_mean - p["phi"].log())),
        ("x", "y"),
    ),
    "gamma": (_regression(lambda log_mean, p: laws.LogGamma(p["shape"], log_mean)), ("x", "y")),
    "eight_schools": (eight_schools, ("y", "errors")),
    "varying_intercept": (_regression(lambda mean, p: dist.Normal(mean, p["sigma"])), ("x", "y")),
    "grouped_regression": (lambda data, place, batch: MODELS[data.law][0](data, place, batch), ("x", "y")),
    "model": (own, ()),
}


def model(data: Dataset, place: Place, batch: int | None = None) -> Model:
    """The model of the data's family; only names, shapes and priors of `data` are used."""
    return MODELS[data.model][0](data, place, batch)


def _arguments(data: Dataset) -> tuple[str, ...]:
    """Names of the model's arguments: those of its family, and then what else the rows of a regression have."""
    if data.source:
        return code.arrays(data)
    names = MODELS[data.model][1]
    return names + tuple(sorted({"group", "offset", "trials"} & data.arrays.keys()))


def to_tensors(arrays: Arrays, data: Dataset, place: Place) -> tuple[Tensor, ...]:
    """The model's arguments on the device of `place`, in its dtype."""
    tensors = pytorch.to_tensors(arrays, place)
    return tuple(tensors[name] for name in _arguments(data))


def feed(data: Dataset, place: Place, batch: int, seed: int = 0) -> Callable[[], tuple[Tensor, ...]]:
    """What a model of mini-batches of so many rows (0: all) is called with at each step.

    All rows, moved here, of which it chooses itself; or of data that lie in a file the next batch.
    """
    if batch and data.chunk_rows:
        rows = Stream(data, seed)
        return lambda: to_tensors(rows.take(batch), data, place)
    args = to_tensors(data.arrays, data, place)
    return lambda: args


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    place = place or Place()
    args = to_tensors(data.arrays, data, place)
    target = model(data, place)
    transforms = _supports(data, target, args, place)
    points = torch.tensor(z, dtype=dtype_of(place), device=place.device).reshape(-1, data.dim)
    values, gradients = [], []
    for point in points:  # Pyro scores one trace at a time
        leaf = point.clone().requires_grad_()
        sites = pytorch.split(data, leaf)
        params = {name: transforms[name](u) for name, u in sites.items()}
        trace = pyro.poutine.trace(pyro.poutine.condition(target, params)).get_trace(*args)
        jacobians = [transforms[name].log_abs_det_jacobian(u, params[name]) for name, u in sites.items()]
        value = trace.log_prob_sum() + sum(jacobians)
        gradients.append(torch.autograd.grad(value, leaf)[0].cpu().double().numpy())
        values.append(value.item())
    return np.array(values).reshape(z.shape[:-1]), np.array(gradients).reshape(z.shape)


def _supports(data: Dataset, target: Model, args: tuple[Tensor, ...], place: Place) -> dict[str, Any]:
    """The bijection onto the support that the model itself states for each site, seen by tracing it once."""
    inside = {p.name: torch.full(p.shape, p.interior, dtype=dtype_of(place), device=place.device) for p in data.sites}
    trace = pyro.poutine.trace(pyro.poutine.condition(target, inside)).get_trace(*args)
    return {name: biject_to(trace.nodes[name]["fn"].support) for name in inside}


def _sampler(data: Dataset, place: Place) -> Callable[[], dict[str, Tensor]]:
    """Sample every site in order; the effects, if there are any, Normal(mu, tau) themselves (centred) or as eta.

    In order, because an automatic guide lays out its vector as the model's trace does. The prior objects are made once,
    not at each step.
    """
    priors = {p.name: distribution(data.priors[p.name], p, place) for p in data.sites if p.name in data.priors}
    effects = next((p for p in data.parameters if p.name not in data.priors), Parameter("", (0,)))
    zero = torch.zeros(effects.shape, dtype=dtype_of(place), device=place.device)
    standard = dist.Normal(zero, torch.ones_like(zero)).to_event(1)

    def sample() -> dict[str, Tensor]:
        params: dict[str, Tensor] = {}
        for p in data.sites:
            if p.name in priors:
                params[p.name] = pyro.sample(p.name, priors[p.name])
                continue
            mu, tau = params["mu"].unsqueeze(-1), params["tau"].unsqueeze(-1)
            if data.coordinates:
                value = mu + tau * pyro.sample("eta", standard)
                params[effects.name] = pyro.deterministic(effects.name, value, event_dim=1)
            else:
                law = dist.Normal(mu.expand(*mu.shape[:-1], effects.size), tau).to_event(1)
                params[effects.name] = pyro.sample(effects.name, law)
        return params

    return sample
