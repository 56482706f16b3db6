"""Records and scores → the three tidy tables, as Parquet and CSV."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.store.folder import Record, RunFolder
from bench.types import PHASES

FITS_COLUMNS = [
    "run", "cell", "scenario", "family", "backend", "kind", "options", "track", "budget", "device", "dtype", "chains",
    "rep", "round", "position", "cold", "split", "data_seed", "fit_seed", "status", "reason", "seconds_import",
    "seconds_build", "seconds_compile", "seconds_warmup", "seconds_sample", "seconds_transfer", "seconds_total",
    "gradients", "gradients_warmup", "peak_rss_bytes", "peak_device_bytes", "threads", "load_average", "measured_at",
    "data_digest", "scenario_digest", "backend_digest", "exit_code", "notes", "explicit",
]  # fmt: skip
METRICS_COLUMNS = ["run", "cell", "scenario", "backend", "rep", "metric", "part", "value"]
CURVES_COLUMNS = [
    "run", "cell", "scenario", "backend", "rep", "step", "seconds", "seconds_cold", "gradients", "metric", "value",
]  # fmt: skip
INTEGERS = {
    "chains", "rep", "round", "position", "data_seed", "fit_seed", "peak_rss_bytes", "peak_device_bytes", "threads",
    "exit_code", "step",
}  # fmt: skip
TABLES = ("fits", "metrics", "curves")


def fits_table(folder: RunFolder) -> pd.DataFrame:
    """One row per planned (cell, rep); a rep without a record is `interrupted`."""
    rows = [_fit_row(folder.name, entry, rep, folder.record(entry["id"], rep)) for entry, rep in folder.planned()]
    return typed(pd.DataFrame(rows, columns=FITS_COLUMNS))


def _fit_row(run: str, entry: Mapping[str, Any], rep: int, record: Record | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": run,
        "cell": entry["id"],
        "scenario": entry["scenario_label"],
        "options": entry["options_text"],
        "rep": rep,
        "round": rep // entry["reps"],
        "cold": rep % entry["reps"] == 0,
        "status": "interrupted",
        "reason": "no record of this rep: the run did not get to it, or its record is damaged",
        **{
            k: entry[k]
            for k in ("family", "backend", "kind", "track", "budget", "device", "dtype", "chains", "explicit")
        },
    }
    if record is None:
        return row
    done = record.status == "ok"
    seconds = {f"seconds_{p}": record.seconds.get(p, 0.0 if done else None) for p in PHASES}
    row |= {k: getattr(record, k) for k in FITS_COLUMNS if k in Record.__dataclass_fields__ and k != "notes"}
    row |= seconds | {
        "seconds_import": record.seconds.get("import"),
        "seconds_total": sum(record.seconds.get(p, 0.0) for p in PHASES) if done else None,
        "gradients": record.stats.get("gradients"),
        "gradients_warmup": record.stats.get("gradients_warmup"),
        "notes": " · ".join(record.notes),
    }
    return row


def metrics_table(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Rows in the order of METRICS_COLUMNS."""
    return typed(pd.DataFrame(list(rows), columns=METRICS_COLUMNS))


def curves_table(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Rows in the order of CURVES_COLUMNS."""
    return typed(pd.DataFrame(list(rows), columns=CURVES_COLUMNS))


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The same column types whatever the run holds, so that tables of several runs stack."""
    kinds: dict[str, str] = {}
    for column in frame.columns:
        if column in INTEGERS:
            kinds[column] = "Int64"
        elif column in {"cold", "explicit"}:
            kinds[column] = "boolean"
        elif column.startswith("seconds") or column in {"gradients", "gradients_warmup", "value", "load_average"}:
            kinds[column] = "float64"
        else:
            kinds[column] = "string"
    return frame.astype(kinds)


def write(folder: RunFolder, name: str, frame: pd.DataFrame) -> None:
    """Write one table as Parquet and CSV, each whole or not at all; full precision in both."""
    for suffix in ("parquet", "csv"):
        final = folder.path / f"{name}.{suffix}"
        temporary = final.with_name(f".{final.name}.{os.getpid()}")
        if suffix == "parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False)
        os.replace(temporary, final)


def read(folder: RunFolder, name: str) -> pd.DataFrame:
    """One stored table; an empty one where the run has not been scored."""
    file: Path = folder.path / f"{name}.parquet"
    if file.is_file():
        return pd.read_parquet(file)
    return fits_table(folder) if name == "fits" else metrics_table([]) if name == "metrics" else curves_table([])
