"""The gates that a cell must pass to be ranked, each with the number that its limit is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.analysis.agreement import LEVEL, POOLED, Departed, agreement, departed
from bench.analysis.columnar import Scores, largest, medians, sums
from bench.analysis.contender import TARGET
from bench.analysis.tables import CellTables
from bench.words import format as fmt

ESS, ESS_PER_CHAIN = 400, 100
K_HAT = 0.7
E_BFMI = 0.3
AT_OPTIMUM = 1e-3
R_HAT, R_HAT_MANY, MANY, R_HAT_ANY = 1.01, 1.02, 20, 1.05
FEW = 1e-3
"""Share of all draws up to which divergences are few: a warning where the answer is the reference's, else too many."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """The value of a gate as text, what it allows (`< 1.01`), and the sentence that objects where it does not hold.

    Diagnostics of one gate have the same `key`. One that holds may still come with a `warning`. An empty `limit`
    allows anything.
    """

    key: str
    name: str
    value: str
    limit: str
    holds: bool
    sentence: str
    warning: str = ""


def diagnostics(cell: CellTables, kind: str) -> tuple[Diagnostic, ...]:
    """Every gate of a cell that something is known of, or that must have a number; none of an exact posterior."""
    if kind == "exact" or not cell.finished:
        return ()
    if kind == "point":
        return tuple(_optimum(cell))
    gates = (*_chains(cell, kind), *(_weights(cell) if kind == "vi" else ()), *_agreement(cell))
    return (*gates, *_divergences(cell, gates), *_depth(cell))


def objections(gates: tuple[Diagnostic, ...]) -> str:
    """The sentences of those that do not hold, in one; empty where all hold."""
    return "; ".join(dict.fromkeys(gate.sentence for gate in gates if not gate.holds))


def warnings(gates: tuple[Diagnostic, ...]) -> str:
    """What those that hold warn of, in one sentence; empty where none does."""
    return "; ".join(gate.warning for gate in gates if gate.holds and gate.warning)


def accuracy(cell: CellTables) -> tuple[Diagnostic, ...]:
    """b²_max against the error target; none without a reference."""
    error = cell.b2_max
    if error is None:
        return ()
    sentence = f"b²_max {fmt.error(error)}, target {TARGET}"
    judged = Diagnostic("error", "error b²_max", shown_error(cell), f"< {TARGET}", error < TARGET, sentence)
    met = cell.scores("target_met").value
    if not len(met):
        return (judged,)
    missed, of = int((met < 1.0).sum()), len(met)
    sentence = f"{missed} of {of} fits did not meet the target they ran until"
    return (judged, Diagnostic("met", "fits that met their target", f"{of - missed}", f"{of}", not missed, sentence))


def shown_error(cell: CellTables) -> str:
    """b²_max in two digits, or the reference's own error where that is larger."""
    floor, error = cell.error_floor, cell.b2_max
    return fmt.error(error) if error is None or error >= floor else f"< {fmt.error(floor)}"


def _optimum(cell: CellTables) -> Iterator[Diagnostic]:
    """Whether a point method ended at the optimum of its own objective in every rep."""
    distances = cell.scores("optimum_distance_sd").value
    if len(distances):
        farthest = float(distances.max())
        text = fmt.significant(farthest, 2)
        yield Diagnostic(
            "optimum", "distance from the optimum of its own objective, posterior sd", text, f"< {AT_OPTIMUM}",
            farthest < AT_OPTIMUM, f"ended {text} posterior sd from the optimum of its own objective",
        )  # fmt: skip


def _chains(cell: CellTables, kind: str) -> Iterator[Diagnostic]:
    stuck = _most(cell.scores("stuck_parameters"))
    if stuck is not None:
        name = "parameters with a chain that never moves"
        yield Diagnostic("stuck", name, f"{stuck:.0f}", "0", stuck <= 0.0, f"{stuck:.0f} {name}")
    r_hat, nested = cell.scores("r_hat"), cell.scores("r_hat_nested")
    many = len(nested.value) > 0
    if many:
        yield from _r_hat(nested, "nested R-hat")
    elif len(r_hat.value):
        yield from _r_hat(r_hat, "R-hat")
    elif kind == "mcmc" and not stuck:
        yield Diagnostic("r_hat", "R-hat", "none", f"< {R_HAT}", False, "no R-hat could be computed")
    needed = ESS if many else max(ESS, ESS_PER_CHAIN * cell.chains)
    for metric, name in (("ess_bulk", "bulk ESS"), ("ess_tail", "tail ESS")):
        least = cell.least_mean(metric)
        if least is not None:
            text = fmt.significant(least)
            sentence = f"{name} {text}, {needed} needed"
            yield Diagnostic("ess", f"{name}, least", text, f"≥ {needed:,}", least >= needed, sentence)
    e_bfmi = cell.scores("e_bfmi").value
    if len(e_bfmi):
        text = fmt.significant(float(e_bfmi.min()), 2)
        yield Diagnostic("e_bfmi", "E-BFMI, least", text, f"> {E_BFMI}", e_bfmi.min() > E_BFMI, f"E-BFMI {text}")


def _divergences(cell: CellTables, others: tuple[Diagnostic, ...]) -> Iterator[Diagnostic]:
    """Of all reps together; few are no objection where every other gate holds, that of the answer among them.

    Without a reference they leave only a warning: nothing is ranked there.
    """
    count = _counted(cell, "divergences")
    if count is None:
        return
    share, text = count
    agrees = cell.b2_max is None or any(gate.key.startswith("agreement") for gate in others)
    holds = share == 0.0 or (share <= FEW and agrees and all(gate.holds for gate in others))
    limit = f"0, or up to 1 in {1 / FEW:,.0f} where the answer agrees with the reference"
    sentence = f"{text} diverged" + (f", more than 1 in {1 / FEW:,.0f}" if share > FEW else "")
    agreeing = ", and the answer agrees with the reference" if cell.b2_max is not None else ""
    warning = f"{sentence}{agreeing}" if share else ""
    yield Diagnostic("divergences", "divergences", text, limit, holds, sentence, warning)


