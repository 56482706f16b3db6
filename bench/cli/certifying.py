"""How `bench reference` makes long runs, holds them against the rules, and stores what keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from bench import pipeline, plan
from bench.cli import FAILED, INTERRUPTED, OK, options, output, signals
from bench.cli.progress import RunProgress
from bench.cli.slots import slots
from bench.data import dataset, flatten
from bench.errors import NoReference, UsageError
from bench.measure.cluster import opening
from bench.reference import stored as files
from bench.score import certified
from bench.score.certified import Sampled
from bench.score.stored import load_fit, stored_fits
from bench.selected import Scenarios
from bench.selection import parse
from bench.store.folder import RunFolder
from bench.types import Dataset, Scenario, bracketed


def make(
    selector: str,
    backends: Sequence[str],
    counts: Mapping[str, int],
    chosen: dict[str, Any],
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Long runs of these samplers, and the reference they give; exits with the code of the outcome."""
    scenario = _one(selector)
    budget = {key: counts[key] for key in ("chains", "warmup", "draws")}
    long = [bracketed(parsed.name, {**budget, **parsed.values}) for parsed in map(parse, backends)]
    reps = 1 if scenario.fixed_data else counts["datasets"]
    named = {key: value for key, value in chosen.items() if value is not None}
    named |= {"scenario": [selector], "backend": long, "reps": reps, "rounds": 1}
    if opening.known(named.get("executor")) != opening.LOCAL:
        named |= {"reps": 1, "rounds": reps}  # a child for each data set, which another slot may make
    planned, limits = plan.make(options.choice(named)), options.limits(named)
    if len({p.backend.name for p in planned.cells}) < 2:
        few = "a reference needs two samplers at least, not one with other options"
        raise UsageError(f"{few}: as in -b numpyro.nuts -b torch.nuts")
    if kinds := [p.backend.name for p in planned.cells if p.kind != "mcmc"]:
        raise UsageError(f"{', '.join(kinds)}: a reference is made by samplers, of kind mcmc")
    jobs = list(planned.jobs())
    with (
        signals.patience(),
        slots(named, planned, limits, quiet=as_json) as executor,
        pipeline.begun(chosen["results"], chosen["name"], planned, named) as (folder, manifest),
        RunProgress(jobs, quiet=as_json) as progress,
    ):
        finished = pipeline.fit(
            folder, planned, jobs, limits, manifest, progress, score=False, executor=executor, timed=False
        )
    if not finished:
        raise typer.Exit(INTERRUPTED)
    states, found = {}, list[str]()
    for rep in range(reps):
        data = dataset(scenario, seed=planned.seed, rep=rep)
        sampled, wrong = _sampled(folder, data, rep)
        wrong = wrong or certified.faults(sampled, data.parts)
        if not wrong:
            states[data.digest] = certified.state(sampled, np.random.default_rng(0))
            wrong = certified.poor(states[data.digest])
        found += [f"data set {rep}: {fault}" if reps > 1 else fault for fault in wrong]
    _conclude(scenario, states, found, out, as_json=as_json)


def bring(selector: str, file: Path, out: Path | None, seed: int, *, as_json: bool) -> None:
    """The reference that draws of the user's give; exits with the code of the outcome."""
    scenario = _one(selector)
    data = dataset(scenario, seed=seed, rep=0)
    sampled = [certified.read(file, data)]
    found = certified.faults(sampled, data.parts, alone=True)
    states = {}
    if not found:
        states[data.digest] = certified.state(sampled, np.random.default_rng(0))
        found = certified.poor(states[data.digest])
    _conclude(scenario, states, found, out, as_json=as_json)


def _one(selector: str) -> Scenario:
    listed = list(Scenarios([selector]))
    if len(listed) != 1:
        raise UsageError(f"{selector} means {len(listed)} scenarios; a reference is made for one")
    return listed[0]


def _sampled(folder: RunFolder, data: Dataset, rep: int) -> tuple[list[Sampled], list[str]]:
    """What each sampler gave for this data set, or why one gave nothing."""
    sampled, wrong = [], []
    for stored in stored_fits(folder):
        record = stored.record
        if record.rep != rep:
            continue
        label = f"{stored.entry.backend}"
        if record.status != "ok":
            wrong.append(f"{label} ended {record.status}: {record.reason}")
        elif record.data_digest != data.digest:
            wrong.append(f"{label} saw other data than are there now")
        else:
            fit, _ = load_fit(folder, stored, data)
            per_draw = {name: fit.stats.get(name) for name in ("diverging", "energy")}
            sampled.append(Sampled(label, flatten(data.parameters, fit.draws), **per_draw))
    return sampled, wrong


def _conclude(
    scenario: Scenario, states: Mapping[str, Mapping[str, Any]], found: list[str], out: Path | None, *, as_json: bool
) -> None:
    file = out or scenario.reference_file or Path(scenario.file).parent / f"{scenario.name}.reference.npz"
    if not found:
        try:
            files.save(file, states)
        except (OSError, NoReference) as error:
            raise UsageError(f"{file} cannot be written: {error}") from None
    code = FAILED if found else OK
    worth = [float(state["n_effective"]) for state in states.values()] if not found else []
    if as_json:
        output.print_json({"faults": found, "file": None if found else str(file), "worth": worth, "exit": code})
    elif found:
        for fault in found:
            output.OUT.print(f"no reference: {fault}")
    else:
        for state in states.values():
            output.OUT.print(f"stored: {state['method']}")
        output.OUT.print(f"in {file}")
        if scenario.reference_file is None:
            output.OUT.print("the scenario uses it by these lines in its file:")
            output.OUT.print(f"  [reference]\n  file = {json.dumps(file.name)}")
    raise typer.Exit(code)
