"""Each family's log density on tensors, batched over leading dimensions and written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from backends._shared import own as code
from backends._shared.pytorch import LOG_ODDS, split, to_tensors
from backends.torch import gradients, laws
from backends.torch.priors import log_prob
from bench.types import Array, Dataset, Place

Tensors = laws.Tensors
Choice = Literal["auto", "autograd"]


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
    total = MODELS[data.model](data, arrays, params)
    for p in () if data.source else data.sites:
        if p.name in data.priors and data.priors[p.name].name != "flat":
            total = total + _total(log_prob(data.priors[p.name], params[p.name]), len(p.shape))
    return total


def layer(theta: Tensors) -> nn.Linear:
    """A linear model as torch's layer, (n, J) → (n, 1), its weights and bias at `theta`."""
    weights, bias = theta["weights"], theta.get("bias")
    made = nn.Linear(len(weights), 1, bias=bias is not None, dtype=weights.dtype, device=weights.device)
    with torch.no_grad():
        made.weight.copy_(weights[None])
        if bias is not None:
            made.bias.fill_(bias)
    return made


def line(parameters: Iterable[Tensor]) -> tuple[Array, Array | float]:
    """Weights (J,) and bias of a linear model, which is 0 where there is none, of its tensors in that order."""
    weights, *bias = (p.detach().double().cpu().numpy().copy() for p in parameters)
    return weights.ravel(), bias[0].reshape(()) if bias else 0.0


def linear_mean(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """X·weights + bias or a[group] + offset, (…, n): observations last, whatever the batch, as y has them."""
    terms = [params["weights"] @ arrays["x"].mT] if "weights" in params else []
    if "offset" in arrays:
        terms.append(arrays["offset"])
    if "group" in arrays:
        terms.append(params["a"][..., arrays["group"].long()])
    elif "bias" in params:
        terms.append(params["bias"].unsqueeze(-1))
    return reduce(torch.add, terms)


def _regression(law: Callable[..., Tensor]) -> Callable[[Dataset, Tensors, Tensors], Tensor]:
    """The log density of y under law(y, X·weights + bias + offset, parameters and arrays, known parameters), (…).

    With that of the intercepts where these are by group. One pass over X.
    """

    def log_likelihood(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
        known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
        if "group" in arrays:
            a, of_effects = _effects(data, params)
            params = {**params, "a": a}
        predictor = LOG_ODDS[data.link](linear_mean(data, arrays, params))
        value = law(arrays["y"], predictor, {**arrays, **params}, known)
        return value + of_effects if "group" in arrays else value

    return log_likelihood


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


def _effects(data: Dataset, params: Tensors) -> tuple[Tensor, Tensor]:
    """Effects (…, J) of a hierarchy and the log density of what is sampled for them, themselves or eta, (…)."""
    mu, tau = params["mu"].unsqueeze(-1), params["tau"].unsqueeze(-1)
    if data.coordinates:
        return mu + tau * params["eta"], -0.5 * params["eta"].square().sum(-1)
    effects = next(params[p.name] for p in data.parameters if p.name not in data.priors)
    return effects, -0.5 * ((effects - mu) / tau).square().sum(-1) - effects.shape[-1] * torch.log(params["tau"])


def own(data: Dataset, arrays: Tensors, params: Tensors) -> Tensor:
    """`log_density(data, params)` of `torch.py` in the folder of a user's model: priors and all, (…).

    It is not asked outside the support, where a method that proposes on the natural scale may look: −∞. No
    arguments are validated: a trajectory that leaves the finite numbers is a divergence, not an exception.
    """
    torch.distributions.Distribution.set_default_validate_args(False)
    density: Callable[..., Tensor] = code.function(data, "torch", "log_density")
    outside, within = torch.zeros((), dtype=torch.bool), {}
    for p in data.sites:
        x = params[p.name]
        if p.bounded:
            out = (x <= p.lower) | (x >= p.upper)
            outside = outside | (out.flatten(-len(p.shape)).any(-1) if p.shape else out)
            x = torch.where(out, p.interior, x)
        within[p.name] = x
    value = density({**arrays, **code.sizes(data)}, within)
    return torch.where(outside, -torch.inf, value)


MODELS: dict[str, Callable[[Dataset, Tensors, Tensors], Tensor]] = {
    "linear": _regression(laws.normal),
    "two_groups": two_groups,
    "logistic": _regression(laws.bernoulli),
    "robust": _regression(laws.student_t),
    "binomial": _regression(laws.binomial),
    "poisson": _regression(laws.poisson),
    "negative_binomial": _regression(laws.negative_binomial),
    "gamma": _regression(laws.gamma),
    "eight_schools": eight_schools,
    "varying_intercept": _regression(laws.normal),
    "grouped_regression": lambda data, arrays, params: MODELS[data.law](data, arrays, params),
    "model": own,
}


def unconstrained(data: Dataset, arrays: Tensors, z: Tensor) -> Tensor:
    """Log posterior density of z, Jacobian included, (…)."""
    params, log_jacobian = constrain(data, z)
    return log_posterior(data, arrays, params) + log_jacobian


def value_and_slope(
    data: Dataset, arrays: Tensors, choice: Choice = "auto", *, natural: bool = False
) -> gradients.Gradient:
    """`unconstrained` and its gradient for samplers and optimisers, or those of `log_posterior` for `natural` sites.

    By hand where `gradients` has the family, unless autograd is asked for.
    """
    hand = gradients.by_hand(data, arrays, natural=natural) if choice == "auto" else None
    if hand is not None:
        return hand
    if natural:
        return gradients.by_autograd(lambda theta: log_posterior(data, arrays, split(data, theta)))
    return gradients.by_autograd(lambda z: unconstrained(data, arrays, z))


def natural_density(data: Dataset, arrays: Tensors) -> Callable[[Tensor], Tensor]:
    """`log_posterior` of natural sites as one vector (chain, dim), up to a constant; in few operations if it can."""
    hand = gradients.density_by_hand(data, arrays)
    return hand or (lambda theta: log_posterior(data, arrays, split(data, theta)))


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`.

    The value is that of `unconstrained`, which autograd differentiates and Metropolis evaluates; the gradient is the
    one that samplers take, by hand where there is one. So whoever compares both has compared both ways.
    """
    place = place or Place()
    arrays, at = to_tensors(data.arrays, place), to_tensors({"z": z}, place)["z"]
    with torch.no_grad():
        value = unconstrained(data, arrays, at)
        _, slope = value_and_slope(data, arrays)(at.reshape(-1, data.dim))
    return value.cpu().double().numpy(), slope.reshape(at.shape).cpu().double().numpy()


def _total(x: Tensor, event_dims: int) -> Tensor:
    return x.sum(dim=tuple(range(-event_dims, 0))) if event_dims else x
