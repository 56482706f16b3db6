"""The family's own log density, with one chosen fault."""

import ctypes
import os
import time
from pathlib import Path

import numpy as np

from bench.data import family


def log_density(data, z, place):
    fault = os.environ.get("CROOKED", "")
    if "CROOKED_STARTED" in os.environ:
        Path(os.environ["CROOKED_STARTED"]).write_text("at work")
    if fault == "segfault" and len(data.arrays["y"]) == 100:
        ctypes.string_at(0)
    if fault == "raises":
        raise ArithmeticError("planned")
    if fault == "sleep":
        time.sleep(600)
    if fault == "family":
        return {}[data.family]
    value, gradient = family(data.family).log_density(data, z)
    value, gradient = value.astype(place.dtype), gradient.astype(place.dtype)
    if fault == "jacobian":  # sigma is the last scalar, on a log scale
        return value - z[:, -1], gradient - np.eye(data.dim)[-1]
    if fault == "nan":
        return np.where(np.arange(len(z)) == 3, np.nan, value), gradient
    if fault == "rough":  # by what differs from each point to its neighbours, ten times the gate of float64
        return value + 7.0, gradient * (1.0 + 1e-8 * np.sin(1e17 * np.frexp(z)[0]))
    if fault == "shape":
        return value[:, None], gradient
    return value + 7.0, gradient
