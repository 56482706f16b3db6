"""Seconds per gradient as the harness states them, against a plain script of the same sampler without the harness.

python tests/benchmarks/studies/bare_samplers.py [--pairs 5]

Each pair is a run of the harness and a script in the same framework's interpreter, alternating; both sample s0-uniform
with 4 chains of 1000 + 1000 draws on the same CPUs, and both count the gradients that the library states. The ratio
harness / script of warm seconds per gradient is given with Student's t over pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
CHAINS, WARMUP, DRAWS, WARM = 4, 1000, 1000, 5
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


def script(contender: str, threads: int) -> float:
    """Median seconds per gradient of warm runs, in the interpreter of the framework."""
    from bench.catalog.environments import interpreter

    python = interpreter(contender.partition(".")[0])
    kept = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [python, __file__, "--script", contender]
    done = subprocess.run(command, env={**os.environ, **kept}, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def measured(contender: str) -> float:
    """The same as the harness states it."""
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        args = ["-s", "s0-uniform", "-b", contender, "--budget", "standard", "--reps", str(WARM + 1), "--rounds", "1"]
        args += ["--results", folder, "--name", "r", "--fresh"]
        subprocess.run([sys.executable, "-m", "bench", "run", *args], check=True, capture_output=True, cwd=ROOT)
        metrics = pd.read_parquet(Path(folder) / "r" / "metrics.parquet")
    return float(metrics[metrics["metric"] == "seconds_per_gradient"]["value"].median())


def alone(contender: str) -> None:
    """Print the script's own figure."""
    from bench.catalog.scenarios import scenario
    from bench.data import dataset

    data = dataset(scenario("s0-uniform"), seed=0, rep=0)
    run = SCRIPTS[contender](data.arrays["x"], data.arrays["y"])
    costs = []
    for seed in range(WARM + 1):
        began = time.perf_counter()
        gradients = run(seed)
        costs.append((time.perf_counter() - began) / gradients)
    print(json.dumps(float(np.median(costs[1:]))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--script", choices=list(SCRIPTS), help="run this script alone, as the pairs do")
    chosen = parser.parse_args()
    if chosen.script:
        alone(chosen.script)
        return
    from scipy import stats

    threads = len(os.sched_getaffinity(0))
    for contender in SCRIPTS:
        logs = []
        for i in range(chosen.pairs):
            if i % 2:
                ours = measured(contender)
                theirs = script(contender, threads)
            else:
                theirs = script(contender, threads)
                ours = measured(contender)
            logs.append(float(np.log(ours / theirs)))
            print(f"{contender}: harness {1e6 * ours:.2f} µs, script {1e6 * theirs:.2f} µs per gradient", flush=True)
        low, high = np.exp(stats.t.interval(0.95, len(logs) - 1, np.mean(logs), stats.sem(logs)))
        print(f"{contender}: harness / script {np.exp(np.mean(logs)):.3f} (95 % interval {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
