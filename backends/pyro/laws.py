"""Observation laws by the logarithm of their mean, of finite density or −∞ however far out the predictor lies."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor


class LogPoisson(dist.Poisson):
    """A Poisson of mean exp(log_rate): torch's own takes the logarithm of a rate that may have overflowed."""

    def __init__(self, log_rate: Tensor) -> None:
        self.log_rate = log_rate
        super().__init__(log_rate.exp(), validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> LogPoisson:
        """The same law in a wider batch."""
        return LogPoisson(self.log_rate.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """y·log rate − rate − log y!"""
        return value * self.log_rate - self.rate - torch.lgamma(value + 1.0)


class LogGamma(dist.Gamma):
    """A Gamma of mean exp(log_mean)."""

    def __init__(self, shape: Tensor, log_mean: Tensor) -> None:
        self.shape, self.log_mean, self.log_rate = shape, log_mean, shape.log() - log_mean
        super().__init__(shape, self.log_rate.exp(), validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> LogGamma:
        """The same law in a wider batch."""
        return LogGamma(self.shape.expand(batch_shape), self.log_mean.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """That of Gamma(shape, rate) by log rate."""
        shape = self.concentration
        return shape * self.log_rate + (shape - 1.0) * value.log() - self.rate * value - torch.lgamma(shape)
