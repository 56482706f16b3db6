"""The Gaussian process as a log density, for any number of chains at once."""

import math

import torch
from torch.distributions import HalfNormal, LogNormal


def log_density(data, params):
    """Parameters (…) → (…)."""
    rho, alpha, sigma = (params[name][..., None, None] for name in ("rho", "alpha", "sigma"))
    distance = data["x"][:, None] - data["x"]
    unit = torch.eye(data["n"], dtype=distance.dtype, device=distance.device)
    covariance = alpha**2 * torch.exp(-0.5 * (distance / rho) ** 2) + (sigma**2 + 1e-6) * unit
    factor = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(factor, data["y"][:, None].expand(*factor.shape[:-1], 1), upper=False)
    log_determinant = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return (
        LogNormal(0.0, 0.5).log_prob(params["rho"])
        + HalfNormal(2.0).log_prob(params["alpha"])
        + HalfNormal(1.0).log_prob(params["sigma"])
        - 0.5 * whitened.square().sum((-2, -1))
        - log_determinant
        - 0.5 * data["n"] * math.log(2.0 * math.pi)
    )
