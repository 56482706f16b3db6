"""The way to a mode: found where there is one, however the starts lie, with its curvature; said where there is none."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.needs("torch")

torch = importlib.import_module("torch")
approach = importlib.import_module("backends.torch.approach")
gradients = importlib.import_module("backends.torch.gradients")
hamiltonian = importlib.import_module("backends.torch.hamiltonian")

SDS, CORRELATION = np.array([0.01, 1.0, 30.0]), 0.8
COVARIANCE = np.outer(SDS, SDS) * np.where(np.eye(3) == 1, 1.0, CORRELATION)
MODE = np.array([3.0, -2.0, 50.0])


def normal(z: Any) -> Any:
    """Three correlated directions, of sds from 0.01 to 30."""
    away = z - torch.tensor(MODE)
    return -0.5 * ((away @ torch.tensor(np.linalg.inv(COVARIANCE))) * away).sum(-1)


def target(density: Any) -> Any:
    return hamiltonian.Target(gradients.by_autograd(density))


def starts(of: Any, chains: int, dim: int) -> Any:
    return hamiltonian.starts(of, chains, dim, torch.zeros((), dtype=torch.float64), seed=1)[0]


def test_every_chain_comes_to_rest_near_the_mode() -> None:
    of = target(normal)
    ends, resting = approach.climb(of, starts(of, 5, 3))
    assert resting and bool((ends.value > -approach.REST).all())  # of the mode's 0
    assert bool((ends.value == of(ends.z).value).all()) and bool((ends.slope == of(ends.z).slope).all())


def test_the_curvature_is_that_of_the_normal() -> None:
    of, z = target(normal), torch.tensor(MODE + 0.1 * SDS)
    before = of.executed
    found = approach.curvature(of, z, of(z[None]).slope[0], batch=2)
    assert of.executed - before == 1 + 3
    # A quadratic's differences are exact to rounding: 1e-16 of slopes of 1e4 over steps of 1e-5, against 1e-3 and more.
    np.testing.assert_allclose(found.scale, SDS, rtol=1e-3)
    assert found.widest == pytest.approx(math.sqrt(1 + 2 * CORRELATION), rel=1e-3)
    assert found.narrowest == pytest.approx(math.sqrt(1 - CORRELATION), rel=1e-3)


def test_a_saddle_has_no_curvature_to_start_with() -> None:
    of, z = target(lambda z: z[:, 0].square() - z[:, 1].square()), torch.zeros(2, dtype=torch.float64)
    assert approach.curvature(of, z, z, batch=2) is None


@pytest.mark.parametrize("density", [lambda z: z[:, 0].exp(), lambda z: z.sum(-1)], ids=["steeper", "a slope"])
def test_where_there_is_no_mode_no_chain_comes_to_rest(density: Any) -> None:
    of = target(density)
    assert not approach.climb(of, starts(of, 3, 2))[1]


def test_a_step_out_of_the_density_is_shortened() -> None:
    """Of a gamma on its natural scale, NaN below 0, from where a whole step leads out."""
    of = target(lambda z: (2.0 * z.log() - 10.0 * z).sum(-1))
    z = torch.tensor([[5.0], [0.9]], dtype=torch.float64)
    ends, resting = approach.climb(of, of(z))
    assert resting
    # Two nats are lost at 3.5 sds; 0.1 nat at 0.45 sd, which is √2/10.
    np.testing.assert_allclose(ends.z[:, 0], 0.2, atol=0.45 * math.sqrt(2) / 10)
