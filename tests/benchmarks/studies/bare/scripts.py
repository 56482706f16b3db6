"""The samplers of each framework on s0-uniform as a plain script has them, without anything of the harness.

Each function is given x (50, 2) and y, and how many chains, warmup and draws to make; it compiles what can be compiled,
and returns a call that samples once; what that returns counts the gradients, those of chains in lockstep included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Size(NamedTuple):
    """Chains, and warmup and draws of each."""

    chains: int
    warmup: int
    draws: int


Counted = Callable[[], float]
Timed = Callable[[int], Counted]
"""Of a seed: samples, and returns what counts the gradients that were evaluated."""
Script = Callable[[np.ndarray, np.ndarray, Size], Timed]


def lockstep(*counts: Any) -> float:
    """Gradients of vectorised chains, from those of their transitions (chain, transition): all wait for the longest."""
    return float(sum(np.asarray(steps).max(0).sum() * len(steps) for steps in counts))


def numpyro_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
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
        state = kernel.init(key, size.warmup, None, (x, y), {})

        def step(state, _):
            state = kernel.sample(state, (x, y), {})
            return state, (state.z, state.num_steps)

        return jax.lax.scan(step, state, None, length=size.warmup + size.draws)[1]

    compiled = jax.jit(jax.vmap(chain, (0, None, None)))

    def run(seed: int) -> Counted:
        _, counts = jax.block_until_ready(compiled(jax.random.split(jax.random.key(seed), size.chains), x, y))
        return lambda: lockstep(counts)

    return run


def blackjax_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
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
        (state, tuned), info = warm.run(second, start, num_steps=size.warmup)
        step = blackjax.nuts(density, tuned["step_size"], tuned["inverse_mass_matrix"]).step

        def one(state, key):
            state, found = step(key, state)
            return state, (state.position, found.num_integration_steps)

        _, (_, counts) = jax.lax.scan(one, state, jax.random.split(third, size.draws))
        return info.info.num_integration_steps, counts

    compiled = jax.jit(jax.vmap(chain))

    def run(seed: int) -> Counted:
        counts = jax.block_until_ready(compiled(jax.random.split(jax.random.key(seed), size.chains)))
        return lambda: lockstep(*counts)

    return run


def pymc_model(x: np.ndarray, y: np.ndarray) -> Any:
    """The model of PyMC and nutpie; its arrays can be replaced, as whoever fits many data sets needs them."""
    import pymc as pm

    with pm.Model() as model:
        x, y = pm.Data("x", x), pm.Data("y_data", y)
        w, b, s = pm.Normal("w", 0, 10, shape=2), pm.Normal("b", 0, 10), pm.Uniform("s", 0, 10)
        pm.Normal("y", pm.math.dot(x, w) + b, s, observed=y)
    return model


def nutpie_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
    """`nutpie.sample` of a PyMC model."""
    import os

    import nutpie

    compiled, cores = nutpie.compile_pymc_model(pymc_model(x, y)), len(os.sched_getaffinity(0))

    def run(seed: int) -> Counted:
        trace = nutpie.sample(
            compiled, draws=size.draws, tune=size.warmup, chains=size.chains, cores=cores, seed=seed,
            progress_bar=False, return_raw_trace=True,
        )  # fmt: skip
        return lambda: float(sum(np.sum(np.asarray(chain.column("n_steps"))) for chain in trace.get_arrow_trace()[1]))

    return run


def pymc_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
    """A loop over PyMC's step method, compiled once by Numba, chain after chain, and the parameters at each draw."""
    import pymc as pm
    import pytensor

    model = pymc_model(x, y)
    with pytensor.config.change_flags(mode="NUMBA"), model:
        step = pm.NUTS()
        parameters = model.compile_fn(model.unobserved_value_vars, inputs=model.value_vars, point_fn=False)
    names, start = [variable.name for variable in model.value_vars], model.initial_point()  # compiles on each call

    def chain(rng: np.random.Generator) -> float:
        gradients, point = 0, {name: rng.uniform(-2, 2, np.shape(start[name])) for name in names}
        step.set_rng(rng)
        step.tune = True
        step.reset_tuning()
        for i in range(size.warmup + size.draws):
            if i == size.warmup:
                step.stop_tuning()
            point, stats = step.step(point)
            gradients += stats[0]["tree_size"] + 1
            if i >= size.warmup:
                parameters(*(point[name] for name in names))
        return float(gradients)

    def run(seed: int) -> Counted:
        gradients = sum(map(chain, np.random.default_rng(seed).spawn(size.chains)))
        return lambda: gradients

    return run


