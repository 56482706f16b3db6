"""NumPyro, on JAX."""

from backends._shared.environment import jax as environment

__all__ = ["environment"]

PACKAGES = ("numpyro", "jax", "jaxlib")
EXTRA = "numpyro"
DTYPE = "float32"
OWN = ("numpyro", "jax")
