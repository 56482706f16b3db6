"""Variables of a child that several frameworks need, set before they are imported."""

import os

from bench.types import Place, Track


def pytorch(place: Place, track: Track) -> dict[str, str]:
    """Hide the GPUs from a run on the CPU; let idle threads sleep in matched runs.

    MKL opens a parallel region for the logarithm of 100 numbers, and a thread that spins for a neighbour's core has
    made that one operation take 0.9 ms instead of 0.02 ms on a busy machine.
    """
    return _gpu(place, track) | ({"OMP_WAIT_POLICY": "PASSIVE"} if track == "matched" else {})


def jax(place: Place, track: Track) -> dict[str, str]:
    """Precision, platform, and no persistent compilation cache: it would make a cold number warm unnoticed."""
    full = {"JAX_DEFAULT_MATMUL_PRECISION": "highest"} if place.device == "cuda" and track == "matched" else {}
    return {
        "JAX_ENABLE_X64": "1" if place.dtype == "float64" else "0",
        "JAX_PLATFORMS": "cpu" if place.device == "cpu" else "cuda,cpu",
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # every child would take 75 % of the device
        **full,
        **_gpu(place, track),
    }


def _gpu(place: Place, track: Track) -> dict[str, str]:
    """One GPU for every contender, the first that the user lets be seen; products of float32 in float32 if matched.

    JAX multiplies float32 in TF32, which keeps 10 bits of 23, wherever the GPU has it, and PyTorch does not.
    """
    if place.device == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    one = {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]}
    return one | ({"NVIDIA_TF32_OVERRIDE": "0"} if track == "matched" else {})


def pytensor(place: Place, track: Track) -> dict[str, str]:
    """Precision, and no kept programs of Numba: they would make a cold number warm unnoticed."""
    return {"PYTENSOR_FLAGS": f"floatX={place.dtype},numba__cache=False"}
