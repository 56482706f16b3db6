"""PyMC, on PyTensor."""

from backends._shared.environment import pytensor as environment

__all__ = ["environment"]

PACKAGES = ("pymc", "pytensor", "numba")
EXTRA = "pymc"
RUNTIME = "backends._shared.pytensor"
