"""What a backend states of a fit beside its draws: the statistics that scoring reads, and the form any are kept in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.errors import printable, shown
from bench.measure.validity import is_masked

LONGEST = 1000
"""Entries of a list that a record keeps."""
INTEGERS = 2**63


class Statistic(NamedTuple):
    """One that scoring reads: a value of the whole fit, one per draw (chain, draw), or either.

    Numbers are finite (`finite`) and at least `least`; a count is whole; a flag is a boolean or 0 or 1.
    """

    per: Literal["fit", "draw", "either"]
    type: Literal["number", "count", "flag", "text", "names"]
    least: float = -math.inf
    finite: bool = True


STATISTICS: Mapping[str, Statistic] = {
    "gradients": Statistic("fit", "number", 0.0),
    "gradients_warmup": Statistic("fit", "number", 0.0),
    "gradients_executed": Statistic("fit", "number", 0.0),
    "gradients_executed_warmup": Statistic("fit", "number", 0.0),
    "steps": Statistic("fit", "number", 0.0),
    "superchains": Statistic("fit", "count", 2.0),
    "thinning": Statistic("fit", "count", 1.0),
    "objective": Statistic("fit", "text"),
    "plug_in": Statistic("fit", "names"),
    "treedepth_hits": Statistic("either", "count", 0.0),
    "diverging": Statistic("draw", "flag"),
    "num_steps": Statistic("draw", "count", 0.0),
    "num_steps_executed": Statistic("draw", "count", 0.0),
    "energy": Statistic("draw", "number"),
    "log_q": Statistic("draw", "number", finite=False),
    "log_density": Statistic("draw", "number"),
}
"""What each means is said in `bench.protocols.Backend`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Statistics as they are stored: `scalars` JSON can hold, `arrays` (chain, draw, …).

    `notes` say which were left out and why; `complaint` is on the first that scoring reads and cannot use, or empty.
    """

    scalars: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    notes: list[str]
    complaint: str


def kept(stats: Mapping[Any, Any], shape: tuple[int, int]) -> Kept:
    """Statistics of a fit whose draws are `shape` = (chain, draw).

    Arrays without axes become numbers, those of shape (chain,) lists. Whatever is not a number, text or list of such,
    or an array (chain, draw, …) of numbers or flags, is left out; where scoring reads it, that is a complaint.
    """
    scalars, arrays, notes, complaints = dict[str, Any](), dict[str, npt.NDArray[Any]](), list[str](), list[str]()
    for name, value in stats.items():
        declared = STATISTICS.get(name) if isinstance(name, str) else None
        try:
            if not isinstance(name, str) or not name.isidentifier() or name in {"chain", "draw"}:
                raise ValueError("its name is none; letters, digits and _ are allowed, chain and draw are axes")
            form = _form(value, shape)
            if declared is not None:
                _check(form, declared, shape)
        except ValueError as why:
            text = f"statistic {name if declared else shown(name)}: {why}"
            (notes if declared is None else complaints).append(text if declared else f"{text}; it is not kept")
            continue
        (arrays if isinstance(form, np.ndarray) else scalars)[name] = form
    if scalars.get("gradients_warmup", 0) > scalars.get("gradients", math.inf):
        both = f"{scalars['gradients_warmup']:g} of {scalars['gradients']:g}"
        complaints.append(f"statistic gradients_warmup: {both} gradients; it cannot be more than gradients")
    return Kept(scalars, arrays, notes, complaints[0] if complaints else "")


def _form(value: Any, shape: tuple[int, int]) -> Any:
    """A value as it is stored; ValueError with what is wrong with it."""
    if is_masked(value):
        raise ValueError("a masked array; fill it, or leave it out")
    if isinstance(value, np.ndarray) and value.ndim:
        if value.dtype.kind not in "biuf":
            raise ValueError(f"an array of {value.dtype}; numbers and flags are allowed")
        if value.shape == shape[:1]:
            return [_plain(item) for item in value.tolist()]
        if value.shape[:2] != shape:
            raise ValueError(f"shape {value.shape}; a number, (chain,) or (chain, draw, …) of {shape} is allowed")
        return np.asarray(value, np.float64 if value.dtype.kind == "f" and value.itemsize not in (4, 8) else None)
    if isinstance(value, list | tuple):
        if len(value) > LONGEST:
            raise ValueError(f"{len(value)} entries; a list may have {LONGEST}, an array (chain, draw, …) any number")
        return [_plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    """A number, text or None as JSON takes it; ValueError for anything else."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.item()
    if isinstance(value, str):
        return printable(str(value), 500)
    if isinstance(value, bool | None):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no finite number")
        return float(value)
    if isinstance(value, int):
        if abs(value) >= INTEGERS:
            raise ValueError(f"{shown(value)} has more than 63 bits")
        return int(value)
    raise ValueError(f"{shown(value)} ({type(value).__name__}) is no number, text, or list or array of these")


def _check(form: Any, declared: Statistic, shape: tuple[int, int]) -> None:
    """ValueError unless a statistic is as it was declared."""
    if isinstance(form, np.ndarray):
        if declared.per == "fit":
            raise ValueError(f"shape {form.shape}; one value of the whole fit is asked for")
        if form.shape != shape:
            raise ValueError(f"shape {form.shape}; one value per draw, {shape}, is asked for")
        return _check_draws(form, declared)
    if declared.per == "draw":
        raise ValueError(f"{shown(form)}; one value per draw, an array {shape}, is asked for")
    if declared.type in {"text", "names"}:
        items = form if declared.type == "names" and isinstance(form, list) else [form]
        if not all(isinstance(item, str) for item in items):
            raise ValueError(f"{shown(form)} is no {'text' if declared.type == 'text' else 'list of names'}")
    elif isinstance(form, bool) or not isinstance(form, int | float) or form < declared.least:
        raise ValueError(f"{shown(form)} is no number of at least {declared.least:g}")
    elif declared.type == "count" and form != int(form):
        raise ValueError(f"{form:g} is no whole number")
    return None


def _check_draws(values: npt.NDArray[Any], declared: Statistic) -> None:
    numbers = values.astype(np.float64)
    if declared.type == "flag":
        wrong = (numbers != 0.0) & (numbers != 1.0)
        what = "no flags (true or false, 1 or 0)"
    else:
        wrong = ~np.isfinite(numbers) if declared.finite else np.zeros(numbers.shape, bool)
        wrong |= numbers < declared.least
        if declared.type == "count":
            wrong |= numbers != np.rint(numbers)
        whole = "whole numbers" if declared.type == "count" else "finite numbers"
        what = f"no {whole}" + (f" of at least {declared.least:g}" if declared.least > -math.inf else "")
    if wrong.any():
        first = values[wrong][0]
        raise ValueError(f"{int(wrong.sum())} of {wrong.size} values are {what}, the first {first}")
