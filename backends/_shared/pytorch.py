"""Threads, dtype, device and tensors of PyTorch, for every framework that stands on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from bench.types import Arrays, Dataset, Place, Unavailable

_started = Place()

# The first optimiser imports a second's worth of modules: part of the import, then, and no step's cost.
torch.optim.Adam([torch.zeros((), requires_grad=True)])


def start(place: Place) -> None:
    """Set threads and the default dtype, and open the device; Unavailable when it is not there."""
    global _started
    if place.device == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda or "no CUDA"
        raise Unavailable(f"cuda was asked for; torch {torch.__version__} (built with {built}) finds no CUDA device")
    torch.set_num_threads(place.threads)
    torch.set_default_dtype(dtype_of(place))
    _started = place
    if place.device == "cuda":
        square = torch.ones((2, 2), device=place.device)
        (square @ square).sum().item()  # opens CUDA's context and cuBLAS, which are no fit's


def synchronize() -> None:
    """Wait for everything that was queued on the device; on the CPU an operation has ended when it returns."""
    if _started.device == "cuda":
        torch.cuda.synchronize()


def peak_device_bytes() -> int:
    """Most bytes that tensors took on the device since the process began; 0 on the CPU."""
    return int(torch.cuda.max_memory_allocated()) if _started.device == "cuda" else 0


def threads() -> int | None:
    """Threads of intra-op parallelism."""
    return int(torch.get_num_threads())


def dtype_of(place: Place) -> torch.dtype:
    """The torch dtype of `place`."""
    return torch.float64 if place.dtype == "float64" else torch.float32


def to_tensors(arrays: Arrays, place: Place) -> dict[str, Tensor]:
    """The arrays on the device of `place`, in its dtype but for whole numbers."""
    kinds = {name: torch.int64 if np.asarray(x).dtype.kind == "i" else dtype_of(place) for name, x in arrays.items()}
    return {name: torch.tensor(x, dtype=kinds[name], device=place.device) for name, x in arrays.items()}


def split(data: Dataset, flat: Tensor) -> dict[str, Tensor]:
    """Views of a (…, dim) tensor, one per site."""
    pieces = flat.split([p.size for p in data.sites], dim=-1)
    return {p.name: x.reshape(flat.shape[:-1] + p.shape) for p, x in zip(data.sites, pieces, strict=True)}


def log_ndtr(u: Tensor) -> Tensor:
    """log Φ(u), whose slope keeps its digits in the lower tail too: torch's own has exp(−u²/2 − log Φ(u))."""
    low, high = u.clamp(max=0.0) * -math.sqrt(0.5), u.clamp(min=0.0) * math.sqrt(0.5)
    tail = torch.log(0.5 * torch.special.erfcx(low)) - low.square()
    return torch.where(u < 0.0, tail, torch.log1p(-0.5 * torch.special.erfc(high)))


LOG_ODDS: Mapping[str, Callable[[Tensor], Tensor]] = {"": lambda u: u, "probit": lambda u: log_ndtr(u) - log_ndtr(-u)}
"""By link, what a law takes for a predictor: the log odds where it is not the usual link; exact in both tails."""
