"""Vectors of unconstrained scalars, taken apart into the sites of a model."""

import numpy as np
import pytest

from backends._shared import sites
from bench.catalog.scenarios import scenario
from bench.data import dataset


@pytest.mark.parametrize("name", ["s0-uniform", "s3-best", "eight-schools", "varying-intercept"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_every_site_has_its_shape_after_those_of_the_batch(name: str, batch: tuple[int, ...]) -> None:
    data = dataset(scenario(name), seed=0, rep=0)
    z = np.arange(np.prod(batch, dtype=int) * data.dim, dtype=float).reshape(*batch, data.dim)
    pieces = sites.split(data, z)
    assert {site: piece.shape for site, piece in pieces.items()} == {p.name: (*batch, *p.shape) for p in data.sites}
    assert all(piece.flags.c_contiguous for piece in pieces.values())
    flat = [piece.reshape(*batch, -1) for piece in pieces.values()]
    np.testing.assert_array_equal(np.concatenate(flat, axis=-1), z)
