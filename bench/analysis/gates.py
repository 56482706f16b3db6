"""The state of a cell: what happened to its reps, and whether its diagnostics allow it to be ranked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bench.analysis.agreement import disagreement
from bench.analysis.columnar import Scores, largest, means, medians, sums
from bench.analysis.contender import TARGET
from bench.analysis.tables import CellTables
from bench.words import format as fmt

ESS, ESS_PER_CHAIN = 400, 100
K_HAT = 0.7
E_BFMI = 0.3
AT_OPTIMUM = 1e-3
R_HAT, R_HAT_MANY, MANY, R_HAT_ANY = 1.01, 1.02, 20, 1.05


def state_of(cell: CellTables, kind: str) -> tuple[str, str]:
    """A state of the verdict's vocabulary and its reason (empty where there is nothing to explain)."""
    if cell.finished < cell.planned:
        bad = cell.fits[cell.fits["status"] != "ok"]
        if not cell.finished:
            worst = Counter(map(str, bad["status"])).most_common(1)[0][0]
            return worst, _reasons(bad)
        return "part of reps", f"{cell.finished} of {cell.planned} reps finished; {_reasons(bad, status=True)}"
    if kind == "exact":
        return "reference", ""
    if kind == "point":
        return "point", _unfinished(cell)
    failed = list(diagnostics(cell, kind))
    if failed:
        return "not converged", "; ".join(failed)
    error = cell.b2_max
    if error is None:
        return "unchecked", "no reference posterior to be judged by"
    floor = cell.error_floor
    if floor >= TARGET:
        return "unchecked", f"the reference is itself worth {1.0 / floor:.0f} draws: b² below {floor:.2g} says nothing"
    if not error < TARGET:
        return "off target", f"b²_max {fmt.error(error)}, target {TARGET}"
    return "met", ""


def _unfinished(cell: CellTables) -> str:
    """A sentence where a point method did not end at the optimum of its own objective in every rep."""
    distance = cell.scores("optimum_distance_sd").value
    if not len(distance) or distance.max() < AT_OPTIMUM:
        return ""
    return f"ended {fmt.significant(float(distance.max()), 2)} posterior sd from the optimum of its own objective"


def diagnostics(cell: CellTables, kind: str) -> Iterator[str]:
    """The gates that a cell fails, in words with the number that failed; only chains must have an R-hat."""
    r_hat, chains = cell.scores("r_hat"), cell.scores("stuck_parameters")
    stuck = _total(chains) if len(chains.value) else 0.0
    if stuck > 0.0:
        yield f"{stuck:.0f} parameters with a chain that never moves"
    elif kind == "mcmc" and not len(r_hat.value):
        yield "no R-hat could be computed"
    if len(r_hat.value):
        worst = largest(r_hat.rep, r_hat.value)
        limit = R_HAT_MANY if len(np.unique(r_hat.part)) > MANY else R_HAT
        if np.median(worst) >= limit or worst.max() >= R_HAT_ANY:
            # Two digits after the point would print a failing 1.012 as "1.01".
            yield f"R-hat {worst.max() if worst.max() >= R_HAT_ANY else np.median(worst):.3f}"
    needed = max(ESS, ESS_PER_CHAIN * cell.chains)
    for metric, name in (("ess_bulk", "bulk ESS"), ("ess_tail", "tail ESS")):
        rows = cell.scores(metric)
        if len(rows.value) and (least := float(means(rows.part, rows.value).min())) < needed:
            yield f"{name} {fmt.significant(least)}, {needed} needed"
    for metric, name in (("divergences", "divergences"), ("treedepth_hits", "transitions at the largest tree depth")):
        rows = cell.scores(metric)
        if len(rows.value) and (most := _total(rows)) > 0:
            yield f"{fmt.significant(most)} {name} per 1000 draws"
    e_bfmi = cell.scores("e_bfmi").value
    if len(e_bfmi) and e_bfmi.min() <= E_BFMI:
        yield f"E-BFMI {fmt.significant(float(e_bfmi.min()), 2)}"
    if kind == "vi":
        yield from _weights(cell)
    if off := disagreement(cell):
        yield off


def _weights(cell: CellTables) -> Iterator[str]:
    """Whether q can be told, and is, close enough to the posterior to be corrected by its importance weights."""
    k_hat = cell.median("k_hat")
    ratios = cell.scores("log_ratios_lost")
    lost = _total(ratios) if len(ratios.value) else 0.0
    if lost > 0.0:
        yield f"{lost:.0f} draws of q on a bound of the support"
    elif k_hat is None:
        yield "no k-hat: the density of q is not stated"
    elif k_hat >= K_HAT:
        mass = cell.scores("mass_90")
        least = min(medians(mass.part.astype(np.float64), mass.value).values(), default=None)
        held = "" if least is None else f", 90 % intervals that hold {fmt.share(least)} of the posterior"
        yield f"k-hat {fmt.significant(k_hat, 2)}, below {K_HAT} needed{held}"


def _total(rows: Scores) -> float:
    """The most of one rep."""
    return float(sums(rows.rep, rows.value).max())


def _reasons(bad: pd.DataFrame, *, status: bool = False) -> str:
    counted: Counter[str] = Counter()
    for word, why in zip(bad["status"], bad["reason"], strict=True):
        why = str(why) if isinstance(why, str) and why else "no reason was recorded"
        counted[f"{word}: {why}" if status else why] += 1
    return "; ".join(f"{n}× {why}" if n > 1 and status else why for why, n in counted.most_common())
