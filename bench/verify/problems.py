"""What the densities of a scenario are held against, worked out once for all frameworks."""

from __future__ import annotations

from typing import NamedTuple

from bench.data import dataset, family, few_rows
from bench.types import Array, Dataset, DType, Scenario
from bench.verify.expected import Expected, expected
from bench.verify.points import Points, points

SEED = 0
"""Root of the seed of the one data set on which a scenario's densities are compared."""


class Problem(NamedTuple):
    """A data set, the points, these in one precision (r, m, dim), and what the family says.

    Where r exceeds 1 their neighbours come after them. `expected` is None where only frameworks know the density.
    """

    data: Dataset
    points: Points
    z: Array
    expected: Expected | None


class Problems:
    """Problems by scenario and precision, each made when first asked for."""

    def __init__(self) -> None:
        self._at: dict[str, tuple[Dataset, Points]] = {}
        self._made: dict[tuple[str, DType, bool], Problem] = {}

    def get(self, scenario: Scenario, dtype: DType, *, neighbours: bool = True) -> Problem:
        """The problem of a scenario's first data set; of one of many rows, of fewer."""
        label, fam = scenario.label, family(scenario.family)
        if label not in self._at:
            data = dataset(few_rows(scenario), seed=SEED, rep=0)
            self._at[label] = data, points(data, fam)
        if (key := (label, dtype, neighbours)) not in self._made:
            data, where = self._at[label]
            z = where.rounded(dtype)[: None if neighbours else 1]
            self._made[key] = Problem(data, where, z, None if fam.OPAQUE else expected(data, fam, z))
        return self._made[key]
