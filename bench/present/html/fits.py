"""A section per fit: what became of it, how to make it again, its reps, parameters, gates and log."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.analysis.contender import TARGET
from bench.analysis.gates import E_BFMI, ESS, ESS_PER_CHAIN, K_HAT, MANY, R_HAT, R_HAT_MANY
from bench.analysis.tables import RunTables
from bench.present.columns import WORDS, by_part, error_text
from bench.present.html.facts import Facts, numbered
from bench.present.html.fairness import settings, work
from bench.present.html.results import Entry
from bench.present.reproduce import reproduce
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


class Gate(NamedTuple):
    """A diagnostic: what was found, what is needed, and whether it holds."""

    name: str
    found: str
    needed: str
    holds: bool


@dataclass(frozen=True)
class Detail:
    """The section of one fit; its tables may be left out to keep the page small."""

    entry: Entry
    sentence: str
    command: str
    configuration: tuple[tuple[str, str], ...]
    gates: tuple[Gate, ...] = ()
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


def details(tables: RunTables, entries: Sequence[Entry], facts: Facts, *, full: int, brief: int) -> list[Detail]:
    """The sections of these rows: the first `full` with tables, up to `brief` a sentence and a command, then none."""
    scalars = _scalars(tables.metrics, {e.row.cell for e in entries[:full]})
    return [
        Detail(
            entry=entry,
            sentence=sentence(entry),
            command=clean(reproduce(entry.row, tables.run)),
            configuration=_configuration(entry, tables.run),
            gates=tuple(_gates(entry, facts)) if i < full else (),
            reps=_reps(entry, scalars) if i < full else None,
            parameters=_parameters(entry) if i < full else None,
        )
        for i, entry in enumerate(entries[:brief])
    ]


def left_out(fits: int, *, full: int, brief: int) -> str:
    """What `details` does not show of so many fits; empty where it shows all."""
    thin, absent = max(min(fits, brief) - full, 0), max(fits - brief, 0)
    said = [f"{thin:,} fits stand here without their tables"] * (thin > 0)
    said += [f"{absent:,} have no section"] * (absent > 0)
    return f"To keep the page small, {' and '.join(said)}; the run's tables hold everything." if said else ""


def sentence(entry: Entry) -> str:
    """What became of the fit, in one sentence."""
    row = entry.row
    said = WORDS[row.state].capitalize()
    if row.b2_max is not None:
        said += f": largest error b² {error_text(row)} (target {TARGET})"
        errors = by_part(row.tables.values("b2"))
        said += f", of {max(errors, key=lambda part: float(errors[part].mean()))}" if errors else ""
    elif row.reason:
        said += f": {fmt.shortened(clean(row.reason).splitlines()[0])}"
    times = [f"{fmt.seconds(value)} {name}" for name, value in (("warm", row.warm), ("cold", row.cold)) if value]
    finished = f"{row.reps} of {fmt.count(row.planned, 'rep')} finished"
    return clean("; ".join([said, *([", ".join(times)] if times else []), finished]) + ".")


def _configuration(entry: Entry, run: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    row = entry.row
    first = row.tables.fits.iloc[0]
    given = [("kind", row.kind), ("budget", f"{first.get('budget', '')}: {work(row, run)}".removesuffix(": "))]
    given += [("settings", settings(row, run))]
    given += [(name, str(first[name])) for name in ("track", "device", "dtype", "threads", "chains") if name in first]
    given += [
        (name.replace("_", " "), str(first[name]))
        for name in ("scenario_digest", "backend_digest", "cell")
        if name in first and pd.notna(first[name])
    ]
    return tuple((name, clean(value)) for name, value in given if value)


SCALARS = ("r_hat", "ess_bulk", "b2_max", "k_hat", "divergences")


def _scalars(metrics: pd.DataFrame, cells: set[str]) -> dict[tuple[str, int], dict[str, float]]:
    """{(cell, rep): {metric: its worst value}}."""
    mine = metrics[metrics["metric"].isin(SCALARS) & metrics["cell"].isin(cells)]
    rows = numbered(mine[mine["rep"].notna()], "rep", "value")
    grouped = rows.groupby(["cell", "rep", "metric"])["value"].agg(["min", "max"]).reset_index()
    found: dict[tuple[str, int], dict[str, float]] = {}
    for row in grouped.to_dict("records"):
        worst = row["min"] if row["metric"] == "ess_bulk" else row["max"]
        found.setdefault((str(row["cell"]), int(row["rep"])), {})[str(row["metric"])] = float(worst)
    return found


REP_PHASES = ("total", "import", "build", "compile", "warmup", "sample", "transfer")


def _reps(entry: Entry, scalars: Mapping[tuple[str, int], Mapping[str, float]]) -> Table:
    fits = entry.row.tables.fits
    mine = {int(rep): scalars.get((entry.row.cell, int(rep)), {}) for rep in fits["rep"]}
    measured = [name for name in SCALARS if any(name in found for found in mine.values())]
    phases = [p for p in REP_PHASES if f"seconds_{p}" in fits and fits[f"seconds_{p}"].fillna(0).gt(0).any()]
    rows = []
    for _, fit in fits.head(REPS).iterrows():
        seconds = [fmt.seconds(_float(fit[f"seconds_{phase}"])) for phase in phases]
        found = mine[int(fit["rep"])]
        numbers = [
            f"{found[n]:.3f}" if n == "r_hat" and n in found else fmt.significant(found.get(n)) for n in measured
        ]
        when = "cold" if fit["cold"] else "warm"
        rows.append((str(int(fit["rep"])), str(int(fit["round"])), when, clean(str(fit["status"])), *seconds, *numbers))
    titles = {"r_hat": "R-hat", "ess_bulk": "bulk ESS", "b2_max": "b²_max", "k_hat": "k-hat"}
    heads = ("rep", "round", "", "status", *phases, *(titles.get(n, n) for n in measured))
    over = len(fits) - REPS
    return Table(heads, tuple(rows), f"{fmt.count(over, 'more rep')}: in the run's fits table." if over > 0 else "")


def _float(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


PER_PARAMETER = ("mean", "sd", "mean_error_sd", "sd_ratio_log", "mass_90", "r_hat", "ess_bulk", "recovery_error")


def _parameters(entry: Entry) -> Table | None:
    """The worst parameters first: estimate, reference and truth in the first finished rep, errors over all reps."""
    tables = entry.row.tables
    frames = {m: tables.values(m) for m in (*PER_PARAMETER, "b2")}
    if frames["mean"].empty:
        return None
    rep = frames["mean"]["rep"].min()
    one = {m: _first_values(f[f["rep"] == rep]) for m, f in frames.items()}
    middle = {m: {p: float(np.median(v)) for p, v in by_part(f).items()} for m, f in frames.items()}
    error = {part: float(values.mean()) for part, values in by_part(frames["b2"]).items()}
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


def _first_values(rows: pd.DataFrame) -> dict[str, float]:
    return {part: float(values[0]) for part, values in by_part(rows).items()}


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
    r_hat = middle["r_hat"].get(part)
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
        fmt.NONE if r_hat is None else f"{r_hat:.3f}",
        fmt.significant(middle["ess_bulk"].get(part)),
    )


def _plus_minus(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return fmt.NONE
    return fmt.significant(mean) + (f" ± {fmt.significant(sd, 2)}" if sd else "")


def _gates(entry: Entry, facts: Facts) -> Iterator[Gate]:
    """Every diagnostic that has a number, failed or not, and those that failed for want of one."""
    row, found = entry.row, facts.get(entry.row.cell, {})
    sentences = [s for s in row.reason.split("; ") if s] if row.state in ("not converged", "point") else []
    chains = int(pd.to_numeric(row.tables.fits["chains"], errors="coerce").fillna(1).max())
    parameters = row.tables.values("r_hat")["part"].nunique()
    needed = f"{max(ESS, ESS_PER_CHAIN * chains):,}"
    limits = (
        ("r_hat", "R-hat", "R-hat, largest", f"median over reps < {R_HAT_MANY if parameters > MANY else R_HAT}"),
        ("ess_bulk", "bulk ESS", "bulk ESS, least", f"≥ {needed}"),
        ("ess_tail", "tail ESS", "tail ESS, least", f"≥ {needed}"),
        ("divergences", "divergences", "divergences per 1000", "0"),
        ("treedepth_hits", "tree depth", "transitions at the largest tree depth per 1000", "0"),
        ("e_bfmi", "E-BFMI", "E-BFMI, least", f"> {E_BFMI}"),
        ("k_hat", "k-hat", "k-hat", f"< {K_HAT}"),
    )
    told = set()
    for fact, word, name, limit in limits:
        failed = [s for s in sentences if word in s]
        told |= set(failed)
        if fact in found and not (fact in ("divergences", "treedepth_hits") and row.kind != "mcmc"):
            text = f"{found[fact]:.3f}" if fact == "r_hat" else fmt.significant(found[fact])
            yield Gate(name, text, limit, not failed)
        elif failed:
            yield Gate(name, clean("; ".join(failed)), limit, False)
    if row.kind == "mcmc" and not row.tables.values("z").empty and row.reps:
        failed = [s for s in sentences if "Σz²" in s]
        told |= set(failed)
        text = failed[0] if failed else "Σz² within its bounds"
        yield Gate("answer against the reference", clean(text), "Σz² as its Monte-Carlo errors allow", not failed)
    yield from (Gate("other", clean(s), "", False) for s in sentences if s not in told)
    if row.b2_max is not None and row.kind not in ("exact", "point"):
        yield Gate("error b²_max", error_text(row), f"< {TARGET}", row.b2_max < TARGET)
