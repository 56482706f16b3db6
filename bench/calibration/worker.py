"""Many data sets of one cell in this process: one program, built and compiled once, fits them all.

Started by the executor as `python -m bench.calibration.worker REQUEST.json`; each finished data set is a line of the
cell's ledger.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibration.ranks import place
from bench.calibration.trial import Trial
from bench.catalog.scenarios import scenario
from bench.cell import cell_of
from bench.data import calibration_data, dataset, family
from bench.measure.contender import Attempt, Contender, print_error, verdict
from bench.measure.worker import main
from bench.store.folder import CalibrationFolder
from bench.store.records import now
from bench.types import Dataset, Fit, derive_seed


class Calibrator:
    """The fits of a cell to data sets whose truths come from the prior."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.seed, self.numbers = request["seed"], request["datasets"]
        self.cell = cell_of(request["cell"])
        self.scenario = scenario(self.cell.scenario, dict(self.cell.overrides), Path(request["folder"]))
        self.contender = Contender(self.cell, request["threads"])
        self.ledger = CalibrationFolder(Path(request["folder"])).ledger(self.cell.id)
        self.template = dataset(self.scenario, seed=self.seed, rep=0)

    def run(self) -> None:
        """Fit every data set; where no program could be built, all others end as the first did, untried."""
        for i, number in enumerate(self.numbers):
            trial = self.trial(number, first=i == 0)
            self.ledger.append(trial.entry())
            if self.contender.program is None:
                for left in self.numbers[i + 1 :]:
                    self.ledger.append(replace(trial, number=left, seconds={}, first=False).entry())
                return

    def trial(self, number: int, *, first: bool) -> Trial:
        """Fit one data set and find the place of its truth."""
        trial = Trial(
            number,
            "failed",
            first=first,
            measured_at=now(),
            data_seed=derive_seed(self.seed, "calibration", self.scenario.label, number),
            fit_seed=derive_seed(self.seed, "fit", self.cell.backend_label, number),
        )
        attempt = self.contender.attempt(lambda: self._data(number), trial.fit_seed or 0, cold=first)
        print_error(attempt)
        trial.status, trial.reason = attempt.status, attempt.reason
        self._book(trial, attempt)
        return trial

    def _data(self, number: int) -> Dataset:
        """The data set of that number, with its truth."""
        return calibration_data(self.scenario, self.template, seed=self.seed, number=number)

    def _book(self, trial: Trial, attempt: Attempt) -> None:
        trial.seconds = dict(attempt.clock.seconds)
        if trial.first:
            trial.seconds["import"] = self.contender.import_seconds
        trial.compiled, trial.notes = attempt.compiled, attempt.notes
        if attempt.data is not None:
            trial.data_digest = attempt.data.digest
        if trial.status == "ok" and attempt.data is not None and attempt.fit is not None:
            try:
                self._place(trial, attempt.fit, attempt.data)
            except ValueError as error:
                trial.status, trial.reason = "invalid", f"unusable draws: {error}"
            except Exception as error:  # noqa: BLE001 -- statistics of a contender may be anything
                trial.status, trial.reason = verdict(error)

    def _place(self, trial: Trial, fit: Fit, data: Dataset) -> None:
        axes = ("ties", self.scenario.label, self.cell.backend_label, trial.number)
        ties = np.random.default_rng(derive_seed(self.seed, *axes))
        trial.draws = int(np.prod(next(iter(fit.draws.values())).shape[:2]))
        if "diverging" in fit.stats:
            trial.divergences = int(np.sum(fit.stats["diverging"]))
        trial.placed = place(fit, data, family(data.family), ties)


def answer(request: dict[str, Any], *_: Any) -> None:
    """Fit the data sets of a request."""
    Calibrator(request).run()


if __name__ == "__main__":
    main(sys.argv[1], answer)
