"""What the gates of samplers find: the smallest bias and narrowness that 95 % of cells are refused for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from scipy.special import nctdtrinc, stdtrit

from bench.analysis.agreement import LEVEL
from bench.cell import BUDGETS
from bench.stats.departures import PER_DRAW

REPS = (1, 2, 5, 15, 50)
FOUND = 0.95


class Detectable(NamedTuple):
    """A bias in posterior sds and a narrowness as a share of the sd, of one scalar."""

    bias: float
    narrow: float


def detectable(effective: float, scalars: int) -> Detectable:
    """What the gates of mean and spread over all reps find in 95 % of cells with so many effective draws in all.

    The test of `bench.stats.departures`: Student's t with effective/6 degrees of freedom, noncentral under the fault;
    of the cube root of the mean square for the spread. The smallest of `scalars` p-values counts so many times. A fault
    of several scalars, or one along a direction that the posterior narrows, is found earlier.
    """
    freedom = effective / PER_DRAW
    critical = float(stdtrit(freedom, 1.0 - LEVEL / (2.0 * scalars)))
    needed = float(nctdtrinc(freedom, 1.0 - FOUND, critical))
    width = 2.0 / (9.0 * effective)
    root = 1.0 - needed * width**0.5 / (1.0 - width)
    return Detectable(needed / effective**0.5, 1.0 - max(root, 0.0) ** 1.5)


def table(scalars: int = 4, per_draw: float = 1.0) -> Iterator[tuple[str, int, Detectable]]:
    """(budget, reps, what is found) with `per_draw` effective draws of each draw."""
    for name, budget in BUDGETS.items():
        for reps in REPS:
            yield name, reps, detectable(reps * budget.chains * budget.draws * per_draw, scalars)


def lines() -> list[str]:
    """The table as text, a line per budget."""
    text = [f"found in {FOUND:.0%} of cells where one of 4 scalars is off, by independent draws;"]
    text.append("smallest bias in posterior sds / narrowness in %:")
    text.append("            " + "".join(f"{f'{reps} reps':>14}" for reps in REPS))
    rows = list(table())
    for name in BUDGETS:
        shown = "".join(f"{one.bias:8.3f} /{100 * one.narrow:4.1f}" for at, _, one in rows if at == name)
        text.append(f"  {name:<10}{shown}")
    text.append("with e effective draws of each draw, read at e times the reps: more reps find more")
    return text
