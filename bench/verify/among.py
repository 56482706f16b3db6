"""Densities that only frameworks know, held against each other: a model of the user's own in several languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from bench.catalog.frameworks import named
from bench.store.manifest import Verified
from bench.types import Array
from bench.verify.comparison import Errors, compare
from bench.verify.expected import Expected
from bench.verify.outcome import Pair, judged, unjudged
from bench.verify.problems import Problem


class Answered(NamedTuple):
    """What a framework says at the points and their neighbours: value (r, m) and gradient (r, m, dim)."""

    pair: Pair
    problem: Problem
    value: Array
    gradient: Array


def judge(answered: Iterable[Answered]) -> Iterator[Verified]:
    """An outcome for each; of one scenario in one precision on one device each is held against the first by name.

    Where two differ nobody can say which is meant: none of them is to be timed, and the reason names both.
    """

    def alike(one: Answered) -> tuple[str, str, str]:
        return one.pair.scenario.label, one.pair.dtype, one.pair.device

    for _, group in groupby(sorted(answered, key=lambda one: (*alike(one), one.pair.framework)), key=alike):
        yield from _judged(list(group))


def _judged(group: Sequence[Answered]) -> Iterator[Verified]:
    first, *others = group
    files = {_file(one) for one in group}
    if len(files) == 1:
        reason = f"only {files.pop()} has its density: there is nothing to hold it against"
        yield from (unjudged(one.pair, "unknown", reason) for one in group)
        return
    errors = [_errors(first, other) for other in others]
    faults = [
        f"{_named(first)} and {_named(other)} differ: {found.reason.removeprefix('wrong target: ')}"
        for other, found in zip(others, errors, strict=True)
        if not found.passed
    ]
    worst = max(errors, key=lambda found: max(found.value, found.gradient))
    for one, found in zip(group, [worst, *errors], strict=True):
        if faults:
            yield unjudged(one.pair, "wrong", f"wrong target: {'; '.join(faults)}")
        else:
            yield judged(one.pair, found, one.problem.points.names)


def _file(one: Answered) -> str:
    """The file it is the density of; two frameworks may read one."""
    return named(one.pair.framework).own_file(one.problem.data.source)


def _named(one: Answered) -> str:
    file, framework = _file(one), one.pair.framework
    return file if file == f"{framework}.py" else f"{file} in {framework}"


def _errors(first: Answered, other: Answered) -> Errors:
    """Of the second, where the two are not both beyond the finite numbers.

    The condition of a value is bounded by its size and by what rounding the point moves it, that of a slope by the
    steepest one there.
    """
    known = np.isfinite(first.value).all(axis=0) | np.isfinite(other.value).all(axis=0)
    kept = np.flatnonzero(known if np.any(known) else np.ones_like(known))
    value, gradient = first.value[:, kept], first.gradient[:, kept]
    z = first.problem.z[0][kept]
    with np.errstate(all="ignore"):
        value_condition = np.abs(value[0]) + np.abs(gradient[0] * z).sum(axis=-1)
        steepest = np.abs(gradient[0]).max(axis=-1, keepdims=True)
    terms = first.problem.data.rows + first.problem.data.dim
    wanted = Expected(value, gradient, value_condition, np.abs(gradient[0]) + steepest, terms)
    groups = tuple(first.problem.points.groups[i] for i in kept)
    return compare(wanted, other.value[:, kept], other.gradient[:, kept], groups=groups, dtype=first.pair.dtype)
