"""The canned runs of the renderers' tests."""

from tests.present.conftest import make, standard, undrawn

__all__ = ["make", "standard", "undrawn"]
