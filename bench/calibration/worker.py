"""Many data sets of one cell in this process: one program, built and compiled once, fits them all.

Started by the study as `python -m bench.calibration.worker REQUEST.json`; each finished data set is a line in a ledger.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibration.ranks import place
from bench.calibration.trial import Trial
from bench.data import calibration_data, dataset, family
from bench.measure import worker
from bench.measure.clock import WallClock
from bench.store.folder import Record
from bench.store.ledger import Ledger
from bench.types import Dataset, Fit, derive_seed


class Calibrator(worker.Worker):
    """The fits of a cell to data sets whose truths come from the prior."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.ledger = Ledger(Path(request["ledger"]))
        self.template = dataset(self.scenario, seed=request["seed"], rep=0)

    def run(self) -> None:
        """Make every data set asked for; where there is no program, what was said of the first holds for all."""
        numbers = self.request["datasets"]
        for i, number in enumerate(numbers):
            trial = self.trial(number, first=i == 0)
            self.ledger.append(trial.entry())
            if self.program is None:
                for left in numbers[i + 1 :]:
                    self.ledger.append(replace(trial, number=left, seconds={}, first=False).entry())
                return

    def data(self, rep: int) -> Dataset:
        """The data set of that number, with its truth."""
        return calibration_data(self.scenario, self.template, seed=self.request["seed"], number=rep)

    def trial(self, number: int, *, first: bool) -> Trial:
        """Fit one data set and find the place of its truth."""
        record, trial, clock = self._record(number, cold=first), Trial(number, "failed", first=first), WallClock()
        before = 0.0
        try:
            if self.method is None:
                self.start()
            before = self.runtime.compile_seconds()
            clock = WallClock(synchronize=self.runtime.synchronize, compile_seconds=self.runtime.compile_seconds)
            fit, data = self.rep(record, clock)
            trial.status, trial.reason = self.judge(record, fit, data, clock)
            if trial.status == "ok":
                self._place(trial, fit, data)
        except Exception as error:  # noqa: BLE001 -- a contender may raise anything; it becomes its row
            trial.status, trial.reason = worker.verdict(error)
            traceback.print_exc()
        trial.seconds = dict(clock.seconds) | ({"import": self.import_seconds} if first else {})
        after = self.runtime.compile_seconds() if self.runtime is not None else 0.0
        trial.compiled = max(after - before, clock.seconds.get("compile", 0.0))
        trial.fit_seed, trial.data_digest, trial.notes = record.fit_seed, record.data_digest, record.notes
        trial.data_seed = derive_seed(self.request["seed"], "calibration", self.scenario.label, number)
        trial.measured_at = record.measured_at
        return trial

    def _place(self, trial: Trial, fit: Fit, data: Dataset) -> None:
        axes = ("ties", self.scenario.label, self.cell.backend_label, trial.number)
        ties = np.random.default_rng(derive_seed(self.request["seed"], *axes))
        trial.draws = int(np.prod(next(iter(fit.draws.values())).shape[:2]))
        if "diverging" in fit.stats:
            trial.divergences = int(np.sum(fit.stats["diverging"]))
        try:
            trial.placed = place(fit, data, family(data.family), ties)
        except ValueError as error:
            trial.status, trial.reason = "invalid", f"unusable draws: {error}"

    def finish(self, record: Record, fit: Fit | None, clock: WallClock) -> None:
        """Nothing: a calibration keeps no draws."""
        raise NotImplementedError("a calibration's fits are lines of its ledger")


if __name__ == "__main__":
    worker.main(sys.argv[1], lambda request: Calibrator(request).run())
