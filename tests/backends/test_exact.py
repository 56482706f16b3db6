"""The exact posterior as a contender: what it is timed with."""

import subprocess
import sys

import pytest

SCENARIOS = ("s0-uniform", "s3-best", "eight-schools", "varying-intercept")

CODE = """
import sys, importlib
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.cell import BUDGETS
from bench.types import Place
method = importlib.import_module("backends.exact.posterior")
data = dataset(scenario(sys.argv[1]), seed=0, rep=0)
before = set(sys.modules)
program = method.build(data, BUDGETS["quick"], method.Options(), Place())
method.draw(method.fit(program, data, 1, WallClock(synchronize=lambda: None, compile_seconds=float)))
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_imported_while_it_is_timed(name):
    done = subprocess.run([sys.executable, "-c", CODE, name], capture_output=True, text=True, check=True)
    assert [module for module in done.stdout.split() if module.partition(".")[0] == "scipy"] == []
