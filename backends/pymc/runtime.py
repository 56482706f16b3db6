"""PyTensor's runtime."""

from backends._shared.pytensor import compile_seconds, start

__all__ = ["compile_seconds", "start"]
