"""A leapfrog step of all chains as one program of `torch.compile`: density, gradient and both updates.

Small data cost dispatch, some thirty operations a step, which one program does not. It is compiled before any data are
seen, once for each number of chains; data are its arguments. What a fit would compile anew ends it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor

from backends.torch import gradients, models
from backends.torch.hamiltonian import Point, Target
from bench.types import Dataset, Place, Unavailable, Unsupported

COMPILER = "g++"
"""What Inductor calls on the CPU, unless the variable CXX says otherwise."""


class Step(NamedTuple):
    """The program, and what makes its arguments of the data."""

    evaluate: gradients.Evaluate
    program: Any

    def target(self, arrays: models.Tensors) -> CompiledTarget:
        """On these data."""
        return CompiledTarget(self, self.evaluate.prepared(arrays))

    def compile(self, arrays: models.Tensors, dim: int, counts: set[int]) -> None:
        """For arrays of these shapes and these numbers of chains; nothing comes from a cache or is left in one."""
        target, like = self.target(arrays), next(x for x in arrays.values() if x.is_floating_point())
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # others would wait beside the fits
        with TemporaryDirectory() as folder:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
            for chains in sorted(counts):
                z, p, drift, kick = (like.new_zeros(chains, dim) for _ in range(4))
                target.glide(z, p, drift, kick)

    def frozen(self) -> AbstractContextManager[None]:
        """Within it, what would be compiled is an error."""
        found: AbstractContextManager[None] = torch.compiler.set_stance("fail_on_recompile")
        return found


class CompiledTarget(Target):
    """A target whose steps are compiled; a density alone, at starts, is not."""

    def __init__(self, step: Step, arrays: models.Tensors) -> None:
        super().__init__(lambda z: step.evaluate(arrays, z))
        self.step, self.arrays = step.program, arrays

    def glide(self, z: Tensor, p: Tensor, drift: Tensor, kick: Tensor) -> tuple[Point, Tensor]:
        """By the program."""
        self.executed += len(z)
        z, value, slope, p = self.step(self.arrays, z, p, drift, kick)
        return Point(z, value, slope), p


def step(data: Dataset, place: Place, *, backend: str = "inductor") -> Step:
    """Not compiled yet; Unsupported for a gradient by autograd, Unavailable without a C++ compiler.

    `backend` is one of torch.compile's.
    """
    evaluate = gradients.functional(data)
    if evaluate is None:
        raise Unsupported("compile=true compiles gradients that are derived by hand, and here is none: compile=false")
    if place.device != "cpu":
        raise Unsupported(f"compile=true is for the CPU; on {place.device} it has never been run")
    options = None
    if backend == "inductor":
        options = {"cpp_cache_precompile_headers": False}  # they are kept wherever the cache is
        compiler = (os.environ.get("CXX") or COMPILER).split()[0]
        if shutil.which(compiler) is None:
            raise Unavailable(
                f"compile=true needs a C++ compiler, and {compiler} is not on the PATH: install {COMPILER}"
            )

    def leap(arrays: models.Tensors, z: Tensor, p: Tensor, drift: Tensor, kick: Tensor) -> tuple[Tensor, ...]:
        z = torch.addcmul(z, drift, p)
        value, slope = evaluate(arrays, z)
        return z, value, slope, torch.addcmul(p, kick, slope)

    return Step(evaluate, torch.compile(leap, fullgraph=True, dynamic=False, backend=backend, options=options))
