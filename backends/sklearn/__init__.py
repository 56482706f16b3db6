"""Scikit-learn."""

from bench.types import Place, Track

PACKAGES = {"sklearn": "scikit-learn", "numpy": "numpy"}
EXTRA = "sklearn"


def environment(place: Place, track: Track) -> dict[str, str]:
    """Nothing to set beyond the thread variables of the runner."""
    return {}
