"""Stan's own ADVI on a program's extension: httpstan ships its headers, but neither a service nor an object of it.

What `advi.cpp` compiles to depends on no program. It is to ADVI what the services that httpstan ships compiled are to
NUTS, so it is compiled once per installation and kept; a program is compiled and linked for each cold fit as ever.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shlex
import subprocess
import sysconfig
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpstan
import numpy as np

from backends._shared import moments
from backends.stan import models
from bench.catalog.places import cache_folder
from bench.types import Array, Clock, Dataset, Diverged, Estimate

SOURCE = Path(__file__).with_name("advi.cpp")
FLAGS = (
    *("-O3", "-std=c++17", "-fPIC", "-w", "-DBOOST_DISABLE_ASSERTS", "-DBOOST_PHOENIX_NO_VARIADIC_EXPRESSION"),
    *("-DSTAN_THREADS", "-D_REENTRANT", "-D_GLIBCXX_USE_CXX11_ABI=0"),
)
"""httpstan's own: all objects of an extension must agree on them."""
INIT_RADIUS = 2.0
ELBO_DRAWS, ELBO_EVERY, TRIAL_ITERATIONS = 100, 100, 50
"""Stan's own."""
MESSAGES, MOMENT_DRAWS, MOMENT_DRAWS_AT_CHECKPOINTS = 4000, 100_000, 10_000
LOOK = ctypes.CFUNCTYPE(None, ctypes.c_long, ctypes.c_double)


class Approximation(NamedTuple):
    """A Gaussian q(z) with mean (dim,) and lower factor (dim, dim) of its covariance, and what it cost in evaluations.

    `places` (dim,) is where each scalar of the family's z lies in Stan's.
    """

    mean: Array
    factor: Array
    gradients: int
    trials: int
    densities: int
    converged: bool
    places: Array

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """So many independent draws z (size, dim), and log q there (size,)."""
        eta = rng.standard_normal((size, len(self.mean)))
        constant = np.log(np.abs(np.diag(self.factor))).sum() + 0.5 * len(self.mean) * np.log(2 * np.pi)
        return (self.mean + eta @ self.factor.T)[:, self.places], -0.5 * np.square(eta).sum(1) - constant

    def moments(self, data: Dataset, rng: np.random.Generator, draws: int = MOMENT_DRAWS) -> moments.Moments:
        """Mean and sd of every parameter, from so many draws where they have no quadrature."""
        loc, scale = self.mean[self.places], np.sqrt(np.square(self.factor).sum(1))[self.places]
        return moments.of(loc, scale, lambda size: self.sample(size, rng)[0], data, draws)

    def statistics(self, particles: int) -> dict[str, Any]:
        """Steps, work and stop, of so many draws per gradient; an evaluation without a gradient counts as one."""
        steps, stop = (self.gradients - self.trials) // particles, "ELBO" if self.converged else "steps"
        return {"steps": steps, "gradients": self.gradients + self.densities, "stop": stop}

    def estimate(self, data: Dataset, seed: int, loss: float) -> Estimate:
        """What a checkpoint is given."""
        return Estimate(*self.moments(data, np.random.default_rng(seed), MOMENT_DRAWS_AT_CHECKPOINTS), objective=loss)


@cache
def library() -> Path:
    """The object file of `advi.cpp`, compiled where it is not kept yet; RuntimeError with the compiler's words."""
    include = Path(httpstan.__file__).parent / "include"
    compiler = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "g++")
    told = [SOURCE.read_bytes(), repr((compiler, FLAGS, httpstan.__version__, str(include))).encode()]
    kept = cache_folder() / "stan" / f"advi-{hashlib.sha256(b''.join(told)).hexdigest()[:16]}.o"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        command = [*compiler, *FLAGS, f"-I{include}", "-c", str(SOURCE), "-o", str(part)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Stan's ADVI cannot be compiled: {done.stderr.strip()[-500:]}")
        part.replace(kept)
    return kept


def maximise(
    extension: ModuleType,
    data: Dataset,
    given: str,
    seed: int,
    clock: Clock,
    *,
    full_rank: bool,
    **settings: Any,
) -> Approximation:
    """Stan's ADVI with its step size by trial, and its stop; Diverged with Stan's words where it finds no q.

    `given` is what `as_json` gives; settings are `particles`, `iterations` at most, and `tolerance`. Where Stan has
    evaluated an ELBO, a checkpoint is offered.
    """
    dim = data.dim
    q, done = np.zeros(dim + (dim * dim if full_rank else dim)), np.zeros(3, np.int64)
    counts = [settings["particles"], ELBO_DRAWS, ELBO_EVERY, TRIAL_ITERATIONS, settings["iterations"]]
    places = np.argsort(models.order(data, models.values(data), extension))

    def read(converged: bool) -> Approximation:
        factor = q[dim:].reshape(dim, dim).T if full_rank else np.diag(np.exp(q[dim:]))
        return Approximation(q[:dim].copy(), factor.copy(), *map(int, done), converged, places)

    def look(step: int, elbo: float) -> None:
        now = read(False)
        estimate = partial(now.estimate, data, seed, -elbo)
        clock.checkpoint(step, estimate, gradients=now.gradients + now.densities)

    said = ctypes.create_string_buffer(MESSAGES)
    failed = extension.library.bench_advi(
        given.encode(),
        ctypes.c_uint(seed % 2**32),
        ctypes.c_double(INIT_RADIUS),
        ctypes.c_int(full_rank),
        (ctypes.c_int * len(counts))(*counts),
        ctypes.c_double(settings["tolerance"]),
        ctypes.c_long(dim),
        ctypes.c_void_p(q.ctypes.data),
        ctypes.c_void_p(done.ctypes.data),
        LOOK(look),
        said,
        ctypes.c_long(MESSAGES),
    )
    words = said.value.decode(errors="replace")
    if failed or not np.isfinite(q).all():
        raise Diverged(" ".join(words.split())[-300:])
    return read("CONVERGED" in words)


def log_density(extension: ModuleType, q: Approximation, z: Array, given: str, seed: int) -> Array:
    """The program's log density (n,) at z (n, dim) as the family has it, of the data that ADVI was given."""
    at, values = np.empty(z.shape), np.empty(len(z))
    at[:, q.places] = z
    failed = extension.library.bench_density(
        given.encode(),
        ctypes.c_uint(seed % 2**32),
        ctypes.c_long(len(z)),
        ctypes.c_long(z.shape[1]),
        ctypes.c_void_p(at.ctypes.data),
        ctypes.c_void_p(values.ctypes.data),
    )
    if failed:
        raise RuntimeError("the program took the data for ADVI and refuses them now")
    return values


def as_json(data: Dataset) -> str:
    """The data of a program as Stan reads them."""
    return json.dumps(models.values(data), default=lambda value: value.tolist())
