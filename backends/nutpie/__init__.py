"""nutpie: a NUTS in Rust over the same PyMC models."""

from backends._shared.environment import pytensor as environment

__all__ = ["environment"]

PACKAGES = ("nutpie", "pymc", "pytensor", "numba")
EXTRA = "nutpie"
RUNTIME = "backends._shared.pytensor"
OWN = ("pymc",)
