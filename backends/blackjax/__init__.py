"""BlackJAX, on JAX: log densities written by hand, samplers as pure functions."""

from backends._shared.environment import jax as environment

__all__ = ["environment"]

PACKAGES = ("blackjax", "jax", "jaxlib")
EXTRA = "blackjax"
RUNTIME = "backends._shared.jax_platform"
DTYPE = "float32"
OWN = ("jax",)
FORKABLE = False
"""BlackJAX 1.7.1 takes a logarithm when it is imported, with which JAX opens the device and starts its threads."""
