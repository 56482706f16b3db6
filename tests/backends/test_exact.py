"""The exact posterior as a contender: what it is timed with."""

import subprocess
import sys

SCENARIOS = ("s0-uniform", "s3-best", "eight-schools", "varying-intercept")

CODE = """
import sys, importlib, os
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.cell import BUDGETS
from bench.types import Place
method = importlib.import_module("backends.exact.posterior")
for name in sys.argv[1:]:
    if os.fork() == 0:  # what one scenario imports, the next would not have to
        data = dataset(scenario(name), seed=0, rep=0)
        before = set(sys.modules)
        program = method.build(data, BUDGETS["quick"], method.Options(), Place())
        method.draw(method.fit(program, data, 1, WallClock(synchronize=lambda: None, compile_seconds=float)))
        print(name, *sorted(set(sys.modules) - before), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


def test_nothing_is_imported_while_it_is_timed():
    done = subprocess.run([sys.executable, "-c", CODE, *SCENARIOS], capture_output=True, text=True, check=True)
    imported = {name: modules for name, *modules in map(str.split, done.stdout.splitlines())}
    assert list(imported) == list(SCENARIOS)
    for name, modules in imported.items():
        assert [module for module in modules if module.partition(".")[0] == "scipy"] == [], name
