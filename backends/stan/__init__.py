"""Stan, through httpstan: a program is C++ that is compiled for each model."""

from bench.types import Place, Track

PACKAGES = ("httpstan",)
EXTRA = "stan"
OWN = ("model.stan",)


def environment(place: Place, track: Track) -> dict[str, str]:
    """No cache of the C++ compiler: it would make a cold number warm unnoticed."""
    return {"CCACHE_DISABLE": "1"}
