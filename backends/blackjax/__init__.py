"""BlackJAX, on JAX: log densities written by hand, samplers as pure functions."""

from backends._shared.environment import jax as environment

__all__ = ["environment"]

PACKAGES = ("blackjax", "jax", "jaxlib")
EXTRA = "blackjax"
DTYPE = "float32"
OWN = ("jax",)
