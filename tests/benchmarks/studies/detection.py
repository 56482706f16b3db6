"""Which wrong answers do the gates find? `python -m tests.benchmarks.studies.detection`; `--short` takes a minute.

Draws of a reference with a chosen fault go through the functions that score and gate a cell, no process per fit. Prints
the share of cells that are flagged, by reference, budget, reps and fault, with honest draws (independent and
autoregressive) as control; then false alarms of many honest cells in a cheaper simulation on normal scores, against
the level the gates state. Ends with 1 where a joint or shape fault passes, narrowness of 5 % is found in less than
95 % at `standard`, or honest cells are flagged too often.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import signal

from bench.analysis.agreement import ALPHA, LEVEL, POOLED, SINGLE, bounds
from bench.analysis.diagnostics import accuracy, diagnostics, objections
from bench.analysis.tables import RunTables, split
from bench.catalog.scenarios import scenario
from bench.cell import BUDGETS
from bench.data import dataset, family
from bench.reference.cache import reference
from bench.score.across import CellScores
from bench.score.agreement import agreement
from bench.score.curves import Curve, curve
from bench.score.error import error_rows
from bench.score.judged import Deviations, departures
from bench.score.problem import Problem, Row, Scored
from bench.score.scores import chain_rows
from bench.stats.effective import ess
from bench.stats.effective import split as split_chains
from bench.store.manifest import run_of
from bench.types import Array, Fit, Prior
from tests.benchmarks.studies.faults import FAULTS, Fault
from tests.score.test_variational import gaussian, linear

REFERENCES = {
    "linear P=3": "s1-known-noise",
    "correlated": "correlated-rho95",
    "two groups": "s3-best",
    "eight schools": "eight-schools",
    "importance": "logistic",
}
REPS = (1, 2, 5, 15)


def problem(name: str) -> Problem:
    """The first data set of a scenario with its reference."""
    data = dataset(scenario(name, {}), seed=0, rep=0)
    return Problem(data, family(data.family), reference(data))


def scored(problem: Problem, x: Array) -> Scored:
    """A fit of these draws (chain, draw, scalar), kept inside the support."""
    at, draws = 0, {}
    for p in problem.data.parameters:
        values = x[..., at : at + p.size].reshape(*x.shape[:2], *p.shape)
        draws[p.name] = np.clip(values, p.lower + 1e-9, p.upper - 1e-9)
        at += p.size
    return Scored(problem, Fit("mcmc", draws), {"warmup": 1.0, "sample": 1.0}, cold=False)


def correlated(problem: Problem) -> bool:
    """Whether the scalar that `signflip` mirrors is correlated with any other."""
    assert problem.reference is not None
    drawn = problem.flat(problem.reference.draw(4000, np.random.default_rng(0)))
    return bool(np.abs(np.corrcoef(drawn.T)[0, 1:]).max() > 0.1)


def sticky(x: Array, keep: float, rng: np.random.Generator) -> Array:
    """Every draw (chain, draw, scalar) is the one before with probability `keep`: honest, ESS lower by (1+k)/(1−k)."""
    fresh = rng.random(x.shape[:2]) >= keep
    fresh[:, 0] = True
    last = np.maximum.accumulate(np.where(fresh, np.arange(x.shape[1]), 0), axis=1)
    return np.take_along_axis(x, last[..., None], axis=1)


READ = re.compile(r"z|z_effective.*|reference_draws|ess_.*|stuck_parameters|r_hat|p_.*")
"""Metrics that gates of samplers read of a rep."""


class Piece(NamedTuple):
    """One scored fit: what its cell keeps of it."""

    rows: list[Row]
    curve: Curve
    deviations: Deviations | None


def pieces(problem: Problem, fault: Fault, draws: int, keep: float, n: int, seed: int) -> list[Piece]:
    """So many fits of 4 chains with a fault."""
    assert problem.reference is not None
    rng, (mean, sd, _), fits = np.random.default_rng(seed), problem.moments, []
    for _ in range(n):
        x = problem.flat(problem.reference.draw(4 * draws, rng)).reshape(4, draws, -1)
        fit = scored(problem, fault.make(sticky(x, keep, rng), mean, sd, rng))
        rows = [row for group in (chain_rows, error_rows) for row in group(fit) if np.isfinite(row.value)]
        fits.append(Piece(rows, curve(fit), fit.deviations))
    return fits


def flagged(fits: Sequence[Piece], reps: int, cells: int) -> tuple[float, float]:
    """Share of cells of so many reps, drawn from the fits without replacement, that is refused.

    By any gate or the target, and by a gate against the reference alone.
    """
    rng, metrics, plan = np.random.default_rng(0), [], []
    for number in range(cells if reps < len(fits) else 1):
        key, cell = {"cell": str(number), "backend": "b", "scenario": "s", "run": "r"}, CellScores("mcmc", False)
        for rep, i in enumerate(rng.choice(len(fits), size=reps, replace=False)):
            piece = fits[i]
            cell.add(rep, piece.rows, piece.curve, cold=False, deviations=piece.deviations)
            metrics += [key | {"rep": rep, **row._asdict()} for row in piece.rows if READ.fullmatch(row.metric)]
            plan.append(key | {"rep": rep, "round": 0, "status": "ok", "chains": 4, "cold": False})
        metrics += [key | row._asdict() for row in cell.rows()]
    run = run_of({"id": "study", "started": "2000-01-01T00:00:00Z", "seed": 0, "cells": []})
    tables = split(RunTables(run, pd.DataFrame(plan), pd.DataFrame(metrics), pd.DataFrame({"cell": [], "rep": []})))
    gates = [(*diagnostics(one, "mcmc"), *accuracy(one)) for one in tables.values()]
    own = [any(not gate.holds for gate in each if gate.key == "agreement") for each in gates]
    return float(np.mean([bool(objections(each)) for each in gates])), float(np.mean(own))


def table_of_faults(references: Mapping[str, str], budgets: Sequence[str], fits: int, cells: int) -> bool:
    """Print the detection rates; whether what must be found is, and honest draws pass."""
    good = True
    for title, name in references.items():
        this = problem(name)
        for budget in budgets:
            draws = BUDGETS[budget].draws
            reps = [r for r in REPS if 3 * r <= fits]
            print(f"\n{title} ({name}), {budget}: 4 × {draws} draws; share flagged at {reps} reps", flush=True)
            print(" " * 28 + "by any gate or the target; by gates against the reference")
            rows = [(fault, 0.0) for fault in FAULTS] + [("honest", 0.5), ("narrow 5 %", 0.5)]
            for i, (fault, keep) in enumerate(rows):
                made = pieces(this, FAULTS[fault], draws, keep, fits, seed=i)
                rates = [flagged(made, r, cells) for r in reps]
                label = f"{fault} (sticky)" if keep else fault
                shares = "  ".join("".join(f"{rate[kind]:6.2f}" for rate in rates) for kind in (0, 1))
                print(f"  {label:<26}{shares}", flush=True)
                if FAULTS[fault].must and (fault == "skew" or correlated(this)):
                    good &= min(rates)[0] == 1.0
                if fault == "narrow 5 %" and budget == "standard" and reps[-1] == REPS[-1] and not keep:
                    good &= rates[-1][0] >= 0.95
                if fault == "honest":
                    good &= max(rate[1] for rate in rates) == 0.0
    return good


class Honest(NamedTuple):
    """Honest fits: deviations, the least p-value in each, and Σz² with its cumulants, (fit, 4).

    Cumulants are the number of z, Σ tr R² and Σ tr R³.
    """

    deviations: list[Deviations]
    single: list[float]
    squares: Array


def honest(rows: int, n: int, draws: int, phi: float, seed: int) -> Honest:
    """Fits of 4 Gaussian AR(1) chains whose law is exactly the posterior of a linear model with known noise."""
    data, fam = linear(Prior("known", (1.0,)), rho=0.9, n=rows), family("linear")
    this = Problem(data, fam, fam.reference(data))
    mean, precision = gaussian(data)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    rng, together, deviations, squares = np.random.default_rng([seed, rows]), 25, [], []
    functions = this.functions
    for _ in range(n // together):
        e = rng.standard_normal((together, 4, draws, 3)) * np.sqrt(1.0 - phi**2)
        e[:, :, 0] /= np.sqrt(1.0 - phi**2)
        x = mean + signal.lfilter([1.0], [1.0, -phi], e, axis=2) @ root.T
        named = {"weights": x[..., :2], "bias": x[..., 2]}
        blocks = sorted(functions.blocks(named), key=lambda block: block.first)
        values = np.concatenate([block.values for block in blocks], axis=-1)
        series = np.ascontiguousarray(np.moveaxis(values, -1, 1)).reshape(-1, 4, draws)
        effective = ess(split_chains(series)).reshape(together, -1)
        own = ess(split_chains(np.ascontiguousarray(np.moveaxis(x, -1, 1)).reshape(-1, 4, draws))).reshape(together, -1)
        z = (x.mean(axis=(1, 2)) - mean) / x.std(axis=(1, 2), ddof=1) * np.sqrt(own)
        for i in range(together):
            nu, tail = agreement(x[i])
            squares.append((float((z[i] ** 2).sum()), 3.0, 9.0 / nu, (9.0 / nu) ** 1.5 / tail**0.5))
            deviations.append(
                Deviations(
                    functions.labels, functions.names, values[i].mean(axis=(0, 1)), effective[i], 4 * draws,
                    functions.moments,
                )
            )  # fmt: skip
    single = [min(d.p for d in departures([fit], shared=True) if d.group in SINGLE) for fit in deviations]
    return Honest(deviations, single, np.array(squares))


LEVELS = (1, 10, 100)
"""Times the level that the gates have."""


def false_alarms(fits: Honest, reps: int) -> Array:
    """How many cells of so many consecutive fits are flagged at LEVELS times the gates' level, by kind of test.

    (level, kind): Σz², a single rep, all reps together, any.
    """
    count = np.zeros((len(LEVELS), 4))
    for first in range(0, len(fits.deviations) - reps + 1, reps):
        these = slice(first, first + reps)
        total, *cumulants = fits.squares[these].sum(axis=0)
        together = min(d.p for d in departures(fits.deviations[these], shared=True) if d.group in POOLED)
        for i, times in enumerate(LEVELS):
            low, high = bounds(*cumulants, times * LEVEL)
            kinds = [
                not low <= total <= high,
                min(fits.single[these]) * reps <= times * LEVEL,
                together <= times * LEVEL,
            ]
            count[i] += [*kinds, any(kinds)]
    return count


def table_of_honest(seconds: float) -> bool:
    """Print the rates of false alarms after so many seconds of simulation; whether they are near what is stated."""
    settings = [(500, 0.0), (500, 0.67), (1000, 0.8)]
    counts = {(setting, reps): np.zeros((len(LEVELS), 4)) for setting in settings for reps in (1, 2, 5, 15)}
    cells = dict.fromkeys(counts, 0)
    start, seed = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        for setting in settings:
            fits = honest(60 + seed, 300, *setting, seed)
            for reps in (1, 2, 5, 15):
                counts[setting, reps] += false_alarms(fits, reps)
                cells[setting, reps] += len(fits.deviations) // reps
        seed += 1
    print("\nFalse alarms of honest cells, P=3, AR(1); per level: Σz², single rep, all reps, any")
    total, number = np.zeros((len(LEVELS), 4)), 0
    for ((draws, phi), reps), count in counts.items():
        n = cells[(draws, phi), reps]
        rates = "; ".join(
            f"{times * ALPHA:g}: " + " ".join(f"{value / n:.2g}" for value in row)
            for times, row in zip(LEVELS, count, strict=True)
        )
        print(f"  4 × {draws}, φ {phi}, {reps} reps, {n} cells: {rates}", flush=True)
        total, number = total + count, number + n
    print(f"  all {number} cells: " + "; ".join(
        f"stated {times * ALPHA:g}, found {row[-1] / number:.2g}" for times, row in zip(LEVELS, total, strict=True)
    ))  # fmt: skip
    return bool(total[0, -1] / number <= 1e-3)


def main() -> int:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="one reference, quick and standard, fewer fits")
    parser.add_argument("--seconds", type=float, default=600.0, help="of the simulation of honest cells")
    parser.add_argument("--fits", type=int, default=45, help="fits per fault, from which cells are drawn")
    parser.add_argument("--references", nargs="*", default=list(REFERENCES), choices=list(REFERENCES))
    parser.add_argument("--budgets", nargs="*", default=["quick", "standard", "thorough"], choices=list(BUDGETS))
    chosen = parser.parse_args()
    if chosen.short:
        chosen.references, chosen.budgets, chosen.fits, chosen.seconds = ["correlated"], ["quick"], 6, 20.0
    named = {title: REFERENCES[title] for title in chosen.references}
    good = table_of_faults(named, chosen.budgets, chosen.fits, cells=40)
    return int(not (table_of_honest(chosen.seconds) and good))


if __name__ == "__main__":
    sys.exit(main())
