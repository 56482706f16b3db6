"""The densities of one framework, in one precision on one device, in this process.

Started by the executor as `python -m bench.verify.worker REQUEST.json`; whatever it prints is the log. Its answers are
lines of a file: the first for the import, then one per task.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog.scenarios import scenario
from bench.data import dataset, few_rows
from bench.measure.contender import load, verdict
from bench.measure.runtime import runtime_of
from bench.measure.worker import main
from bench.store.ledger import Ledger
from bench.types import Array, Dataset, Place
from bench.verify import sharp
from bench.verify.wire import ANSWERS, packed, unpacked

CHUNK = 10_000_000
"""Observations × points that a framework is given at once."""


def answer(request: dict[str, Any], *_: Any) -> None:
    """Import the framework, say whether that went well, then answer the tasks one by one; or judge methods."""
    answers = Ledger(Path(request["folder"]) / ANSWERS)
    if "methods" in request:
        sharp.answer(request, answers)
        return
    place = Place(request["device"], request["dtype"], request["threads"])
    try:
        framework = request["framework"].partition("@")[0]
        load(framework, place, "matched", [f"{framework}.models"])
        runtime_of(framework).start(place)
        models = importlib.import_module(f"backends.{framework}.models")
    except Exception as error:  # noqa: BLE001 -- a framework may raise anything; it becomes the verdict
        status, reason = verdict(error)
        traceback.print_exc()
        answers.append({"verdict": status, "reason": reason})
        return
    answers.append({"verdict": "", "reason": ""})
    for task in request["tasks"]:
        answers.append(evaluate(models, task, place, answers.path.parent))


def evaluate(models: Any, task: dict[str, Any], place: Place, along: Path) -> dict[str, Any]:
    """Value and gradient at the task's points, or why there are none; the folder `along` may bring its scenario."""
    chosen = few_rows(scenario(task["scenario"], task["overrides"], along))
    data = dataset(chosen, seed=task["seed"], rep=0).observed()
    if data.digest != task["digest"]:
        return {"verdict": "failed", "reason": "the data differ from those of the process that asked"}
    z = unpacked(task["points"])
    try:
        value, gradient = density(models, data, z.reshape(-1, data.dim), place)
    except Exception as error:  # noqa: BLE001 -- a framework may raise anything; it becomes the verdict
        traceback.print_exc()
        lacking = {data.family: "family", **{prior.name: "prior" for prior in data.priors.values()}}
        status, reason = verdict(error)
        if isinstance(error, KeyError) and error.args[0] in lacking:
            status, reason = "unsupported", f"its models have no {lacking[error.args[0]]} {error.args[0]}"
        return {"verdict": status, "reason": reason}
    arrays = {"value": value.reshape(z.shape[:-1]), "gradient": gradient.reshape(z.shape)}
    return {"verdict": "", "reason": "", **{name: packed(array) for name, array in arrays.items()}}


def density(models: Any, data: Dataset, z: Array, place: Place) -> tuple[Array, Array]:
    """Value (m,) and gradient (m, dim) at z, a few points at a time; ValueError for other shapes."""
    step = max(1, CHUNK // data.rows)
    parts = [models.log_density(data, z[at : at + step], place) for at in range(0, len(z), step)]
    value, gradient = (np.concatenate([np.asarray(part[i], np.float64) for part in parts]) for i in (0, 1))
    if value.shape != z.shape[:1] or gradient.shape != z.shape:
        raise ValueError(f"log_density gave shapes {value.shape} and {gradient.shape} for points {z.shape}")
    return value, gradient


if __name__ == "__main__":
    main(sys.argv[1], answer)
