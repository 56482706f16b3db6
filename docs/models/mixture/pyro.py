"""The mixture in Pyro, summed over components."""

import pyro
import pyro.distributions as dist
import torch


def model(y):
    """`share` of the observations lie about low + gap, the others about low."""
    low = pyro.sample("low", dist.Normal(torch.tensor(0.0), 3.0))
    gap = pyro.sample("gap", dist.HalfNormal(torch.tensor(3.0)))
    sigma = pyro.sample("sigma", dist.HalfNormal(torch.tensor(2.0)))
    share = pyro.sample("share", dist.Beta(torch.tensor(2.0), torch.tensor(2.0)))
    components = dist.Normal(torch.stack([low, low + gap], -1), sigma.unsqueeze(-1))
    weights = dist.Categorical(probs=torch.stack([1.0 - share, share], -1))
    with pyro.plate("observations", len(y)):
        pyro.sample("y", dist.MixtureSameFamily(weights, components), obs=y)
