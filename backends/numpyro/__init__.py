"""NumPyro, on JAX."""

from backends._shared.environment import jax as environment

__all__ = ["environment"]

PACKAGES = ("numpyro", "jax", "jaxlib")
EXTRA = "numpyro"
RUNTIME = "backends._shared.jax_platform"
DTYPE = "float32"
OWN = ("numpyro", "jax")
