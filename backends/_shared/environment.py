"""Variables of a child that several frameworks need, set before they are imported."""

from bench.types import Place, Track


def pytorch(place: Place, track: Track) -> dict[str, str]:
    """Hide the GPUs from a run on the CPU; let idle threads sleep in matched runs.

    MKL opens a parallel region for the logarithm of 100 numbers, and a thread that spins for a neighbour's core has
    made that one operation take 0.9 ms instead of 0.02 ms on a busy machine.
    """
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if place.device == "cpu" else {}
    return hidden | ({"OMP_WAIT_POLICY": "PASSIVE"} if track == "matched" else {})


def jax(place: Place, track: Track) -> dict[str, str]:
    """Precision, platform, and no persistent compilation cache: it would make a cold number warm unnoticed."""
    return {
        "JAX_ENABLE_X64": "1" if place.dtype == "float64" else "0",
        "JAX_PLATFORMS": "cpu" if place.device == "cpu" else "cuda,cpu",
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # or peak device memory would read 75 % of the device
    }


def pytensor(place: Place, track: Track) -> dict[str, str]:
    """Precision, and no kept programs of Numba: they would make a cold number warm unnoticed."""
    return {"PYTENSOR_FLAGS": f"floatX={place.dtype},numba__cache=False"}
