"""PyTorch, by hand."""

from bench.types import Place, Track

PACKAGES = ("torch",)
EXTRA = "torch"


def environment(place: Place, track: Track) -> dict[str, str]:
    """Hide the GPUs from a run on the CPU, so that none is initialised."""
    return {"CUDA_VISIBLE_DEVICES": ""} if place.device == "cpu" else {}
