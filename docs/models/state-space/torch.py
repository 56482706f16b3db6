"""The local level model as a log density, for any number of chains at once."""

import torch
from torch.distributions import HalfNormal, Normal


def log_density(data, params):
    """Parameters (…, shape) → (…)."""
    start, drift, noise = (params[name].unsqueeze(-1) for name in ("start", "drift", "noise"))
    level = start + drift * torch.cumsum(params["step"], -1)
    return (
        Normal(0.0, 2.0).log_prob(params["start"])
        + HalfNormal(1.0).log_prob(params["drift"])
        + HalfNormal(1.0).log_prob(params["noise"])
        + Normal(0.0, 1.0).log_prob(params["step"]).sum(-1)
        + Normal(level, noise).log_prob(data["y"]).sum(-1)
    )
