"""What each backend was given and how it was run: the reader's check that the comparison is fair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.analysis.labels import worded
from bench.analysis.sections import Report, Row, Section
from bench.cell import BUDGET_OPTIONS, BUDGETS
from bench.store.manifest import Combined, Run
from bench.words import format as fmt
from bench.words.clean import clean

TRACKS = {
    "matched": "Track matched: the same budget, float64 and, for samplers, the same adaptation for all; what a "
    "framework does by default is not what is compared here.",
    "defaults": "Track defaults: every framework as it ships, its own precision and settings included; what differs "
    "between rows is more than the backend's speed.",
}


class Terms(NamedTuple):
    """A backend's row of the panel; several values where scenarios differ."""

    backend: str
    work: str
    place: str
    threads: str
    settings: str
    warmup: str
    start: str


def terms(report: Report) -> list[Terms]:
    """One row per backend, in the order of the table."""
    by_label: dict[str, list[Row]] = {}
    for _, row in report.rows:
        by_label.setdefault(row.label, []).append(row)
    return [_terms(label, rows, report.tables.run) for label, rows in by_label.items()]


def _terms(label: str, rows: list[Row], run: Run) -> Terms:
    ran = [row for row in rows if row.reps]
    return Terms(
        backend=clean(label),
        work=_joined(work(row, run) for row in rows),
        place=_joined(f"{row.tables.first('device')}, {row.tables.first('dtype')}" for row in rows),
        threads=_threads(ran) or fmt.NONE,
        settings=_joined(settings(row, run) for row in rows),
        warmup=_warmup([row for row in ran if row.kind == "mcmc"]) or fmt.NONE,
        start=_joined(row.tables.texts("started") for row in ran) or fmt.NONE,
    )


def _joined(texts: Iterable[str]) -> str:
    unique = list(dict.fromkeys(filter(None, texts)))
    return clean("; ".join(unique[:4]) + (f"; and {len(unique) - 4} other" if len(unique) > 4 else ""))


def work(row: Row, run: Run) -> str:
    """`4 chains × (1000 warmup + 1000 draws)`, or `10,000 steps`: the budget with what the row's options change."""
    name = row.tables.first("budget")
    preset = _recorded(run, "budgets").get(name) or (
        {field: getattr(BUDGETS[name], field) for field in BUDGET_OPTIONS} if name in BUDGETS else {}
    )
    size = {**preset, **{k: v for k, v in row.options.items() if k in BUDGET_OPTIONS}}
    if row.kind == "exact" or not size:
        return ""
    if row.kind == "mcmc":
        chains = row.tables.first("chains") or str(size.get("chains"))
        draws = f"draws until b² < {size['until']:g}" if size.get("until") else f"{size.get('draws'):,} draws"
        return f"{chains} chains × ({size.get('warmup'):,} warmup + {draws})"
    return f"at most {size.get('steps'):,} steps" + (f", until b² < {size['until']:g}" if size.get("until") else "")


def settings(row: Row, run: Run) -> str:
    """Every option with its value, the given ones as given, and what the backend says of the rest."""
    known = _recorded(run, "backends").get(row.backend)
    options = {k: worded(v) for k, v in row.options.items()}
    if known is None:
        return ", ".join(f"{k}={v}" for k, v in options.items())
    unnamed = {**known.options, **(known.defaults if row.tables.first("track") == "defaults" else {})}
    options = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in unnamed.items()} | options
    text = ", ".join(f"{k}={v}" for k, v in options.items() if k not in BUDGET_OPTIONS)
    return " · ".join(filter(None, [text, *known.settings.splitlines()[:1]]))


def _recorded(run: Run, what: str) -> Mapping[str, Any]:
    """What the manifest says of backends or budgets; of combined runs the first that says it."""
    manifests = list(run.runs.values()) if isinstance(run, Combined) else [run]
    return {name: entry for manifest in reversed(manifests) for name, entry in getattr(manifest, what).items()}


def _threads(rows: Sequence[Row]) -> str:
    columns = (("threads", "given"), ("os_threads", "seen"))
    counts = {word: [n for row in rows if (n := row.tables.most(column)) is not None] for column, word in columns}
    return ", ".join(f"{_span(values)} {word}" for word, values in counts.items() if values)


def _warmup(rows: Sequence[Row]) -> str:
    """`49–52 % of the gradients, 40 % of the seconds`: the least and the most over scenarios."""
    gradients, seconds = [], []
    for cell in (row.tables for row in rows):
        total, warm = cell.most("gradients"), cell.most("gradients_warmup")
        if total and warm is not None:
            gradients.append(100 * warm / total)
        warmup, sample = (cell.phase(f"seconds_{name}", cold=False) for name in ("warmup", "sample"))
        if warmup is not None and sample is not None and warmup + sample > 0:
            seconds.append(100 * warmup / (warmup + sample))
    split = ", told apart by executed gradients" if any(row.tables.first("split") == "prorated" for row in rows) else ""
    shares = ((gradients, "of the gradients"), (seconds, f"of the seconds{split}"))
    return ", ".join(f"{_span(values)} % {what}" for values, what in shares if values)


def _span(values: Sequence[float]) -> str:
    low, high = (f"{value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


def tracks(sections: Sequence[Section]) -> list[str]:
    """What the run's tracks mean."""
    return [TRACKS[track] for track in sorted({section.track for section in sections}) if track in TRACKS]
