"""Fits of one cell in this process that go on until their error meets a target, judged while they are made.

Started by the executor as `python -m bench.score.until REQUEST.json`; otherwise as `bench.measure.worker`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.data import family, flatten
from bench.errors import NoReference
from bench.measure import residency
from bench.measure.worker import Worker, main
from bench.protocols import Reference
from bench.reference.cache import reference
from bench.score.functions import Functions
from bench.score.marginals import LEVELS
from bench.score.squares import b2, judged_b2
from bench.types import Array, Arrays, Dataset, Estimate, Scenario


class Judge:
    """The worst b² of answers to one data set: of means, squares, shapes and joint functions, as `b2_max` has it."""

    def __init__(self, data: Dataset, reference: Reference) -> None:
        self._flat = partial(flatten, data.parameters)
        squares = reference.centred_square_variance
        self._moments = self._flat(reference.mean), self._flat(reference.sd), self._flat(squares)
        quantiles = self._flat({name: reference.quantile(name, LEVELS) for name in data.names})
        self.functions = Functions(data, family(data.family), reference, quantiles)
        self._made = 0
        self._first, self._second = (np.zeros(data.dim) for _ in range(2))
        self._judged = np.zeros(len(self.functions))

    def more(self, draws: Arrays) -> float:
        """Of all draws so far, of which {parameter: (chain, draw, *shape)} are the latest: sums are kept, not draws."""
        centred = self._flat(draws) - self._moments[0]
        self._made += centred[..., 0].size
        self._first += centred.sum(axis=(0, 1))
        self._second += (centred**2).sum(axis=(0, 1))
        for block in self.functions.blocks(draws):
            place = slice(block.first, block.first + block.values.shape[-1])
            self._judged[place] += block.values.sum(axis=(0, 1))
        mean = self._first / self._made
        sd = np.sqrt(np.maximum(self._second / self._made - mean**2, 0.0))
        return self._worst(mean + self._moments[0], sd, self._judged / self._made)

    def answer(self, estimate: Estimate) -> float:
        """Of a point, or of q: of its draws, where it gives any, only if its moments leave a chance."""
        mean = self._flat(estimate.mean)
        sd = np.zeros_like(mean) if estimate.sd is None else self._flat(estimate.sd)
        worst = self._worst(mean, sd)
        if estimate.draws is None or not worst < 1.0:
            return worst
        values = np.concatenate([block.values.mean(axis=0) for block in self.functions.blocks(estimate.draws())])
        return max(worst, self._worst(mean, sd, values))

    def _worst(self, mean: Array, sd: Array, judged: Array | None = None) -> float:
        squared = b2(mean, sd, self._moments)
        if judged is not None:
            squared = np.concatenate([squared, judged_b2(self.functions, judged[None])[0]])
        return float(squared.max())


def judge(target: float, scenario: Scenario, data: Dataset) -> Judge:
    """Who judges fits to these data; NoReference where nobody can tell an error of `target`.

    References that are dear were made before the fits, and are read here.
    """
    if "draws" in scenario.reference:
        raise NoReference(
            "its reference are draws, which are held to rules when fits are scored; until needs one that "
            "is known before: bench reference"
        )
    known = reference(data, scenario.reference_file)
    made = Judge(data, known)
    worth = min(known.n_effective, made.functions.own_draws)
    if target * worth <= 1.0:
        raise NoReference(f"an error of {target:g} cannot be told: the reference is itself worth {worth:.0f} draws")
    return made


def answer(request: dict[str, Any], imported: float = 0.0, mapped: Sequence[residency.Mapped] = ()) -> None:
    """Make the reps of a request, as `bench.measure.worker.answer`."""
    Worker(request, imported=imported, mapped=mapped, judge=judge).run()


if __name__ == "__main__":
    main(sys.argv[1], answer)
