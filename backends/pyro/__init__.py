"""Pyro, on PyTorch."""

from backends._shared.environment import pytorch as environment

__all__ = ["environment"]

PACKAGES = {"pyro": "pyro-ppl", "torch": "torch"}
EXTRA = "pyro"
RUNTIME = "backends._shared.pytorch"
DTYPE = "float32"
