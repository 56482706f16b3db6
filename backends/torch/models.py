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
    """Views of a (…, dim) tensor, one per site."""
    sizes = [p.size for p in data.sites]
    pieces = flat.split(sizes, dim=-1)
    return {p.name: x.reshape(flat.shape[:-1] + p.shape) for p, x in zip(data.sites, pieces, strict=True)}


def constrain(data: Dataset, z: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Unconstrained (…, dim) → sites, and log |dθ/dz| of shape (…): identity, log or interval logit by support."""
    params = split(data, z)
    log_jacobian = z.new_zeros(z.shape[:-1])
    for p in data.sites:
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
    """Log prior + log likelihood at sites on their natural scale, (…); −∞ or NaN outside the support."""
    total = LOG_LIKELIHOODS[data.family](data, arrays, params)
    for p in data.sites:
        if p.name in data.priors and data.priors[p.name].name != "flat":
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


def logistic(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Bernoulli log likelihood with the logit as predictor: log(1 + exp) in the form that never overflows."""
    return torch.nn.functional.logsigmoid((2 * arrays["y"] - 1) * linear_mean(data, arrays, params)).sum(-1)


def robust(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Student's t log likelihood; what df alone decides is there only where df is inferred."""
    sigma, df = (params[name] if name in params else _known(data, arrays, name) for name in ("sigma", "df"))
    ratio = (arrays["y"] - linear_mean(data, arrays, params)) / sigma.unsqueeze(-1)
    n = arrays["y"].shape[-1]
    value = -n * torch.log(sigma) - (df + 1) / 2 * torch.log1p(ratio.square() / df.unsqueeze(-1)).sum(-1)
    if "df" not in params:
        return value
    return value + n * (torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(df))


def _known(data: Dataset, arrays: Tensors, name: str) -> Tensor:
    return arrays["y"].new_tensor(data.priors[name].args[0])


def two_groups(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Gaussian log likelihood of two groups with their own mean and scale, up to a constant."""
    groups = (arrays["y1"], arrays["y2"])
    mu, sigma = params["mu"].unsqueeze(-1), params["sigma"]
    squares = torch.stack([(y - mu[..., i, :]).square().sum(-1) for i, y in enumerate(groups)], -1)
    sizes = sigma.new_tensor([len(y) for y in groups])
    return -(sizes * torch.log(sigma) + squares / (2 * sigma.square())).sum(-1)


def eight_schools(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Normal estimates with known errors of normal effects, up to a constant."""
    theta, log_density = _effects(data, params)
    return log_density - 0.5 * ((arrays["y"] - theta) / arrays["errors"]).square().sum(-1)


def varying_intercept(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """Gaussian observations around an intercept per group and x·weights, up to a constant."""
    a, log_density = _effects(data, params)
    mean = a[..., arrays["group"].long()]
    if "weights" in params:
        mean = mean + params["weights"] @ arrays["x"].mT
    squares, sigma = (arrays["y"] - mean).square().sum(-1), params["sigma"]
    return log_density - arrays["y"].shape[-1] * torch.log(sigma) - squares / (2 * sigma.square())


def _effects(data: Dataset, params: Tensors) -> tuple[Tensor, Tensor]:
    """Effects (…, J) of a hierarchy and the log density of what is sampled for them, themselves or eta, (…)."""
    mu, tau = params["mu"].unsqueeze(-1), params["tau"].unsqueeze(-1)
    if data.coordinates:
        return mu + tau * params["eta"], -0.5 * params["eta"].square().sum(-1)
    effects = next(params[p.name] for p in data.parameters if p.name not in data.priors)
    return effects, -0.5 * ((effects - mu) / tau).square().sum(-1) - effects.shape[-1] * torch.log(params["tau"])


LOG_LIKELIHOODS: dict[str, Callable[[Dataset, Tensors, Tensors], Tensor]] = {
    "linear": linear,
    "two_groups": two_groups,
    "logistic": logistic,
    "robust": robust,
    "eight_schools": eight_schools,
    "varying_intercept": varying_intercept,
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
