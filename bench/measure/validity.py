"""Whether a fit's draws can be used at all: names, shapes, finite numbers, inside the support."""

from __future__ import annotations

import numpy as np

from bench.types import Dataset, Fit


def complaint(fit: Fit, data: Dataset, kind: str) -> str:
    """One sentence on the first thing wrong with the draws; empty when nothing is."""
    if fit.kind != kind:
        return f"the fit says it is {fit.kind}, its file declares {kind}"
    if set(fit.draws) != set(data.names):
        return f"parameters {', '.join(sorted(fit.draws))} instead of {', '.join(sorted(data.names))}"
    leading = {np.shape(draws)[:2] for draws in fit.draws.values()}
    if len(leading) != 1 or 0 in next(iter(leading)):
        return f"parameters differ in (chain, draw) or have none: {sorted(leading)}"
    for parameter in data.parameters:
        draws = np.asarray(fit.draws[parameter.name])
        if draws.shape[2:] != parameter.shape or draws.ndim != 2 + len(parameter.shape):
            return f"{parameter.name} has shape {draws.shape}, not (chain, draw, *{parameter.shape})"
        wrong = ~np.isfinite(draws)
        if wrong.any():
            return f"{parameter.name} has {int(wrong.sum())} non-finite values of {draws.size} (NaN or infinite)"
        outside = (draws < parameter.lower) | (draws > parameter.upper)
        if outside.any():
            return (
                f"{parameter.name} has {int(outside.sum())} of {draws.size} values outside its support "
                f"({parameter.lower:g}, {parameter.upper:g})"
            )
    return ""
