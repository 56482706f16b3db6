"""NumPyro, on JAX."""

from bench.types import Place, Track

PACKAGES = ("numpyro", "jax", "jaxlib")
EXTRA = "numpyro"
DTYPE = "float32"


def environment(place: Place, track: Track) -> dict[str, str]:
    """Precision, platform, and no persistent compilation cache: it would make a cold number warm unnoticed."""
    return {
        "JAX_ENABLE_X64": "1" if place.dtype == "float64" else "0",
        "JAX_PLATFORMS": "cpu" if place.device == "cpu" else "cuda,cpu",
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # or peak device memory would read 75 % of the device
    }
