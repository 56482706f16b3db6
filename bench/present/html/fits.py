"""A section per fit: what became of it, how to make it again, its reps, parameters, gates and log."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import numpy as np

from bench.analysis.columnar import largest
from bench.analysis.contender import TARGET
from bench.analysis.diagnostics import Diagnostic
from bench.analysis.tables import CellTables
from bench.present.cells import status_words
from bench.present.html.fairness import settings, work
from bench.present.html.results import Entry
from bench.present.reproduce import reproduce
from bench.store.manifest import Run
from bench.words import format as fmt
from bench.words.clean import clean

WORST = 20
"""Parameters shown, those with the largest error first."""
REPS = 30
"""Reps shown."""


class Table(NamedTuple):
    """Heads, rows of text, and what was left out, if anything."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str = ""


@dataclass(frozen=True)
class Detail:
    """The section of one fit; its tables may be left out to keep the page small."""

    entry: Entry
    sentence: str
    command: str
    configuration: tuple[tuple[str, str], ...]
    gates: tuple[Diagnostic, ...] = ()
    reps: Table | None = None
    parameters: Table | None = None

    @property
    def notes(self) -> list[str]:
        """What the backend and the harness noted, those that differ only in numbers once."""
        alike: dict[str, list[str]] = {}
        for note in map(clean, self.entry.row.tables.notes):
            alike.setdefault(re.sub(r"[\d.]+", "#", note), []).append(note)
        return [same[0] + (f" (and {len(same) - 1} like it)" if len(same) > 1 else "") for same in alike.values()]

    @property
    def why(self) -> str:
        """The reason in full, where the sentence does not hold it already."""
        row = self.entry.row
        reason = "" if row.state in ("met", "reference") else clean(row.reason)
        return "" if reason in self.sentence else reason


def details(run: Run, entries: Sequence[Entry], *, full: int, brief: int) -> list[Detail]:
    """The sections of these rows: the first `full` with tables, up to `brief` a sentence and a command, then none."""
    return [
        Detail(
            entry=entry,
            sentence=sentence(entry),
            command=clean(reproduce(entry.row, run)),
            configuration=_configuration(entry, run),
            gates=entry.row.diagnostics if i < full else (),
            reps=_reps(entry.row.tables) if i < full else None,
            parameters=_parameters(entry.row.tables) if i < full else None,
        )
        for i, entry in enumerate(entries[:brief])
    ]


def left_out(fits: int, *, full: int, brief: int) -> str:
    """What `details` does not show of so many fits; empty where it shows all."""
    thin, absent = max(min(fits, brief) - full, 0), max(fits - brief, 0)
    parts = [f"{thin:,} fits stand here without their tables"] * (thin > 0)
    parts += [f"{absent:,} have no section"] * (absent > 0)
    return f"To keep the page small, {' and '.join(parts)}; the run's tables hold everything." if parts else ""


def sentence(entry: Entry) -> str:
    """What became of the fit, in one sentence."""
    row = entry.row
    text = status_words(row).capitalize()
    if row.b2_max is not None:
        text += f": largest error b² {row.shown_error} (target {TARGET})"
        errors = row.tables.by_part("b2")
        text += f", of {max(errors, key=lambda part: float(errors[part].mean()))}" if errors else ""
    elif row.reason:
        text += f": {fmt.shortened(clean(row.reason).splitlines()[0])}"
    times = ", ".join(
        f"{fmt.seconds(value)} {name}" for value, name in ((row.warm, "warm"), (row.cold, "cold")) if value
    )
    finished = f"{row.reps} of {fmt.count(row.planned, 'rep')} finished"
    return clean("; ".join(filter(None, [text, times, finished])) + ".")


def _configuration(entry: Entry, run: Run) -> tuple[tuple[str, str], ...]:
    row, first = entry.row, entry.row.tables.first
    facts = {"kind": row.kind, "budget": f"{first('budget')}: {work(row, run)}".removesuffix(": ")}
    facts["settings"] = settings(row, run)
    columns = ("track", "device", "dtype", "threads", "chains", "scenario_digest", "backend_digest", "cell")
    facts |= {column.replace("_", " "): first(column) for column in columns}
    return tuple((name, clean(value)) for name, value in facts.items() if value)


SCALARS = {"r_hat": "R-hat", "ess_bulk": "bulk ESS", "b2_max": "b²_max", "k_hat": "k-hat", "divergences": "divergences"}
REP_PHASES = ("total", "import", "build", "compile", "warmup", "sample", "transfer")