def pyro_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
    """`MCMC` of Pyro's kernel, chain after chain; gradients are counted where Pyro asks torch for them."""
    import pyro
    import pyro.distributions as dist
    import torch
    from pyro.infer import MCMC, NUTS
    from pyro.ops import integrator

    x, y, calls, grad = torch.tensor(x), torch.tensor(y), [], integrator.grad
    integrator.grad = lambda *args: calls.append(1) or grad(*args)
    ten, zero = torch.tensor(10.0, dtype=x.dtype), torch.tensor(0.0, dtype=x.dtype)
    pyro.enable_validation(False)

    def model():
        w = pyro.sample("w", dist.Normal(zero, ten).expand((2,)).to_event(1))
        b, s = pyro.sample("b", dist.Normal(zero, ten)), pyro.sample("s", dist.Uniform(zero, ten))
        with pyro.plate("rows", len(y)):
            pyro.sample("y", dist.Normal(x @ w + b, s), obs=y)

    def run(seed: int) -> Counted:
        calls.clear()
        pyro.set_rng_seed(seed)
        for _ in range(size.chains):
            kernel = NUTS(model)
            MCMC(kernel, num_samples=size.draws, warmup_steps=size.warmup, disable_progbar=True).run()
        return lambda: float(len(calls))

    return run


def stan_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
    """Chain after chain of httpstan's extension; a thread takes what it writes, once a millisecond."""
    import asyncio
    import contextlib
    import json
    import socket
    import tempfile
    import threading
    import time

    import httpstan.models

    program = """data { int n; matrix[n, 2] x; vector[n] y; }
    parameters { vector[2] w; real b; real<lower=0, upper=10> s; }
    model { w ~ normal(0, 10); b ~ normal(0, 10); y ~ normal_id_glm(x, b, w, s); }"""
    asyncio.run(httpstan.models.build_services_extension_module(program))
    module = httpstan.models.import_services_extension_module(httpstan.models.calculate_model_name(program))
    settings = {
        **{"data": {"n": len(y), "x": x.tolist(), "y": y.tolist()}, "init": {}, "init_radius": 2.0},
        **{"num_warmup": size.warmup, "num_samples": size.draws, "num_thin": 1, "save_warmup": True, "refresh": 0},
        **{"stepsize": 1.0, "stepsize_jitter": 0.0, "max_depth": 10, "delta": 0.8},
        **{"gamma": 0.05, "kappa": 0.75, "t0": 10.0, "init_buffer": 75, "term_buffer": 50, "window": 25},
    }

    def take(listening: socket.socket, lines: list[bytes]) -> None:
        written = {listening.accept()[0]: bytearray() for _ in range(4)}  # log, inits, draws, diagnostics
        files = [*written.values()]
        while written:
            time.sleep(0.001)  # to wake up for each line would take the sampler's core
            for connection, file in [*written.items()]:
                with contextlib.suppress(BlockingIOError):
                    file += (chunk := connection.recv(1 << 20, socket.MSG_DONTWAIT))
                    if not chunk:
                        del written[connection]
                        connection.close()
        lines.extend(files[2].splitlines())

    def chain(seed: int, number: int) -> list[bytes]:
        lines: list[bytes] = []
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path := f"{folder}/chain")
            listening.listen(4)
            reader = threading.Thread(target=take, args=(listening, lines))
            reader.start()
            module.hmc_nuts_diag_e_adapt_wrapper(socket_filename=path, random_seed=seed, chain=number, **settings)
            reader.join()
        return lines

    def leapfrog(line: bytes) -> int:
        values = json.loads(line)["values"]
        return int(values["n_leapfrog__"]) + 1 if isinstance(values, dict) else 0

    def run(seed: int) -> Counted:
        written = [chain(seed, i + 1) for i in range(size.chains)]
        return lambda: float(sum(leapfrog(line) for lines in written for line in lines))

    return run


def torch_nuts(x: np.ndarray, y: np.ndarray, size: Size) -> Timed:
    """The functions of `backends.torch.nuts`, which is nobody else's library, called without a clock."""
    from contextlib import nullcontext

    from backends.torch import nuts
    from bench.catalog.scenarios import scenario
    from bench.data import dataset
    from bench.types import Budget, Place

    data = dataset(scenario("s0-uniform"), seed=0, rep=0).observed()
    budget = Budget("", size.chains, size.warmup, size.draws, steps=1, reps=1, rounds=1, timeout=1.0)
    program = nuts.build(data.skeleton(), budget, nuts.Options(), Place())

    def run(seed: int) -> Counted:
        state = nuts.fit(program, data, seed, lambda phase: nullcontext())
        return lambda: float(nuts.draw(state).stats["gradients_executed"])

    return run


SCRIPTS: dict[str, tuple[Script, Size]] = {
    "numpyro.nuts": (numpyro_nuts, Size(4, 1000, 1000)),
    "blackjax.nuts": (blackjax_nuts, Size(4, 1000, 1000)),
    "nutpie.nuts": (nutpie_nuts, Size(4, 1000, 1000)),
    "pymc.nuts": (pymc_nuts, Size(2, 300, 300)),
    "stan.nuts": (stan_nuts, Size(4, 1000, 1000)),
    "pyro.nuts": (pyro_nuts, Size(1, 30, 30)),
    "torch.nuts": (torch_nuts, Size(4, 50, 50)),
}
"""Large enough that a fit takes some tenths of a second."""
