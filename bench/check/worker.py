"""A backend tried in this process: one program, built once, that is given several data sets and seeds.

Started by the executor as `python -m bench.check.worker REQUEST.json`; each try is stored as a rep.
"""

from __future__ import annotations

import sys
from typing import Any

from bench.catalog.scenarios import scenario
from bench.cell import cell_of
from bench.check.trials import data_of
from bench.measure.worker import Worker, main


def answer(request: dict[str, Any], *_: Any) -> None:
    """Make the reps of the request's `tries`, {rep: [number of the data set, seed]}."""
    tried = scenario(cell_of(request["cell"]).scenario)
    numbers = {int(rep): number for rep, (number, _) in request["tries"].items()}
    seeds = {int(rep): seed for rep, (_, seed) in request["tries"].items()}
    Worker(request, data=lambda rep: data_of(tried, numbers[rep]), fit_seed=seeds.__getitem__).run()


if __name__ == "__main__":
    main(sys.argv[1], answer)
