"""Each family's log density on tensors, batched over leading dimensions and written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from backends.torch.priors import log_prob
from bench.types import Array, Arrays, Dataset, Place

Tensors = Mapping[str, Tensor]


def to_tensors(arrays: Arrays, place: Place) -> dict[str, Tensor]:
    """The arrays on the device of `place`, in its dtype."""
    dtype = torch.float64 if place.dtype == "float64" else torch.float32
    return {name: torch.tensor(value, dtype=dtype, device=place.device) for name, value in arrays.items()}


def split(data: Dataset, flat: Tensor) -> dict[str, Tensor]:
    """Views of a (…, dim) tensor, one per parameter."""
    sizes = [p.size for p in data.parameters]
    pieces = flat.split(sizes, dim=-1)
    return {p.name: x.reshape(flat.shape[:-1] + p.shape) for p, x in zip(data.parameters, pieces, strict=True)}


def constrain(data: Dataset, z: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Unconstrained (…, dim) → parameters, and log |dθ/dz| of shape (…): identity, log or interval logit by support."""
    params = split(data, z)
    log_jacobian = z.new_zeros(z.shape[:-1])
    for p in data.parameters:
        u = params[p.name]
        if np.isfinite(p.upper):
            width = p.upper - p.lower
            params[p.name] = p.lower + width * torch.sigmoid(u)
            slope = np.log(width) + torch.nn.functional.logsigmoid(u) + torch.nn.functional.logsigmoid(-u)
        elif np.isfinite(p.lower):
            params[p.name] = p.lower + torch.exp(u)
            slope = u
        else:
            continue
        log_jacobian = log_jacobian + _total(slope, len(p.shape))
    return params, log_jacobian


def log_posterior(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Log prior + log likelihood at natural parameters, (…); −∞ or NaN outside the support."""
    total = LOG_LIKELIHOODS[data.family](data, arrays, params)
    for p in data.parameters:
        if data.priors[p.name].name != "flat":
            total = total + _total(log_prob(data.priors[p.name], params[p.name]), len(p.shape))
    return total


def linear_mean(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """X·weights + bias, (…, n): observations last, whatever the batch, so that it never broadcasts against y."""
    mean = params["weights"] @ arrays["x"].mT
    return mean + params["bias"].unsqueeze(-1) if "bias" in params else mean


def linear(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Gaussian log likelihood up to N/2·log 2π; one pass over the data per batch element."""
    squares = (arrays["y"] - linear_mean(data, arrays, params)).square().sum(-1)
    n = arrays["y"].shape[-1]
    if "sigma" not in params:
        return squares * (-0.5 / data.priors["sigma"].args[0] ** 2)
    return -n * torch.log(params["sigma"]) - squares / (2 * params["sigma"].square())


def two_groups(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Gaussian log likelihood of two groups with their own mean and scale, up to a constant."""
    groups = (arrays["y1"], arrays["y2"])
    mu, sigma = params["mu"].unsqueeze(-1), params["sigma"]
    squares = torch.stack([(y - mu[..., i, :]).square().sum(-1) for i, y in enumerate(groups)], -1)
    sizes = sigma.new_tensor([len(y) for y in groups])
    return -(sizes * torch.log(sigma) + squares / (2 * sigma.square())).sum(-1)


LOG_LIKELIHOODS: dict[str, Callable[[Dataset, Tensors, Tensors], Tensor]] = {
    "linear": linear,
    "two_groups": two_groups,
}


def unconstrained(data: Dataset, arrays: Tensors, z: Tensor) -> Tensor:
    """Log posterior density of z, Jacobian included, (…)."""
    params, log_jacobian = constrain(data, z)
    return log_posterior(data, arrays, params) + log_jacobian


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    place = place or Place()
    leaf = to_tensors({"z": z}, place)["z"].requires_grad_()
    value = unconstrained(data, to_tensors(data.arrays, place), leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach().cpu().double().numpy(), gradient.cpu().double().numpy()


def _total(x: Tensor, event_dims: int) -> Tensor:
    return x.sum(dim=tuple(range(-event_dims, 0))) if event_dims else x
