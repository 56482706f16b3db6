"""The local level model in Pyro."""

import pyro
import pyro.distributions as dist
import torch


def model(y, steps):
    """level_t = start + drift·(step_1 + … + step_t), y_t about it."""
    start = pyro.sample("start", dist.Normal(torch.tensor(0.0), 2.0))
    drift = pyro.sample("drift", dist.HalfNormal(torch.tensor(1.0)))
    noise = pyro.sample("noise", dist.HalfNormal(torch.tensor(1.0)))
    step = pyro.sample("step", dist.Normal(torch.zeros(steps), 1.0).to_event(1))
    with pyro.plate("observations", steps):
        pyro.sample("y", dist.Normal(start + drift * torch.cumsum(step, -1), noise), obs=y)
