"""Small plans of fake contenders, and what was made of them."""

from __future__ import annotations

from bench.plan import Choice, make

SCENARIOS = ("correlated-rho95", "s0-uniform")


def planned(reps=2, rounds=2, backends=("fake.exact", "fake.exact[bias=1.0]"), scenarios=SCENARIOS, device=None):
    return make(Choice(scenarios=scenarios, backends=backends, reps=reps, rounds=rounds, device=device))


def made(folder, plan):
    return [folder.record(p.cell.id, rep) for p in plan.cells for rep in range(p.reps * p.rounds)]
