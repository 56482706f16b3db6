"""A framework that is NumPy."""

import os

from backends.host import compile_seconds, peak_device_bytes, synchronize, threads
from bench.types import Unavailable

__all__ = ["compile_seconds", "peak_device_bytes", "start", "synchronize", "threads", "versions"]


def start(place):
    if os.environ.get("CROOKED") == "unavailable":
        raise Unavailable("no such device here")


def versions():
    return {"crooked": "1"}
