"""A contender with one chosen fault."""

import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.types import Diverged, Fit, Unavailable, Unsupported

KIND = "mcmc"


@dataclass(frozen=True)
class Options:
    fault: Literal[
        "none", "exception", "segfault", "abort", "exit", "kill", "sleep", "memory", "nan", "shape", "names", "support",
        "diverged", "unsupported", "unavailable", "second_rep", "flood", "ignore_sigterm", "fork",
    ] = "none"  # fmt: skip # what goes wrong


CALLS = [0]


def build(data, budget, options, place):
    if options.fault == "unsupported":
        raise Unsupported("this prior is not for me")
    if options.fault == "unavailable":
        raise Unavailable("no such device here")
    return budget, options.fault


def fit(program, data, seed, clock):
    budget, fault = program
    CALLS[0] += 1
    draws = {
        p.name: np.random.default_rng(seed).uniform(0.5, 1.0, (budget.chains, budget.draws, *p.shape))
        for p in data.parameters
    }
    with clock("sample"):
        if fault == "exception":
            raise RuntimeError("planned <script>alert(1)</script>")
        if fault == "second_rep" and CALLS[0] == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "segfault":
            ctypes.string_at(0)
        if fault == "abort":
            os.abort()
        if fault == "exit":
            sys.exit(7)
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "ignore_sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if fault == "fork" and os.fork() == 0:
            time.sleep(600)
        if fault in {"sleep", "ignore_sigterm", "fork"}:
            time.sleep(600)
        if fault == "memory":
            held = []
            while True:
                held.append(np.ones(2**24))
                time.sleep(0.02)
        if fault == "flood":
            for _ in range(20_000):
                print("x" * 100)
        if fault == "diverged":
            raise Diverged("loss is inf at step 3")
    if fault == "nan":
        draws["weights"][0, 0, 0] = np.nan
    if fault == "shape":
        draws["weights"] = draws["weights"][..., :0]
    if fault == "names":
        draws["wieghts"] = draws.pop("weights")
    if fault == "support":
        draws["sigma"] = -draws["sigma"]
    return draws


def draw(state):
    return Fit("mcmc", state, stats={"gradients": 10})
