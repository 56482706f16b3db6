"""What a comparison says: one row per cell and metric, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pandas as pd

from bench.analysis.labels import label
from bench.analysis.sections import VARYING
from bench.comparison.expressions import Expression, parse
from bench.comparison.measures import DEFAULT, MEASURES, MISSING, STATUS, Scale
from bench.errors import UsageError, unknown
from bench.stats.intervals import Estimate

Verdict = Literal["worse", "better", "same", "inconclusive", "new", "missing", "code-changed", "other-machine"]
VERDICTS: tuple[Verdict, ...] = (
    "worse", "better", "missing", "new", "inconclusive", "same", "code-changed", "other-machine",
)  # fmt: skip
CODES: Mapping[str, int] = {"ok": 0, "regression": 1, "not comparable": 6}
"""Exit codes by outcome."""
NO_BASELINE = 5
COMPARED: frozenset[str] = frozenset({"worse", "better", "same", "inconclusive"})


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants compared, and which changes count.

    `packages` {backend: packages it needs}; a backend that is not in it may feel any version change. `looks` is
    how often the same comparison is made at most while measuring goes on.
    """

    metrics: tuple[str, ...] = DEFAULT
    fail_on: tuple[Expression, ...] = ()
    thresholds: tuple[Expression, ...] = ()
    allow_other_machine: bool = False
    packages: Mapping[str, tuple[str, ...]] | None = None
    looks: int = 1

    @classmethod
    def read(
        cls,
        fail_on: Iterable[str] = (),
        threshold: Iterable[str] = (),
        metric: Iterable[str] = (),
        *,
        allow_other_machine: bool = False,
    ) -> Request:
        """From expressions and names as the user writes them; UsageError for one that cannot be."""
        for name in metric:
            if name not in MEASURES and name != STATUS:
                raise unknown("metric", name, [*MEASURES, STATUS])
        thresholds = tuple(map(parse, threshold))
        for t in thresholds:
            if t.metric not in MEASURES:
                raise UsageError(f"threshold {t.text!r}: {t.metric} has no threshold")
        return cls(tuple(metric) or DEFAULT, tuple(map(parse, fail_on)), thresholds, allow_other_machine)

    @property
    def compared(self) -> tuple[str, ...]:
        """The metrics asked for and those of the gates, each once; `status` always."""
        gates = [e.metric for e in self.fail_on if e.metric != MISSING]
        return tuple(dict.fromkeys([STATUS, *self.metrics, *gates]))

    @property
    def gates(self) -> tuple[Expression, ...]:
        """Those of `fail_on` that are about a metric; where there are none, every metric compared may fail."""
        return tuple(e for e in self.fail_on if e.metric != MISSING)


@dataclass(frozen=True, slots=True)
class Row:
    """One cell and metric; `metric` is empty for a cell that one run lacks.

    `a` and `b` are medians over fits; `change` and `interval` the ratio B/A (or B − A where `scale` says so) and its
    interval; `hides` the worst change an inconclusive row leaves open. `flags` say what else differs; `advisory` that
    nothing may rest on the row.
    """

    cell: str
    scenario: str
    backend: str
    metric: str
    verdict: Verdict
    reason: str = ""
    unit: str = ""
    scale: Scale = "ratio"
    threshold: str = ""
    a: float | None = None
    b: float | None = None
    change: float | None = None
    interval: tuple[float, float] | None = None
    hides: float | None = None
    estimate: Estimate | None = None
    per: str = ""
    flags: tuple[str, ...] = ()
    advisory: bool = False
    regression: bool = False
    variant: str = ""

    @property
    def name(self) -> str:
        """`scenario × backend`, with what tells it from a namesake."""
        return f"{self.scenario} × {self.backend}" + (f" ({self.variant})" if self.variant else "")


def variants(firsts: Sequence[Mapping[Any, Any]]) -> list[str]:
    """Of the first fit of each cell, what tells it from those with the same scenario and backend: `track matched`."""
    names = [(str(first["scenario"]), label(first)) for first in firsts]
    known: dict[tuple[str, str, str], set[str]] = {}
    for name, first in zip(names, firsts, strict=True):
        for column in ("track", *VARYING):
            known.setdefault((*name, column), set()).update({str(v) for v in [first.get(column)] if not pd.isna(v)})
    return [
        ", ".join(f"{c} {first.get(c)}" for c in ("track", *VARYING) if len(known[*name, c]) > 1)
        for name, first in zip(names, firsts, strict=True)
    ]


class Warned(NamedTuple):
    """What a reader must know before believing a comparison, and the command to type next, where there is one.

    `lead` says what that command is for.
    """

    text: str
    command: str = ""
    lead: str = "Next"

    def __str__(self) -> str:
        return f"{self.text} {self.lead}: {self.command}" if self.command else self.text


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs compared: `level` is that of every interval, `tests` how many comparisons it is for.

    `machine`, `harness` and `versions` say what differs between the runs; `unchecked` lists gates that no row could
    answer; `cells` counts those both runs have; `warnings` are the gravest first.
    """

    a: str
    b: str
    rows: tuple[Row, ...]
    level: float
    tests: int
    cells: int
    machine: tuple[str, ...] = ()
    harness: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    warnings: tuple[Warned, ...] = ()

    @property
    def regressions(self) -> list[Row]:
        """Rows that fail the comparison."""
        return [row for row in self.rows if row.regression]

    @property
    def outcome(self) -> Literal["ok", "regression", "not comparable"]:
        """What the exit code says: a regression wins over a gate that could not be checked."""
        if self.regressions:
            return "regression"
        measured = any(row.verdict in COMPARED and row.metric not in ("", STATUS) for row in self.rows)
        return "ok" if measured and not self.unchecked else "not comparable"

    @property
    def code(self) -> int:
        """The exit code."""
        return CODES[self.outcome]

    def counts(self) -> dict[str, int]:
        """Rows per verdict, in the order of VERDICTS, without zeros."""
        return {v: n for v in VERDICTS if (n := sum(row.verdict == v for row in self.rows))}