def _depth(cell: CellTables) -> Iterator[Diagnostic]:
    """Trajectories cut short by the depth limit cost time and leave the target as it is: no matter of validity."""
    if (count := _counted(cell, "treedepth_hits")) is not None:
        share, text = count
        sentence = f"{text} stopped at the largest tree depth: it costs time, not validity" if share else ""
        yield Diagnostic("treedepth_hits", "stopped at the largest tree depth", text, "", True, sentence, sentence)


def _counted(cell: CellTables, metric: str) -> tuple[float, str] | None:
    """Share of all draws, and `1 of 24,000 draws`; where draws were not counted `0.2 in 1,000 draws`."""
    events, draws = cell.scores(metric), cell.scores("draws")
    if not len(events.value):
        return None
    sizes = dict(zip(draws.rep.tolist(), draws.value.tolist(), strict=True))
    if any(rep not in sizes for rep in events.rep.tolist()):
        mean = float(events.value.mean())
        return mean / 1000.0, f"{fmt.significant(mean)} in 1,000 draws"
    of = np.array([sizes[rep] for rep in events.rep.tolist()])
    number, total = round(float((events.value * of).sum()) / 1000.0), float(of.sum())
    return number / total, f"{number:,} of {total:,.0f} draws"


def _r_hat(r_hat: Scores, name: str) -> Iterator[Diagnostic]:
    """Of each rep its largest: their median is held against a narrow limit, the largest of all against a wide one."""
    worst = largest(r_hat.rep, r_hat.value)
    middle, most = float(np.median(worst)), float(worst.max())
    limit = R_HAT_MANY if len(np.unique(r_hat.part)) > MANY else R_HAT
    # Two digits after the point would print a failing 1.012 as "1.01".
    sentence = f"{name} {most if most >= R_HAT_ANY else middle:.3f}"
    yield Diagnostic("r_hat", f"{name}, median over reps", f"{middle:.3f}", f"< {limit}", middle < limit, sentence)
    yield Diagnostic("r_hat", f"{name}, largest", f"{most:.3f}", f"< {R_HAT_ANY}", most < R_HAT_ANY, sentence)


def _weights(cell: CellTables) -> Iterator[Diagnostic]:
    """Whether q can be told, and is, close enough to the posterior to be corrected by its importance weights."""
    k_hat, lost = cell.median("k_hat"), _most(cell.scores("log_ratios_lost"))
    if lost:
        name = "draws of q on a bound of the support"
        yield Diagnostic("support", name, f"{lost:.0f}", "0", False, f"{lost:.0f} {name}")
    elif k_hat is None:
        yield Diagnostic(
            "k_hat",
            "k-hat",
            "none",
            f"< {K_HAT}",
            False,
            "no k-hat: the density of q is not stated, or the model's not known",
        )
    else:
        mass = cell.scores("mass_90")
        least = min(medians(mass.part.astype(np.float64), mass.value).values(), default=None)
        held = "" if least is None else f", 90 % intervals that hold {fmt.share(least)} of the posterior"
        sentence = f"k-hat {fmt.significant(k_hat, 2)}, below {K_HAT} needed{held}"
        yield Diagnostic("k_hat", "k-hat", fmt.significant(k_hat), f"< {K_HAT}", k_hat < K_HAT, sentence)


def _agreement(cell: CellTables) -> Iterator[Diagnostic]:
    if (sum_ := agreement(cell)) is not None:
        total, expected = fmt.significant(sum_.total), f"{fmt.significant(sum_.low, 2)}–{fmt.significant(sum_.high, 2)}"
        what = "answer off" if sum_.total > sum_.high else "Monte-Carlo errors too large"
        sentence = f"{what}: Σz² {total}, expected {expected} ({sum_.number:.0f} correlated z in all)"
        holds = sum_.low <= sum_.total <= sum_.high
        yield Diagnostic("agreement", "answer against the reference, Σz²", total, expected, holds, sentence)
    yield from _departures(cell)


def _departures(cell: CellTables) -> Iterator[Diagnostic]:
    """A gate per group of judged functions: what is off in all reps together, else what is in one of them."""
    found = list(departed(cell))
    for group in POOLED:
        own = [one for one in found if one.group == group]
        if own:
            worst = next((one for one in own if not one.holds), min(own, key=lambda one: one.p))
            text = f"p {fmt.significant(min(worst.p, 1.0), 2)}"
            yield Diagnostic(
                "agreement",
                f"{group} against the reference",
                text,
                f"> {fmt.significant(LEVEL)}",
                worst.holds,
                _departure(worst),
            )


def _departure(worst: Departed) -> str:
    """`joint off: correlation of a and b 0.02, reference −0.91 (Monte-Carlo error 0.01)`."""
    if worst.rep is not None:
        return f"{worst.group} off in rep {worst.rep}: {worst.function}, p {fmt.significant(worst.p, 2)}"
    estimate, reference = (f"{round(value, 3) + 0.0:.3f}".replace("-", "−") for value in worst[4:6])
    error = fmt.significant(worst.error, 2)
    return f"{worst.group} off: {worst.function} {estimate}, reference {reference} (Monte-Carlo error {error})"


def _most(rows: Scores) -> float | None:
    """The most of one rep, all parts together; None without any."""
    return float(sums(rows.rep, rows.value).max()) if len(rows.value) else None
