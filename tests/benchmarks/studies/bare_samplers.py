"""Seconds per gradient as the harness states them, against a plain script of the same sampler without the harness.

python tests/benchmarks/studies/bare_samplers.py [--pairs 6] [--fits 15] [CONTENDER …]

A pair is two processes of the framework's interpreter: one fits by the harness, one runs the script. Both have compiled
before anything is timed; then they fit in turn, in random order, while the other one waits, so that whatever the
machine does meets both. Both sample s0-uniform with 4 chains of 1000 + 1000 draws on the same CPUs, and both count the
gradients that the library states. A pair gives the median ratio harness / script of seconds per gradient; pairs, whose
processes differ more than their fits, give Student's t on the log scale, and whether that lies within 10 %.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
CHAINS, WARMUP, DRAWS = 4, 1000, 1000
LIMIT = 0.1
"""By how much the two may differ."""
Timed = Callable[[int], float]
"""Of a seed: samples, and returns the gradients that were made."""


def numpyro_nuts(x: np.ndarray, y: np.ndarray) -> Timed:
    """A scan of NumPyro's kernel, chains vectorised."""
    import jax
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import NUTS

    jax.config.update("jax_enable_x64", True)

    def model(x, y):
        w = numpyro.sample("w", dist.Normal(0, 10).expand((2,)).to_event(1))
        b = numpyro.sample("b", dist.Normal(0, 10))
        numpyro.sample("y", dist.Normal(x @ w + b, numpyro.sample("s", dist.Uniform(0, 10))), obs=y)

    def chain(key, x, y):
        kernel = NUTS(model)
        state = kernel.init(key, WARMUP, None, (x, y), {})

        def step(state, _):
            state = kernel.sample(state, (x, y), {})
            return state, (state.z, state.num_steps)

        return jax.lax.scan(step, state, None, length=WARMUP + DRAWS)[1]

    run = jax.jit(jax.vmap(chain, (0, None, None)))
    return lambda seed: float(np.sum(run(jax.random.split(jax.random.key(seed), CHAINS), x, y)[1]))


def blackjax_nuts(x: np.ndarray, y: np.ndarray) -> Timed:
    """Window adaptation and a scan, as BlackJAX's own pages have it, chains vectorised."""
    import blackjax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def density(z):
        sigma = 10 * jax.nn.sigmoid(z[3])
        residual = (y - x @ z[:2] - z[2]) / sigma
        prior = -0.5 * jnp.sum((z[:3] / 10) ** 2) + jax.nn.log_sigmoid(z[3]) + jax.nn.log_sigmoid(-z[3])
        return -0.5 * jnp.sum(residual**2) - len(y) * jnp.log(sigma) + prior

    def chain(key):
        first, second, third = jax.random.split(key, 3)
        start = jax.random.uniform(first, (4,), minval=-2.0, maxval=2.0)
        warm = blackjax.window_adaptation(blackjax.nuts, density, target_acceptance_rate=0.8)
        (state, tuned), info = warm.run(second, start, num_steps=WARMUP)
        step = blackjax.nuts(density, tuned["step_size"], tuned["inverse_mass_matrix"]).step

        def one(state, key):
            state, found = step(key, state)
            return state, (state.position, found.num_integration_steps)

        _, (_, counts) = jax.lax.scan(one, state, jax.random.split(third, DRAWS))
        return info.info.num_integration_steps.sum() + counts.sum()

    run = jax.jit(jax.vmap(chain))
    return lambda seed: float(np.sum(run(jax.random.split(jax.random.key(seed), CHAINS))))


def nutpie_nuts(x: np.ndarray, y: np.ndarray) -> Timed:
    """`nutpie.sample` of a PyMC model."""
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        w, b, s = pm.Normal("w", 0, 10, shape=2), pm.Normal("b", 0, 10), pm.Uniform("s", 0, 10)
        pm.Normal("y", pm.math.dot(x, w) + b, s, observed=y)
    compiled = nutpie.compile_pymc_model(model)
    cores = len(os.sched_getaffinity(0))

    def run(seed: int) -> float:
        trace = nutpie.sample(
            compiled, draws=DRAWS, tune=WARMUP, chains=CHAINS, cores=cores, seed=seed, progress_bar=False,
            return_raw_trace=True,
        )  # fmt: skip
        return float(sum(np.sum(np.asarray(chain.column("n_steps"))) for chain in trace.get_arrow_trace()[1]))

    return run


