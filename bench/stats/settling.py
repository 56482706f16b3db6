"""When an error has settled below a target, and several reps' ways to it put side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.types import Array


def settled(error: Array, target: float) -> int | None:
    """First index from which the error (point,) stays below the target to the end; None if it never does."""
    above = np.flatnonzero(~(error < target))
    first = int(above[-1]) + 1 if len(above) else 0
    return first if first < len(error) else None


def aligned(steps: Sequence[Array]) -> tuple[Array, list[npt.NDArray[np.intp]]]:
    """All steps at which every rep has an answer, and for each rep the index of its latest point by then.

    A rep that stopped early keeps its last answer and its last second.
    """
    union = np.unique(np.concatenate(steps))
    union = union[union >= max(s[0] for s in steps)]
    return union, [np.searchsorted(s, union, side="right") - 1 for s in steps]
