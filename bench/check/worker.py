"""A backend tried in this process: one program, built once, that is given several data sets and seeds.

Started by bench.check.backend as `python -m bench.check.worker REQUEST.json`; each try is stored as a rep.
"""

from __future__ import annotations

import sys
from typing import Any

from bench.check.trials import data_of
from bench.measure import worker
from bench.store.folder import Record
from bench.types import Dataset


class Trier(worker.Worker):
    """Reps whose data set and seed are those of the request's `tries`: [[number of the data set, seed], …]."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.tries = {int(rep): (int(number), int(seed)) for rep, (number, seed) in request["tries"].items()}

    def data(self, rep: int) -> Dataset:
        """The data set of that try."""
        return data_of(self.scenario, self.tries[rep][0])

    def _record(self, rep: int, *, cold: bool) -> Record:
        record = super()._record(rep, cold=cold)
        record.fit_seed = self.tries[rep][1]
        return record


if __name__ == "__main__":
    worker.main(sys.argv[1], lambda request: Trier(request).run())
