"""The Gaussian process in Pyro."""

import pyro
import pyro.distributions as dist
import torch


def model(x, y, n):
    """y is multivariate normal of covariance alpha²·exp(−(x − x')²/(2·rho²)) + sigma²·I."""
    rho = pyro.sample("rho", dist.LogNormal(torch.tensor(0.0), 0.5))
    alpha = pyro.sample("alpha", dist.HalfNormal(torch.tensor(2.0)))
    sigma = pyro.sample("sigma", dist.HalfNormal(torch.tensor(1.0)))
    distance = x[:, None] - x
    covariance = alpha**2 * torch.exp(-0.5 * (distance / rho) ** 2) + (sigma**2 + 1e-6) * torch.eye(n)
    pyro.sample("y", dist.MultivariateNormal(torch.zeros(n), covariance), obs=y)
