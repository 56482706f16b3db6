"""Independent draws from the exact posterior, each with a known sleep, which can go on."""

import time
from dataclasses import dataclass

import numpy as np

from bench.data import family
from bench.types import Fit, option

KIND = "mcmc"


@dataclass(frozen=True)
class Options:
    sleep: float = option(0.01, "seconds of sleep per draw of all chains")
    bias: float = option(0.0, "posterior sds added to every draw")


def build(data, budget, options, place):
    return budget, options


def compile(program, data):
    time.sleep(0.1)


def fit(program, data, seed, clock):
    with clock("warmup"):
        time.sleep(0.02)
    return resume(program, data, ({}, np.random.default_rng(seed)), program[0].draws, clock)


def resume(program, data, state, draws, clock):
    (budget, options), (_, rng) = program, state
    with clock("sample"):
        time.sleep(options.sleep * draws)
    known, shape = family(data.family).reference(data), (budget.chains, draws)
    drawn = known.draw(budget.chains * draws, rng)
    return {name: (x + options.bias * known.sd[name]).reshape(*shape, *x.shape[1:]) for name, x in drawn.items()}, rng


def draw(state):
    return Fit("mcmc", state[0], stats={"gradients": state[0]["sigma"].size})
