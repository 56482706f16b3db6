"""Exact draws, and seconds as a machine of stated noise would give them.

Log seconds have sd BETWEEN between children and WITHIN between fits of one. The variable REPLAY, a JSON object, says
what is planted: `slow` a factor on the seconds, `bias` posterior sds on every draw, `noise` the seed of a run's noise,
`crash` a fit of which (counted in its child) the process dies, `fail` one that raises.
"""

import json
import os
import signal
from dataclasses import dataclass

import numpy as np
import scipy.optimize  # noqa: F401 -- references need it: imported by the fork server once, not by every child

from bench.data import family
from bench.types import Fit, option

KIND = "mcmc"
BETWEEN, WITHIN, BASE = 0.14, 0.08, 0.25
CALLS = [0]


@dataclass(frozen=True)
class Options:
    chatty: bool = option(False, "prints a line per fit")


def planted():
    return json.loads(os.environ.get("REPLAY", "{}"))


def build(data, budget, options, place):
    return budget, options


def fit(program, data, seed, clock):
    budget, options = program
    if options.chatty:
        print("fitting, as asked")
    if planted().get("crash") == CALLS[0]:
        print("about to die")
        os.kill(os.getpid(), signal.SIGSEGV)
    if planted().get("fail") == CALLS[0]:
        raise ArithmeticError("planned, with a <tag>")
    CALLS[0] += 1
    known = family(data.family).reference(data)
    drawn = known.draw(budget.chains * budget.draws, np.random.default_rng(seed))
    with clock("sample"):
        pass
    clock.seconds["sample"] = seconds(int(data.digest[:8], 16) ^ seed)
    shift = planted().get("bias", 0.0)
    return {
        name: (array + shift * known.sd[name]).reshape(budget.chains, budget.draws, *array.shape[1:])
        for name, array in drawn.items()
    }


def seconds(seed):
    """Of this fit; the child's own part is drawn by its first."""
    noise = planted().get("noise", 0)
    CHILD.setdefault("part", np.random.default_rng([noise, seed, 1]).standard_normal())
    own = np.random.default_rng([noise, seed, 2]).standard_normal()
    return BASE * planted().get("slow", 1.0) * float(np.exp(BETWEEN * CHILD["part"] + WITHIN * own))


CHILD = {}


def draw(state):
    return Fit("mcmc", state, stats={"gradients": 1000, "gradients_warmup": 500})
