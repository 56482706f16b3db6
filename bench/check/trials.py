"""What a backend is tried on: for each family the smallest data sets there are, two of them of the same shapes."""

from __future__ import annotations

from collections.abc import Iterator

from bench.catalog.places import scenario_files
from bench.catalog.scenarios import scenario
from bench.data import calibration_data, dataset
from bench.errors import NoReference, UsageError
from bench.types import Dataset, Scenario

SEED = 20260101


def data_of(chosen: Scenario, number: int) -> Dataset:
    """Data set 0 or 1: another rep where the scenario draws its data, else data simulated from its prior.

    NoReference where the data are fixed and a prior is improper: there is no second data set then.
    """
    if number == 0 or not chosen.fixed_data:
        return dataset(chosen, seed=SEED, rep=number)
    return calibration_data(chosen, dataset(chosen, seed=SEED, rep=0), seed=SEED, number=number)


def has_second(chosen: Scenario) -> bool:
    """Whether there is another data set of the same shapes."""
    try:
        first, second = data_of(chosen, 0), data_of(chosen, 1)
    except NoReference:
        return False
    return {k: v.shape for k, v in first.arrays.items()} == {k: v.shape for k, v in second.arrays.items()}


def smallest(family: str) -> Iterator[Scenario]:
    """The scenarios of a family: those with a second data set first, then by the numbers in a data set."""
    candidates = []
    for name in scenario_files():
        try:
            one = scenario(name)
        except UsageError:
            continue  # a broken file is reported by whoever runs it
        if one.family == family:
            size = sum(array.size for array in dataset(one, seed=SEED, rep=0).arrays.values())
            candidates.append((not has_second(one), size, name, one))
    yield from (one for *_, one in sorted(candidates, key=lambda item: item[:3]))