def _reps(cell: CellTables) -> Table:
    worst = {metric: by_rep for metric in SCALARS if (by_rep := _worst(cell, metric))}
    phases = [p for p in REP_PHASES if (cell.every(f"seconds_{p}") > 0.0).any()]
    draws = _worst(cell, "draws")
    numbers = {name: cell.every(name).tolist() for name in ("rep", "round", "cold", *(f"seconds_{p}" for p in phases))}
    status, split = cell.words("status"), cell.words("split")
    rows = []
    for i, rep in enumerate(numbers["rep"][:REPS]):
        about = [split[i] == "prorated" and phase in ("warmup", "sample") for phase in phases]
        taken = [numbers[f"seconds_{phase}"][i] for phase in phases]
        seconds = [fmt.seconds(None if math.isnan(t) else t, about=a) for t, a in zip(taken, about, strict=True)]
        scores = [_number(m, by_rep.get(rep), draws.get(rep)) for m, by_rep in worst.items()]
        when = "cold" if numbers["cold"][i] == 1.0 else "warm"
        rows.append((f"{rep:.0f}", f"{numbers['round'][i]:.0f}", when, clean(status[i]), *seconds, *scores))
    heads = ("rep", "round", "", "status", *phases, *(SCALARS[metric] for metric in worst))
    over = cell.planned - REPS
    return Table(heads, tuple(rows), f"{fmt.count(over, 'more rep')}: in the run's fits table." if over > 0 else "")


def _worst(cell: CellTables, metric: str) -> dict[float, float]:
    """{rep: the worst value of a metric in it}."""
    scores = cell.scores(metric)
    sign = -1.0 if metric == "ess_bulk" else 1.0
    worst = sign * largest(scores.rep, sign * scores.value)
    return dict(zip(np.unique(scores.rep).tolist(), worst.tolist(), strict=True))


def _number(metric: str, value: float | None, draws: float | None) -> str:
    if metric == "divergences" and value is not None and draws is not None:
        return f"{value * draws / 1000.0:,.0f}"
    return _r_hat(value) if metric == "r_hat" else fmt.significant(value)


def _r_hat(value: float | None) -> str:
    return fmt.NONE if value is None else f"{value:.3f}"


PER_PARAMETER = ("mean", "sd", "mean_error_sd", "sd_ratio_log", "mass_90", "r_hat", "ess_bulk", "recovery_error")


def _parameters(cell: CellTables) -> Table | None:
    """The worst parameters first: estimate, reference and truth in the first finished rep, errors over all reps."""
    reps = cell.scores("mean").rep
    if not len(reps):
        return None
    rep = float(reps.min())
    one = {m: {p: float(v[0]) for p, v in cell.by_part(m, rep=rep).items()} for m in PER_PARAMETER}
    middle = {m: {p: median(v.tolist()) for p, v in cell.by_part(m).items()} for m in PER_PARAMETER}
    error = {part: float(values.mean()) for part, values in cell.by_part("b2").items()}
    worst = {part: max(error.get(part, 0.0), error.get(f"({part})²", 0.0)) for part in one["mean"]}
    order = sorted(worst, key=lambda part: -worst[part])
    rows = [_parameter(part, one, middle, error) for part in order[:WORST]]
    first = f"in rep {rep:.0f}"
    heads = (
        "parameter", f"estimate {first}", f"reference {first}", f"truth {first}", "mean off, reference sd", "sd ratio",
        "mass in 90 %", "b² of mean", "b² of spread", "R-hat", "bulk ESS",
    )  # fmt: skip
    keep = [i for i in range(len(heads)) if i == 0 or any(row[i] != fmt.NONE for row in rows)]
    over = len(order) - WORST
    return Table(
        tuple(heads[i] for i in keep),
        tuple(tuple(row[i] for i in keep) for row in rows),
        f"The {WORST} with the largest error of {len(order)}." if over > 0 else "",
    )


Values = Mapping[str, Mapping[str, float]]


def _parameter(part: str, one: Values, middle: Values, error: Mapping[str, float]) -> tuple[str, ...]:
    mean, sd = one["mean"].get(part), one["sd"].get(part)
    off, log_ratio = one["mean_error_sd"].get(part), one["sd_ratio_log"].get(part)
    reference = truth = None
    if mean is not None and sd and off is not None and log_ratio is not None and math.isfinite(log_ratio):
        spread = sd / math.exp(log_ratio)
        reference = _plus_minus(mean - off * spread, spread)
    if mean is not None and (missed := one["recovery_error"].get(part)) is not None:
        truth = fmt.significant(mean - missed)
    ratio = middle["sd_ratio_log"].get(part)
    return (
        clean(part),
        _plus_minus(mean, sd),
        reference or fmt.NONE,
        truth or fmt.NONE,
        fmt.significant(middle["mean_error_sd"].get(part), 2),
        fmt.NONE if ratio is None else fmt.significant(math.exp(min(ratio, 700.0)), 2),
        fmt.share(middle["mass_90"].get(part)),
        fmt.error(error.get(part)),
        fmt.error(error.get(f"({part})²")),
        _r_hat(middle["r_hat"].get(part)),
        fmt.significant(middle["ess_bulk"].get(part)),
    )


def _plus_minus(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return fmt.NONE
    return fmt.significant(mean) + (f" ± {fmt.significant(sd, 2)}" if sd else "")
