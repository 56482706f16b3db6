"""A contender with one chosen fault."""

import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.types import Diverged, Fit, Unavailable, Unsupported, option

KIND = "mcmc"


@dataclass(frozen=True)
class Options:
    fault: Literal[
        "none", "exception", "segfault", "abort", "exit", "kill", "sleep", "memory", "nan", "shape", "names", "support",
        "diverged", "unsupported", "unavailable", "second_rep", "flood", "ignore_sigterm", "fork", "daemon",
        "daemon_stays", "daemon_memory", "gil", "gigabytes", "device_memory", "speechless", "surrogate", "stop_server",
        "odd_stats", "exit_74",
    ] = option("none", "what goes wrong")  # fmt: skip


CALLS = [0]


def daemon(work):
    """A grandchild in a session of its own, orphaned at once, that does `work`."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path("daemon.pid").write_text(str(os.getpid()))
            work()
        os._exit(0)
    os.wait()


def hoard():
    held = []
    while True:
        held.append(np.ones(2**22))
        time.sleep(0.01)


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no words")


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
        if fault in {"exit", "exit_74"}:
            sys.exit(7 if fault == "exit" else 74)  # 74 is how a worker says that its disk is full
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "ignore_sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if fault in {"fork", "daemon"} and os.fork() == 0:
            time.sleep(600)
        if fault in {"daemon", "daemon_stays"}:
            daemon(lambda: time.sleep(600))
        if fault == "daemon_memory":
            daemon(hoard)
        if fault in {"sleep", "ignore_sigterm", "fork", "daemon", "daemon_memory"}:
            time.sleep(600)
        if fault == "gil":
            ctypes.PyDLL(None).sleep(600)
        if fault == "stop_server":
            os.kill(os.getppid(), signal.SIGSTOP)
            time.sleep(600)
        if fault == "memory":
            hoard()
        if fault == "gigabytes":
            block = b"y" * 2**20
            for _ in range(400):
                os.write(1, block)
                time.sleep(0.005)
        if fault == "device_memory":
            raise RuntimeError("RESOURCE_EXHAUSTED: Failed to allocate request for 80.00GiB (85899345920B) on device")
        if fault == "speechless":
            raise Speechless
        if fault == "surrogate":
            raise RuntimeError("not \udcff text \x1b]0;title\x07 \u202egnp \0")
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
    return draws, fault


def draw(state):
    draws, fault = state
    odd = {"object": object(), "infinite": np.inf, "big": 10**400, 3: {"nested": {1, 2}}}
    return Fit("mcmc", draws, stats={"gradients": 10} | (odd if fault == "odd_stats" else {}))
