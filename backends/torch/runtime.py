"""PyTorch's runtime."""

from __future__ import annotations

import torch

from backends.pytorch import compile_seconds, peak_device_bytes, start, synchronize, threads

__all__ = ["compile_seconds", "peak_device_bytes", "start", "synchronize", "threads", "versions"]


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"torch": str(torch.__version__)}
