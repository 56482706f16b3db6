"""PyTorch, by hand."""

from backends._shared.environment import pytorch as environment

__all__ = ["environment"]

PACKAGES = ("torch",)
EXTRA = "torch"
RUNTIME = "backends._shared.pytorch"
DTYPE = "float32"
