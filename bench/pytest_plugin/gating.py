"""What a pytest session is held against: --bench-baseline, or what pytest-benchmark was told to compare with."""

from __future__ import annotations

from typing import Any

import pytest

from bench.compare.baseline import NoBaseline, Source, baseline, usable
from bench.compare.document import names, tables
from bench.compare.rules import Rules


def baseline_of(config: pytest.Config, rules: Rules) -> Source | NoBaseline:
    """The run to compare with; of --benchmark-compare the last file that it found."""
    try:
        if rules.baseline:
            return baseline(rules.baseline, rules.where)
        return usable(saved) if (saved := _saved(config)) else baseline("")
    except NoBaseline as error:
        return error


def _saved(config: pytest.Config) -> Source | None:
    session: Any = getattr(config, "_benchmarksession", None)
    if session is None or not session.compare:
        return None
    found = list(session.storage.load(*([] if session.compare is True else [session.compare])))
    if not found:
        raise NoBaseline(f"pytest-benchmark has saved none in {session.storage}; next: pytest … --benchmark-save base")
    path, held = found[-1]
    try:
        return Source(tables(held), str(path), names(held))
    except ValueError as error:
        raise NoBaseline(f"{path}: {error}") from None
