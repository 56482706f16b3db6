"""Threads, default dtype and device of PyTorch, for every framework that stands on it."""

from __future__ import annotations

import torch

from bench.types import Place, Unavailable

_started = Place()

# The first optimiser imports a second's worth of modules: part of the import, then, and no step's cost.
torch.optim.Adam([torch.zeros((), requires_grad=True)])


def start(place: Place) -> None:
    """Set threads and the default dtype; Unavailable when the device is not there."""
    global _started
    if place.device == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda or "no CUDA"
        raise Unavailable(f"cuda was asked for; torch {torch.__version__} (built with {built}) finds no CUDA device")
    torch.set_num_threads(place.threads)
    torch.set_default_dtype(torch.float64 if place.dtype == "float64" else torch.float32)
    _started = place


def synchronize() -> None:
    """Wait for the device."""
    if _started.device == "cuda":
        torch.cuda.synchronize()


def peak_device_bytes() -> int:
    """Most bytes that tensors took on the device since the process began; 0 on the CPU."""
    return int(torch.cuda.max_memory_allocated()) if _started.device == "cuda" else 0


def threads() -> int | None:
    """Threads of intra-op parallelism."""
    return int(torch.get_num_threads())
