"""A triangle for the data: the family's density to rounding, at once; its cost is timed, its answer is exact."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.types import Dataset, Place, Prior
from tests.backends.test_torch_nuts import Counting, assert_exact

pytestmark = pytest.mark.needs("torch")

torch = importlib.import_module("torch")
models = importlib.import_module("backends.torch.models")
sufficient = importlib.import_module("backends.torch.sufficient")


@pytest.mark.parametrize(
    "settings",
    [{}, {"bias": None}, {"sigma": Prior("known", (0.5,))}, {"n": 2}, {"bias": None, "n": 50, "offset": True}],
    ids=str,
)
def test_the_triangle_has_the_familys_density(settings: dict[str, Any], linear: Callable[..., Dataset]) -> None:
    offset = settings.pop("offset", False)
    data = linear(**settings)
    if offset:
        data = Dataset(**{f: getattr(data, f) for f in data.__slots__} | {
            "arrays": {**data.arrays, "offset": np.linspace(-1.0, 1.0, 50)}
        })  # fmt: skip
    z = np.random.default_rng(1).uniform(-2, 2, (5, data.dim))
    reduced = sufficient.triangle(data, models.to_tensors(data.arrays, Place()))
    assert len(reduced["y"]) == min(len(data.arrays["y"]), data.dim + ("sigma" not in data.names))
    value, slope = models.value_and_slope(data, reduced)(torch.tensor(z))
    expected, expected_slope = family("linear").log_density(data, z)
    off = value.numpy() - expected
    # A QR rounds its columns at 1e-16 of their lengths; sums of squares are of 50 terms.
    np.testing.assert_allclose(off, off.mean(), rtol=0, atol=1e-12 * np.ptp(expected))
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-10, atol=1e-12 * np.abs(expected_slope).max())


@pytest.mark.parametrize("sampler", ["chees", pytest.param("nuts", marks=pytest.mark.slow)])
def test_it_samples_the_exact_posterior(
    sampler: str, linear: Callable[..., Dataset], contender: Callable[..., Any], monkeypatch: Any
) -> None:
    counting = Counting(monkeypatch)
    fit, clock = contender("torch.sufficient", linear(), draws=150, sampler=sampler).fit(linear())
    assert_exact(fit, linear())
    assert fit.stats["gradients_executed"] == counting.rows and "structured" in fit.notes[0]
    assert clock.seconds["warmup"] > 0.0
