"""A contender whose cost is known: what the tables say of it must be what it did."""

import threading
import time
from dataclasses import dataclass

import numpy as np

from bench.data import family
from bench.types import Fit, option

KIND = "mcmc"
CALLS = [0]


@dataclass(frozen=True)
class Options:
    cpu: float = option(0.0, "CPU seconds of sampling")
    behind: float = option(0.0, "seconds that a stand-in for a device works on after sampling has returned")
    memory: int = option(0, "MiB held until the answer is there")
    drift: float = option(0.0, "seconds by which each fit of a child sleeps longer than the one before")
    foreign: float = option(0.0, "seconds for which another process burns a CPU")


def build(data, budget, options, place):
    return budget, options


def fit(program, data, seed, clock):
    from backends.fake import runtime

    budget, options = program
    with clock("sample"):
        until = time.process_time() + options.cpu
        while time.process_time() < until:
            pass
        held = np.ones(options.memory * 2**17)
        time.sleep(options.drift * CALLS[0])
        if options.foreign:
            runtime.burn(options.foreign)
        if options.behind:
            runtime.PENDING.append(threading.Thread(target=time.sleep, args=(options.behind,)))
            runtime.PENDING[-1].start()
    CALLS[0] += 1
    drawn = family(data.family).reference(data).draw(budget.chains * budget.draws, np.random.default_rng(seed))
    del held  # only now, so that the peak is that of everything at once
    return {name: x.reshape(budget.chains, budget.draws, *x.shape[1:]) for name, x in drawn.items()}


def draw(state):
    return Fit("mcmc", state, stats={"gradients": 1000, "gradients_warmup": 500})
