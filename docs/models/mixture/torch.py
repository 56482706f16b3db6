"""The mixture as a log density, for any number of chains at once."""

import torch
from torch.distributions import Beta, HalfNormal, Normal


def log_density(data, params):
    """Parameters (…) → (…)."""
    low, gap, sigma, share = (params[name].unsqueeze(-1) for name in ("low", "gap", "sigma", "share"))
    first = Normal(low, sigma).log_prob(data["y"]) + torch.log1p(-share)
    second = Normal(low + gap, sigma).log_prob(data["y"]) + torch.log(share)
    return (
        Normal(0.0, 3.0).log_prob(params["low"])
        + HalfNormal(3.0).log_prob(params["gap"])
        + HalfNormal(2.0).log_prob(params["sigma"])
        + Beta(2.0, 2.0).log_prob(params["share"])
        + torch.logaddexp(first, second).sum(-1)
    )
