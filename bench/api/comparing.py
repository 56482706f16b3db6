"""`bench.compare`: what changed between two runs, by the one judgement of `bench compare`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bench.api.results import Run, load
from bench.comparison import rows as judged
from bench.comparison.baseline import statuses
from bench.comparison.verdicts import judged as judge
from bench.errors import UsageError
from bench.present.comparison import formats

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis.tables import RunTables


class Comparison:
    """Run B against its baseline A: text when printed, Markdown in a notebook, `rows` as a frame."""

    def __init__(self, comparison: judged.Comparison) -> None:
        self._comparison = comparison

    @property
    def outcome(self) -> Literal["ok", "regression", "not comparable"]:
        """`regression` where a row fails, `not comparable` where a gate could not be answered, or nothing could."""
        return self._comparison.outcome

    @cached_property
    def rows(self) -> pd.DataFrame:
        """A row per cell and metric: medians `a` and `b`, `change` with its interval `low` to `high`, `verdict`, ….

        The columns of `bench compare --format json`; numbers that do not exist are missing.
        """
        import pandas as pd

        return pd.DataFrame(formats.document(self._comparison, code=self._comparison.code)["rows"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before the rows are believed."""
        return tuple(map(str, self._comparison.warnings))

    def __str__(self) -> str:
        return formats.text(self._comparison, everything=False)

    def _repr_markdown_(self) -> str:
        return formats.markdown(self._comparison, everything=False)

    def __repr__(self) -> str:
        return f"<bench.Comparison of {self._comparison.a} and {self._comparison.b}: {self.outcome}>"


def compare(
    a: Run | str | os.PathLike[str],
    b: Run | str | os.PathLike[str],
    *,
    fail_on: str | Iterable[str] = (),
    metrics: str | Iterable[str] = (),
    thresholds: str | Iterable[str] = (),
    allow_other_machine: bool = False,
    results: str | os.PathLike[str] = "results",
) -> Comparison:
    """Compare run B with its baseline A, cell by cell and metric by metric: ratio, interval, verdict.

    Args:
        a: the baseline, a run or what `bench.load` opens.
        b: the run to judge.
        fail_on: changes that alone are regressions, such as `"seconds_total>10%"`; by default every metric compared.
        metrics: compare these instead of the default ones.
        thresholds: how large a change counts, in the form of `fail_on`.
        allow_other_machine: show times of different machines, as advice only.
        results: the folder of runs that are named.

    Raises:
        UsageError: for a run, metric or expression that cannot be, and for a baseline of which no fit finished.
    """
    request = judged.Request.read(
        _texts(fail_on), _texts(thresholds), _texts(metrics), allow_other_machine=allow_other_machine
    )
    first, second = (_tables(one, results) for one in (a, b))
    if unfinished := statuses(first):
        raise UsageError(f"no baseline: no fit of {first.run.id} finished ({unfinished})")
    return Comparison(judge(first, second, request))


def _tables(run: Run | str | os.PathLike[str], results: str | os.PathLike[str]) -> RunTables:
    return (run if isinstance(run, Run) else load(run, results=results))._tables


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
