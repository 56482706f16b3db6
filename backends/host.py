"""The runtime of the frameworks that compute in NumPy on the host: nothing to set, nothing to drain."""

from __future__ import annotations

from bench.types import Place, Unavailable


def start(place: Place) -> None:
    """Accept the CPU; Unavailable for another device."""
    if place.device != "cpu":
        raise Unavailable(f"device {place.device!r} was asked for, but this framework computes on the CPU only")


def synchronize() -> None:
    """Nothing runs behind the caller's back."""


def peak_device_bytes() -> int:
    """No device, no bytes."""
    return 0


def compile_seconds() -> float:
    """Nothing is compiled."""
    return 0.0


def threads() -> int | None:
    """NumPy offers no read-back of its BLAS threads."""
    return None
