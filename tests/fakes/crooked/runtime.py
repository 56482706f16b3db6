"""A framework that is NumPy."""

import os

from bench.types import Unavailable


def start(place):
    if os.environ.get("CROOKED") == "unavailable":
        raise Unavailable("no such device here")
