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
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpstan
import numpy as np

from backends._shared import moments
from backends.stan import models
from bench.catalog.places import cache_folder
from bench.types import Array, Dataset, Diverged

SOURCE = Path(__file__).with_name("advi.cpp")
FLAGS = (
    *("-O3", "-std=c++17", "-fPIC", "-w", "-DBOOST_DISABLE_ASSERTS", "-DBOOST_PHOENIX_NO_VARIADIC_EXPRESSION"),
    *("-DSTAN_THREADS", "-D_REENTRANT", "-D_GLIBCXX_USE_CXX11_ABI=0"),
)
"""httpstan's own: all objects of an extension must agree on them."""
INIT_RADIUS = 2.0
ELBO_DRAWS, ELBO_EVERY, TRIAL_ITERATIONS = 100, 100, 50
"""Stan's own."""
MESSAGES, MOMENT_DRAWS = 4000, 100_000


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

    def moments(self, data: Dataset, rng: np.random.Generator) -> moments.Moments:
        """Mean and sd of every parameter."""
        loc, scale = self.mean[self.places], np.sqrt(np.square(self.factor).sum(1))[self.places]
        return moments.of(loc, scale, lambda size: self.sample(size, rng)[0], data, MOMENT_DRAWS)


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
    extension: ModuleType, data: Dataset, given: str, seed: int, *, full_rank: bool, **settings: Any
) -> Approximation:
    """Stan's ADVI with its step size by trial, and its stop; Diverged with Stan's words where it finds no q.

    `given` is what `as_json` gives; settings are `particles`, `iterations` at most, and `tolerance`.
    """
    dim = data.dim
    q = np.zeros(dim + (dim * dim if full_rank else dim))
    counts = [settings["particles"], ELBO_DRAWS, ELBO_EVERY, TRIAL_ITERATIONS, settings["iterations"]]
    done, said = np.zeros(3, np.int64), ctypes.create_string_buffer(MESSAGES)
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
        said,
        ctypes.c_long(MESSAGES),
    )
    words = said.value.decode(errors="replace")
    if failed or not np.isfinite(q).all():
        raise Diverged(" ".join(words.split())[-300:])
    factor = q[dim:].reshape(dim, dim).T if full_rank else np.diag(np.exp(q[dim:]))
    places = np.argsort(models.order(data, models.values(data), extension))
    gradients, trials, densities = map(int, done)
    return Approximation(q[:dim], factor, gradients, trials, densities, "CONVERGED" in words, places)


def as_json(data: Dataset) -> str:
    """The data of a program as Stan reads them."""
    return json.dumps(models.values(data), default=lambda value: value.tolist())
