"""How points and densities travel between the gate and its children: arrays as JSON text, to the last bit."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from bench.types import Array

ANSWERS = "answers.jsonl"
"""The file of a child's answers, in the folder it is given."""


def packed(array: Array) -> dict[str, Any]:
    """An array of float64 as JSON takes it, infinities and NaN included."""
    content = np.ascontiguousarray(array, "<f8")
    return {"shape": list(content.shape), "float64": base64.b64encode(content.tobytes()).decode()}


def unpacked(value: dict[str, Any]) -> Array:
    """The inverse of `packed`."""
    return np.frombuffer(base64.b64decode(value["float64"]), "<f8").reshape(value["shape"])
