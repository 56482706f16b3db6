"""What each backend was given and how it was run: the reader's check that the comparison is fair."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bench.analysis.sections import Row, Section
from bench.cell import BUDGET_OPTIONS, BUDGETS
from bench.present.html.facts import Facts
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


def terms(run: Mapping[str, Any], found: Sequence[Section], facts: Facts) -> list[Terms]:
    """One row per backend, in the order of the table."""
    by_label: dict[str, list[Row]] = {}
    for section in found:
        for row in section.rows:
            by_label.setdefault(row.label, []).append(row)
    return [_terms(label, rows, run, facts) for label, rows in by_label.items()]


def _terms(label: str, rows: list[Row], run: Mapping[str, Any], facts: Facts) -> Terms:
    ran = [row for row in rows if row.reps]
    return Terms(
        backend=clean(label),
        work=_joined(work(row, run) for row in rows),
        place=_joined(f"{_first(row, 'device')}, {_first(row, 'dtype')}" for row in rows),
        threads=_threads([facts.get(row.cell, {}) for row in ran]) or fmt.NONE,
        settings=_joined(settings(row, run) for row in rows),
        warmup=_warmup([row for row in ran if row.kind == "mcmc"], facts) or fmt.NONE,
        start=_joined(_start(row) for row in ran) or fmt.NONE,
    )


def _joined(texts: Iterator[str]) -> str:
    found = list(dict.fromkeys(filter(None, texts)))
    return clean("; ".join(found[:4]) + (f"; and {len(found) - 4} other" if len(found) > 4 else ""))


def _first(row: Row, column: str) -> str:
    fits = row.tables.fits
    return str(fits[column].iloc[0]) if column in fits else ""


def work(row: Row, run: Mapping[str, Any]) -> str:
    """`4 chains × (1000 warmup + 1000 draws)`, or `10,000 steps`: the budget with what the row's options change."""
    named = _first(row, "budget")
    preset = _told(run, "budgets").get(named) or (
        {field: getattr(BUDGETS[named], field) for field in BUDGET_OPTIONS} if named in BUDGETS else {}
    )
    given = {k: int(v) for k, v in re.findall(r"[\[,](\w+)=(\d+)(?=[,\]])", row.label) if k in BUDGET_OPTIONS}
    size = {**preset, **given}
    if row.kind == "exact" or not size:
        return ""
    if row.kind == "mcmc":
        chains = _first(row, "chains") or str(size.get("chains"))
        return f"{chains} chains × ({size.get('warmup'):,} warmup + {size.get('draws'):,} draws)"
    return f"at most {size.get('steps'):,} steps"


def settings(row: Row, run: Mapping[str, Any]) -> str:
    """Every option with its value, the given ones as given, and what the backend says of the rest."""
    known = _told(run, "backends").get(_first(row, "backend"))
    given = dict(re.findall(r"[\[,](\w+)=([^,\]]*)", row.label))
    if not isinstance(known, Mapping):
        return ", ".join(f"{k}={v}" for k, v in given.items())
    values = dict(known.get("options") or {})
    if _first(row, "track") == "defaults":
        values |= known.get("defaults") or {}
    shown = {k: _word(v) for k, v in values.items()} | given
    said = ", ".join(f"{k}={v}" for k, v in shown.items() if k not in BUDGET_OPTIONS)
    about = str(known.get("settings") or "").partition("\n")[0]
    return " · ".join(filter(None, [said, about]))


def _told(run: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """What the manifest says of backends or budgets; of combined runs the first that says it."""
    found: dict[str, Any] = {}
    combined = run.get("runs")
    for manifest in (run, *(combined.values() if isinstance(combined, Mapping) else ())):
        told = manifest.get(what)
        found = {**(told if isinstance(told, Mapping) else {}), **found}
    return found


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _threads(found: Sequence[Mapping[str, float]]) -> str:
    said = [
        f"{_span(counts)} {word}"
        for name, word in (("threads", "given"), ("os_threads", "seen"))
        if (counts := [facts[name] for facts in found if name in facts])
    ]
    return ", ".join(said)


def _warmup(rows: Sequence[Row], facts: Facts) -> str:
    """`49–52 % of the gradients, 40 % of the seconds`: the least and the most over scenarios."""
    gradients, seconds = [], []
    for row in rows:
        found = facts.get(row.cell, {})
        total, warm = found.get("gradients"), found.get("gradients_warmup")
        if total and warm is not None:
            gradients.append(warm / total)
        warmup, sample = found.get("seconds_warmup warm"), found.get("seconds_sample warm")
        if warmup is not None and sample is not None and warmup + sample > 0:
            seconds.append(warmup / (warmup + sample))
    split = ", told apart by gradients" if any(_first(row, "split") == "prorated" for row in rows) else ""
    said = ((gradients, "of the gradients"), (seconds, f"of the seconds{split}"))
    return ", ".join(f"{_span([100 * share for share in shares])} % {what}" for shares, what in said if shares)


def _span(values: Sequence[float]) -> str:
    low, high = (f"{value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


def _start(row: Row) -> str:
    fits = row.tables.fits
    if "started" not in fits:
        return ""
    return "/".join(sorted({str(value) for value in fits["started"].dropna()}))


def tracks(found: Sequence[Section]) -> list[str]:
    """What the run's tracks mean."""
    return [TRACKS[track] for track in sorted({section.track for section in found}) if track in TRACKS]
