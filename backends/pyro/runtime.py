"""PyTorch's runtime, for Pyro."""

from __future__ import annotations

import pyro
import torch

from backends.pytorch import compile_seconds, peak_device_bytes, start, synchronize, threads

__all__ = ["compile_seconds", "peak_device_bytes", "start", "synchronize", "threads", "versions"]


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"pyro-ppl": pyro.__version__, "torch": str(torch.__version__)}
