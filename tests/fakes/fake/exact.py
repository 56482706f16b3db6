"""Independent draws from the exact posterior, with a known sleep in every phase."""

import time
from dataclasses import dataclass

import numpy as np

from bench.data import family
from bench.types import Fit, option

KIND = "mcmc"


@dataclass(frozen=True)
class Options:
    sleep: float = option(0.0, "seconds of sleep in sampling")
    bias: float = option(0.0, "posterior sds added to every draw")
    spread: float = option(1.0, "factor on the distance of every draw from the posterior mean")
    recompile: bool = option(False, "pretends to compile 0.05 s inside every sampling")


def build(data, budget, options, place):
    assert not any(array.any() for array in data.arrays.values()), "build saw values of the data"
    return budget, options


def compile(program, data):
    time.sleep(0.1)


def fit(program, data, seed, clock):
    from backends.fake import runtime

    budget, options = program
    assert not data.truth and not data.holdout, "fit saw the truth"
    with clock("warmup"):
        time.sleep(0.02)
    with clock("sample"):
        time.sleep(options.sleep)
        if options.recompile:
            time.sleep(0.05)
            runtime.COMPILED[0] += 0.05
    reference = family(data.family).reference(data)
    drawn = reference.draw(budget.chains * budget.draws, np.random.default_rng(seed))
    return {
        name: _changed(array, reference.mean[name], reference.sd[name], options).reshape(
            budget.chains, budget.draws, *array.shape[1:]
        )
        for name, array in drawn.items()
    }


def _changed(array, mean, sd, options):
    if options.spread != 1.0:
        array = mean + options.spread * (array - mean)
    return array + options.bias * sd


def draw(state):
    return Fit("mcmc", state, stats={"gradients": 1000, "gradients_warmup": 500})
