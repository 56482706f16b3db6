"""PyTorch's runtime."""

from backends._shared.pytorch import peak_device_bytes, start, synchronize, threads

__all__ = ["peak_device_bytes", "start", "synchronize", "threads"]
