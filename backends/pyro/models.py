"""Each family as a Pyro model of its arrays, and the log density Pyro makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import biject_to

from backends.pyro.priors import distribution, dtype_of
from bench.types import Array, Arrays, Dataset, Place

Model = Callable[..., None]


def linear(data: Dataset, place: Place, batch: int | None = None) -> Model:
    """y ~ Normal(X·weights + bias, sigma), over a mini-batch of the rows if `batch` is given."""
    sample = _sampler(data, place)
    known = None if "sigma" in data.names else data.priors["sigma"].args[0]
    n = len(data.arrays["y"])

    def model(X: Tensor, y: Tensor) -> None:
        params = sample()
        with pyro.plate("observations", n, subsample_size=batch) as rows:
            X, y = (X, y) if batch is None else (X[rows], y[rows])
            weights = params["weights"]
            mean = weights @ X.mT
            if weights.dim() > 1:  # vectorised particles, (P, 1, J) → (P, n)
                mean = mean.squeeze(-2)
            if "bias" in params:
                mean = mean + params["bias"]
            pyro.sample("y", dist.Normal(mean, params["sigma"] if known is None else known), obs=y)

    return model


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


MODELS: dict[str, tuple[Callable[..., Model], tuple[str, ...]]] = {
    "linear": (linear, ("x", "y")),
    "two_groups": (two_groups, ("y1", "y2")),
}


def model(data: Dataset, place: Place, batch: int | None = None) -> Model:
    """The model of the data's family; only names, shapes and priors of `data` are used."""
    return MODELS[data.family][0](data, place, batch)


def to_tensors(arrays: Arrays, data: Dataset, place: Place) -> tuple[Tensor, ...]:
    """The model's arguments on the device of `place`, in its dtype."""
    tensors = as_tensors(arrays, place)
    return tuple(tensors[name] for name in MODELS[data.family][1])


def as_tensors(arrays: Arrays, place: Place) -> dict[str, Tensor]:
    """The arrays on the device of `place`, in its dtype."""
    return {name: torch.tensor(x, dtype=dtype_of(place), device=place.device) for name, x in arrays.items()}


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    place = place or Place()
    args = to_tensors(data.arrays, data, place)
    made = model(data, place)
    transforms = {p.name: biject_to(distribution(data.priors[p.name], p, place).support) for p in data.parameters}
    points = torch.tensor(z, dtype=dtype_of(place), device=place.device).reshape(-1, data.dim)
    values, gradients = [], []
    for point in points:  # Pyro scores one trace at a time
        leaf = point.clone().requires_grad_()
        sites = _sites(data, leaf)
        params = {name: transforms[name](u) for name, u in sites.items()}
        trace = pyro.poutine.trace(pyro.poutine.condition(made, params)).get_trace(*args)
        jacobians = [transforms[name].log_abs_det_jacobian(u, params[name]) for name, u in sites.items()]
        value = trace.log_prob_sum() + sum(jacobians)
        gradients.append(torch.autograd.grad(value, leaf)[0].cpu().double().numpy())
        values.append(value.item())
    return np.array(values).reshape(z.shape[:-1]), np.array(gradients).reshape(z.shape)


def _sites(data: Dataset, flat: Tensor) -> dict[str, Tensor]:
    pieces = flat.split([p.size for p in data.parameters])
    return {p.name: piece.reshape(p.shape) for p, piece in zip(data.parameters, pieces, strict=True)}


def _sampler(data: Dataset, place: Place) -> Callable[[], Mapping[str, Tensor]]:
    """Sample every parameter; the prior objects are made once, not at each step."""
    priors = {p.name: distribution(data.priors[p.name], p, place) for p in data.parameters}

    def sample() -> Mapping[str, Tensor]:
        return {name: pyro.sample(name, prior) for name, prior in priors.items()}

    return sample
