"""The suites `classic` and `hard`: what they name exists, can be fitted, and has something to be judged by."""

import numpy as np
import pytest

from bench.data import dataset
from bench.plan import Choice, make
from bench.reference.cache import reference

SUITES = ("classic", "hard")


@pytest.mark.parametrize("name", SUITES)
def test_every_cell_can_be_served(name):
    plan = make(Choice(suite=name))
    assert plan.fits > 0
    assert [p.cell.backend_label + " on " + p.cell.scenario for p in plan.cells if p.unsupported()] == []


SCENARIOS = sorted({p.cell.scenario for name in SUITES for p in make(Choice(suite=name)).cells})


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_a_reference_worth_judging_by(name):
    planned = next(p for suite in SUITES for p in make(Choice(suite=suite)).cells if p.cell.scenario == name)
    found = reference(dataset(planned.scenario, seed=0, rep=0))
    assert found.n_effective > 2e4  # a mean known to 0.7 % of a posterior sd
    assert all(np.isfinite(value).all() for value in found.mean.values())
    assert all((np.asarray(value) > 0).all() for value in found.sd.values())
