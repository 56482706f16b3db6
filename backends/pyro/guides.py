"""Variational families on the unconstrained scale: the hand-written mean-field one, and Pyro's autoguides.

All are Normal there, so each gives its q(z) as one distribution over the vector z, parameters in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.infer import autoguide
from pyro.nn import PyroModule
from torch import Tensor, nn
from torch.distributions import biject_to

from backends._shared.pytorch import dtype_of
from backends.pyro.models import Model
from bench.types import Dataset, Diverged, Parameter, Place


class MeanField(PyroModule):
    """Independent Normals on the unconstrained scale, scales through softplus, pushed to each parameter's support."""

    def __init__(self, data: Dataset, place: Place) -> None:
        super().__init__()
        zeros = torch.zeros(data.dim, dtype=dtype_of(place), device=place.device)
        self.loc, self.raw_scale = nn.Parameter(zeros), nn.Parameter(zeros.clone())
        self.sizes = [p.size for p in data.sites]
        self.sites = [(p, _transform(p)) for p in data.sites]

    def reset(self, generator: torch.Generator) -> None:
        """loc ~ N(0, 1), raw scale ~ −3 + 0.05·N(0, 1)."""
        with torch.no_grad():
            self.loc.copy_(_normal(self.loc, generator))
            self.raw_scale.copy_(-3.0 + 0.05 * _normal(self.loc, generator))

    def forward(self, *args: Tensor) -> None:
        """Sample every parameter."""
        scales = nn.functional.softplus(self.raw_scale).split(self.sizes)
        for (p, transform), loc, scale in zip(self.sites, self.loc.split(self.sizes), scales, strict=True):
            q: Any = dist.Normal(loc.reshape(p.shape), scale.reshape(p.shape))
            if transform is not None:
                q = dist.TransformedDistribution(q, [transform])  # its log density carries the Jacobian
            pyro.sample(p.name, q.to_event(len(p.shape)))

    def current(self) -> dist.Distribution:
        """q(z) at this step."""
        return self.posterior()

    def posterior(self, *args: Tensor) -> dist.Distribution:
        """q(z)."""
        return dist.Normal(self.loc, nn.functional.softplus(self.raw_scale)).to_event(1)


AUTOGUIDES: dict[str, Callable[..., autoguide.AutoGuide]] = {
    "normal": autoguide.AutoDiagonalNormal,
    "multivariate_normal": autoguide.AutoMultivariateNormal,
    "low_rank": autoguide.AutoLowRankMultivariateNormal,
    "laplace": autoguide.AutoLaplaceApproximation,
}


class Automatic:
    """One of Pyro's autoguides, made once and set back to its start before each fit."""

    def __init__(self, name: str, model: Model, args: tuple[Tensor, ...]) -> None:
        self.model, self.name = model, name
        self.guide = AUTOGUIDES[name](model, init_loc_fn=autoguide.init_to_uniform)
        self.guide(*args)  # creates its parameters
        self.initial = {key: value.clone() for key, value in self.guide.state_dict().items()}

    def __call__(self, *args: Tensor) -> Any:
        """Sample every parameter."""
        return self.guide(*args)

    def reset(self, generator: torch.Generator) -> None:
        """loc ~ U(−2, 2), scales as Pyro starts them."""
        self.guide.load_state_dict(self.initial)
        with torch.no_grad():
            uniform = torch.rand(self.guide.loc.shape, generator=generator, dtype=torch.float64)
            self.guide.loc.copy_(4.0 * uniform - 2.0)

    def parameters(self) -> Any:
        """What is optimised."""
        return self.guide.parameters()

    def state_dict(self) -> Any:
        """Its parameters by name."""
        return self.guide.state_dict()

    def load_state_dict(self, state: Any) -> None:
        """Set its parameters."""
        self.guide.load_state_dict(state)

    def current(self) -> dist.Distribution:
        """q(z) at this step; a point while a Laplace approximation still looks for its mode."""
        return dist.Delta(self.guide.loc, event_dim=1) if self.name == "laplace" else self.guide.get_posterior()

    def posterior(self, *args: Tensor) -> dist.Distribution:
        """q(z); for the Laplace approximation its Hessian is taken here."""
        if self.name != "laplace":
            return self.guide.get_posterior()
        try:
            return self.guide.laplace_approximation(*args).get_posterior()
        except torch.linalg.LinAlgError as error:
            raise Diverged("the last step is no mode: its Hessian is not positive definite; more steps?") from error


def _transform(p: Parameter) -> Any:
    """The map from the real line to the parameter's support, or None where it is the real line."""
    if p.upper != float("inf"):
        return biject_to(constraints.interval(p.lower, p.upper))
    if p.lower != float("-inf"):
        return biject_to(constraints.greater_than(p.lower))
    return None


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)


def make(name: str, data: Dataset, place: Place, model: Model, args: tuple[Tensor, ...]) -> MeanField | Automatic:
    """The guide called `name`."""
    return MeanField(data, place) if name == "manual" else Automatic(name, model, args)