SCRIPTS = {"numpyro.nuts": numpyro_nuts, "blackjax.nuts": blackjax_nuts, "nutpie.nuts": nutpie_nuts}


Cost = Callable[[int], float]
"""Of a seed: fits once, and returns the seconds per gradient."""


def harness(contender: str, threads: int) -> Cost:
    """A fit as a worker makes and books it."""
    from bench.cell import Cell
    from bench.measure.contender import Contender

    one = Contender(Cell("s0-uniform", (), contender, (), "standard", "matched", "cpu", "float64"), threads)

    def fit(seed: int) -> float:
        attempt = one.attempt(data, seed, cold=seed == 0)
        assert attempt.status == "ok", attempt.reason
        fitting = sum(s for phase, s in attempt.clock.seconds.items() if {*phase.split("+")} & {"warmup", "sample"})
        return fitting / attempt.stats["gradients"]

    return fit


def script(contender: str) -> Cost:
    """The plain script, timed around its call."""
    arrays = data().arrays
    run = SCRIPTS[contender](arrays["x"], arrays["y"])

    def fit(seed: int) -> float:
        began = time.perf_counter()
        gradients = run(seed)
        return (time.perf_counter() - began) / gradients

    return fit


def data() -> Any:
    from bench.catalog.scenarios import scenario
    from bench.data import dataset

    return dataset(scenario("s0-uniform"), seed=0, rep=0)


def serve(side: str, contender: str) -> None:
    """Fit for every seed on stdin, and say what a gradient cost."""
    threads = len(os.sched_getaffinity(0))
    fit = harness(contender, threads) if side == "harness" else script(contender)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(fit(int(line))) + "\n")
        answers.flush()


class Side:
    """A process that serves."""

    def __init__(self, side: str, contender: str) -> None:
        from bench.catalog.environments import interpreter
        from bench.measure.environment import default_threads, environment

        command = [interpreter(contender.rpartition(".")[0]), __file__, "--serve", side, contender]
        environ = environment(default_threads(), ROOT)
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environ, text=True, **pipes)

    def ask(self, seed: int) -> None:
        print(seed, file=self.process.stdin, flush=True)

    def answer(self) -> float:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended")
        return float(json.loads(line))

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def pair(contender: str, fits: int, number: int) -> tuple[float, float]:
    """Median seconds per gradient of the harness, and median log ratio to the script in the same turn."""
    turns = random.Random(number)
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(name, contender)) for name in ("harness", "script")]
        for side in sides:
            side.ask(0)  # both compile at once: nothing of that is timed
        for side in sides:
            side.answer()
        costs = []
        for seed in range(1, fits + 1):
            found = [0.0, 0.0]
            for which in turns.sample((0, 1), 2):
                sides[which].ask(1000 * number + seed)
                found[which] = sides[which].answer()
            costs.append(found)
    ours, theirs = np.array(costs).T
    return float(np.median(ours)), float(np.median(np.log(ours / theirs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", metavar="CONTENDER", help=", ".join(SCRIPTS))
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--fits", type=int, default=15, help="of each process")
    parser.add_argument("--serve", choices=("harness", "script"), help="be one of the two processes")
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.contenders[0])
        return
    from scipy import stats

    for contender in chosen.contenders or SCRIPTS:
        began, logs = time.monotonic(), []
        for number in range(chosen.pairs):
            ours, log = pair(contender, chosen.fits, number)
            logs.append(log)
            print(f"{contender}: {1e6 * ours:.2f} µs per gradient, harness / script {np.exp(log):.3f}", flush=True)
        low, high = stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs))
        inside, outside = max(-low, high) < np.log1p(LIMIT), max(low, -high) > np.log1p(LIMIT)
        said = "within" if inside else "beyond" if outside else "undecided, more pairs:"
        interval = f"95 % interval {np.exp(low):.3f} to {np.exp(high):.3f}"
        spent = f"{time.monotonic() - began:.0f} s"
        print(f"{contender}: harness / script {np.exp(np.mean(logs)):.3f} ({interval}), {said} {LIMIT:.0%}, in {spent}")


if __name__ == "__main__":
    main()
