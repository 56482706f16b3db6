"""Canned fits of s0-uniform: exact draws, a biased q, a point on its way to the optimum."""

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.present.plots.subject import Subject
from bench.score.problem import Problem, Scored
from bench.types import Checkpoint, Estimate, Fit

CHAINS, DRAWS = 4, 250


@pytest.fixture(scope="package")
def problems():
    made = {}

    def get(name):
        if name not in made:
            data = dataset(scenario(name), seed=0, rep=0)
            made[name] = Problem(data, family(data.family), family(data.family).reference(data))
        return made[name]

    return get


@pytest.fixture(scope="package")
def fits(problems):
    def make(kind, name="s0-uniform", *, shift=0.0, draws=DRAWS, stats=None, reference=True):
        problem = problems(name)
        exact = problem.reference
        path = ()
        if kind == "point":
            best, _ = problem.family.optimum(problem.data, "map")
            found = {k: np.asarray(v + shift * exact.sd[k])[None, None] for k, v in best.items()}
            path = [
                Checkpoint(n, n / 100, float(n), Estimate({k: v + exact.sd[k] / n**3 for k, v in best.items()}))
                for n in (1, 2, 5, 10, 20)
            ]
            stats = {"objective": "map", "steps": 25}
        else:
            drawn = exact.draw(CHAINS * draws, np.random.default_rng(1))
            found = {k: (v + shift * exact.sd[k]).reshape(CHAINS, draws, *v.shape[1:]) for k, v in drawn.items()}
            if kind == "vi":
                path = [Checkpoint(n, n / 100, float(n), Estimate({}, objective=100.0 + 50.0 / n)) for n in (1, 10, 99)]
        if not reference:
            problem = Problem(problem.data, problem.family, None, "a stated reason")
        scored = Scored(problem, Fit(kind, found, stats or {}), {"warmup": 0.1, "sample": 0.2}, False, path)
        return Subject(scored, name, f"fake.{kind}", 3)

    return make
