"""The canned runs of the renderers' tests."""

from tests.present.conftest import make, standard

__all__ = ["make", "standard"]
