"""The exact posterior of a family, as a contender that cannot lose on accuracy."""

from bench.types import Place, Track

PACKAGES = ("numpy", "scipy")
EXTRA = ""


def environment(place: Place, track: Track) -> dict[str, str]:
    """Nothing to set."""
    return {}
