"""Scenario + rep → Dataset, through the scenario's family: the same bytes in the worker and in the scorer."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np

from bench import chunks
from bench.families import family_file, folders, models
from bench.protocols import Family
from bench.types import Array, Arrays, Dataset, Fit, Parameter, Prior, Scenario, derive_seed

MOST_ROWS, FEW_ROWS = 100_000, 1000
"""Generated rows on which densities are compared at most; and where rows are read in chunks."""
HASHED_ROWS = 10_000
"""Rows of an array that are hashed at a time: none is copied as a whole."""


@cache
def family(name: str) -> Family:
    """The `FAMILY` of `<folder>/<name>.py` in a folder of families; KeyError if there is none."""
    file = family_file(name)
    importlib.import_module("scenarios.families").__path__ = [str(folder) for folder in folders()]
    module = importlib.import_module(f"scenarios.families.{file.parent.name}.{name}")
    return cast(Family, module.FAMILY)


def data_seed(scenario: Scenario, *, seed: int, rep: int) -> int | None:
    """Seed of the data of one rep; None when the scenario's data are fixed."""
    return None if scenario.fixed_data else derive_seed(seed, "data", scenario.label, rep)


def dataset(scenario: Scenario, *, seed: int, rep: int) -> Dataset:
    """The data set of one rep: fresh for a generator, always the same for fixed data; start values vary with rep."""
    fam = family(scenario.family)
    drawn = data_seed(scenario, seed=seed, rep=rep)
    simulated = fam.simulate(scenario, np.random.default_rng(derive_seed(0, scenario.name) if drawn is None else drawn))
    parameters, coordinates = fam.parameters(scenario), fam.coordinates(scenario)
    start = fam.start(scenario, np.random.default_rng(derive_seed(seed, "start", scenario.label, rep)))
    link, law = scenario.settings.get("link", ""), scenario.settings.get("law", "")
    source = Path(scenario.file).parent if fam.OPAQUE else models(scenario.family)
    return Dataset(
        family=scenario.family,
        parameters=parameters,
        arrays=simulated.arrays,
        priors=scenario.priors,
        start=start,
        truth=simulated.truth,
        holdout=simulated.holdout,
        predict=dict(simulated.predict),
        coordinates=coordinates,
        link=link,
        law=law,
        source=str(source or ""),
        chunk_rows=scenario.settings.get("chunk_rows", 0),
        digest=_digest(
            parameters + coordinates,
            scenario.priors,
            law + link + (scenario.digest if fam.OPAQUE else ""),
            simulated.arrays,
            simulated.truth,
            simulated.holdout,
            simulated.predict,
        ),
    )


def few_rows(scenario: Scenario) -> Scenario:
    """The scenario for whoever asks for densities: of generated rows `MOST_ROWS`, and `FEW_ROWS` if read in chunks."""
    settings = dict(scenario.settings)
    in_chunks = settings.pop("chunk_rows", 0)
    most = FEW_ROWS if in_chunks else MOST_ROWS
    if in_chunks and scenario.design is not None:
        first = {name: np.array(values[:most]) for name, values in scenario.design.arrays.items()}
        return replace(scenario, settings=settings, design=replace(scenario.design, arrays=first))
    rows = settings.get("n_obs") or 0
    fewer = [min(n, most) for n in rows] if isinstance(rows, list) else min(rows, most)  # a list: of each group
    if scenario.data or fewer == rows:
        return scenario if settings == scenario.settings else replace(scenario, settings=settings)
    return replace(scenario, settings={**settings, "n_obs": fewer})


def calibration_data(scenario: Scenario, template: Dataset, *, seed: int, number: int) -> Dataset:
    """Data set `number` of a calibration: a truth from the priors, observed at the design of `template`.

    NoReference where a prior is improper.
    """
    fam = family(scenario.family)
    drawn = np.random.default_rng(derive_seed(seed, "calibration", scenario.label, number))
    truth, arrays = fam.prior_predictive(template, drawn)
    start = fam.start(scenario, np.random.default_rng(derive_seed(seed, "start", scenario.label, number)))
    return replace(
        template,
        arrays=arrays,
        start=start,
        truth=truth,
        holdout={},
        predict={},
        digest=_digest(
            template.parameters + template.coordinates, template.priors, template.law + template.link, arrays, truth
        ),
    )


def blocks(parameters: Iterable[Parameter]) -> Iterator[tuple[Parameter, slice]]:
    """Each parameter, and where its scalars lie in a vector of them all."""
    at = 0
    for p in parameters:
        yield p, slice(at, at + p.size)
        at += p.size


def flatten(parameters: Sequence[Parameter], arrays: Arrays) -> Array:
    """{name: (…, *shape)} → (…, scalar), parameters in order."""
    values = [(np.asarray(arrays[p.name], dtype=float), p) for p in parameters]
    return np.concatenate([v.reshape(*v.shape[: v.ndim - len(p.shape)], p.size) for v, p in values], axis=-1)


def moments(fit: Fit) -> tuple[dict[str, Array], dict[str, Array]]:
    """Means, and roots of second central moments, by parameter: of q where VI states them, else of the draws."""
    drawn = {n: np.asarray(d, dtype=float) for n, d in fit.draws.items() if n not in fit.moments}
    means = {n: d.mean(axis=(0, 1)) for n, d in drawn.items()} | {n: m for n, (m, _) in fit.moments.items()}
    return means, {n: d.std(axis=(0, 1)) for n, d in drawn.items()} | {n: s for n, (_, s) in fit.moments.items()}


def _digest(parameters: tuple[Parameter, ...], priors: Mapping[str, Prior], words: str, *groups: Arrays) -> str:
    content = repr((parameters, sorted(priors.items(), key=lambda item: item[0])))
    hashed = hashlib.sha256(f"{content}{words}".encode())
    for group in groups:
        for key in sorted(group):
            array = np.atleast_1d(group[key])
            hashed.update(f"{key}{array.shape}{array.dtype.str}".encode())
            for at in range(0, len(array), HASHED_ROWS):
                hashed.update(np.ascontiguousarray(array[at : at + HASHED_ROWS]).data)
                chunks.forget(array)
    return hashed.hexdigest()[:16]
