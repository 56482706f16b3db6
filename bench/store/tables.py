"""Records and scores → the three tidy tables, as Parquet and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet

from bench.disk.durable import write_whole
from bench.errors import described, shown
from bench.store import columns
from bench.store.files import MOST, MOST_ROWS, plain
from bench.store.folder import RunFolder
from bench.store.records import Record
from bench.types import PHASES, STATUSES

if TYPE_CHECKING:
    from bench.store.manifest import CellEntry, Run

FITS_KEYS = ["run", "cell", "scenario", "backend", "rep", "cold", "status", "reason", "seconds_total"]
"""Without these a table is none of fits; the other columns have come one by one."""
CELL = ("family", "backend", "kind", "track", "budget", "device", "dtype", "chains", "explicit")
"""What fits say of their cell by the names of the manifest."""
COLUMNS = {name: list(table) for name, table in columns.TABLES.items()}
KEYS = COLUMNS | {"fits": FITS_KEYS}
TABLES = tuple(COLUMNS)
CSV_ROWS = 20_000
"""Rows that are made text at a time."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of texts that spreadsheets take for formulas."""
TYPES = {name: column.type for table in columns.TABLES.values() for name, column in table.items()}
DTYPES: Mapping[str, Any] = {
    "Int64": pd.Int64Dtype(), "boolean": pd.BooleanDtype(), "float64": np.dtype("float64"), "string": pd.StringDtype()
}  # fmt: skip


def fits_table(folder: RunFolder, records: Mapping[tuple[str, int], Record] | None = None) -> pd.DataFrame:
    """One row per planned (cell, rep); of these `records`, where all have been read.

    A rep without a record, or with a damaged one, is `interrupted`; one that cannot be scored is `invalid`.
    """
    children = _children(folder)
    rows = []
    for entry, rep in folder.planned():
        record = folder.record(entry.id, rep) if records is None else records.get((entry.id, rep))
        spoilt = folder.spoilt(entry.id, rep)
        row = _fit_row(folder.name, entry, rep, None if spoilt else record, spoilt)
        if why := folder.unscored.get((entry.id, rep)):
            row |= {"status": "invalid", "reason": why}
        rows.append(row | children.get((entry.id, row["round"]), {}))
    return table("fits", rows)


def _children(folder: RunFolder) -> dict[tuple[str, int], dict[str, Any]]:
    """What is known of the child of each (cell, round); of several attempts the last. Damaged lines are noted."""
    attempts: dict[tuple[str, int], dict[str, Any]] = {}
    damaged = []
    try:
        lines = list(folder.children.lines())
    except (OSError, ValueError) as error:
        folder.damage["children.jsonl"] = str(error)
        return {}
    for number, line in lines:
        try:
            if line is None:
                raise ValueError("not an entry")
            before, after = (float(line[f"reference_seconds_{when}"]) for when in ("before", "after"))
            known: dict[str, Any] = {"started": str(line["started"]), "attempt": int(line["attempt"])}
            if line.get("host"):
                known |= {"host": str(line["host"]), "slot": int(line["slot"])}
            attempts[str(line["cell"]), int(line["round"])] = known | {"reference_seconds": max(before, after)}
        except (KeyError, TypeError, ValueError, OverflowError):
            damaged.append(number)
    if damaged:
        folder.damage["children.jsonl"] = f"{len(damaged)} damaged, the first is line {damaged[0]}"
    return attempts


def _fit_row(run: str, entry: CellEntry, rep: int, record: Record | None, spoilt: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": run,
        "cell": entry.id,
        "scenario": entry.scenario_label,
        "options": entry.options_text,
        "rep": rep,
        "round": rep // entry.reps,
        "cold": rep % entry.reps == 0,
        "status": "interrupted",
        "reason": spoilt or "not made: the run ended before this rep did",
        **{column: getattr(entry, column) for column in CELL},
    }
    if record is None:
        return row
    done = record.status == "ok"
    seconds = {f"seconds_{p}": record.seconds.get(p, 0.0 if done else None) for p in PHASES}
    row |= {k: getattr(record, k) for k in columns.FITS if k in Record.__dataclass_fields__ and k != "notes"}
    row |= seconds | {
        "seconds_import": record.seconds.get("import"),
        "seconds_total": sum(record.seconds.get(p, 0.0) for p in PHASES) if done else None,
        "gradients": record.stats.get("gradients"),
        "gradients_warmup": record.stats.get("gradients_warmup"),
        "notes": " · ".join(record.notes),
    }
    if record.stats.get("compile_reused"):
        row |= {"seconds_compile": None, "seconds_total": None}
    return row


def table(name: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]] = ()) -> pd.DataFrame:
    """A table of these rows: mappings, or values in the order of its columns."""
    return typed(pd.DataFrame(list(rows), columns=COLUMNS[name]))


def typed(frame: pd.DataFrame, wanted: Sequence[str] | None = None) -> pd.DataFrame:
    """The same column types whatever the run holds, so that tables of several runs stack; of all columns, or these."""
    arrays = {str(c): values.array for c, values in frame.items()}
    for column in arrays if wanted is None else wanted:
        dtype = DTYPES[TYPES.get(column, "float64" if column.startswith("seconds") else "string")]
        if arrays[column].dtype != dtype:
            arrays[column] = arrays[column].astype(dtype)  # column by column: a frame's own way takes twice as long
    return pd.DataFrame(arrays, frame.index, frame.columns, copy=False)


def write(folder: RunFolder, name: str, frame: pd.DataFrame) -> None:
    """Write one table as Parquet and CSV, each whole or not at all; full precision in both."""
    write_whole(folder.path / f"{name}.parquet", lambda file: frame.to_parquet(file, index=False))
    write_whole(folder.path / f"{name}.csv", lambda file: _write_csv(frame, file))


def _write_csv(frame: pd.DataFrame, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        for first in range(0, max(len(frame), 1), CSV_ROWS):
            defused(frame.iloc[first : first + CSV_ROWS]).to_csv(stream, index=False, header=not first)


def defused(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame for a CSV file: a text that a spreadsheet would run as a formula begins with an apostrophe."""
    frame = frame.copy()
    for column, values in frame.select_dtypes(["string", "object"]).items():
        risky = values.map(lambda v: isinstance(v, str) and v.startswith(FORMULA)).astype(bool)
        if risky.any():
            frame[column] = values.mask(risky, "'" + values.astype(str))
    return frame


def read(folder: RunFolder, name: str) -> pd.DataFrame:
    """One stored table; where there is none, or a damaged one, `fits` made from the records and the others empty."""
    file: Path = folder.path / f"{name}.parquet"
    if file.is_file():
        try:
            return load(file, name)
        except ValueError as error:
            folder.damage[file.name] = f"not a table of this version: {error}"
    return fits_table(folder) if name == "fits" else table(name)


def read_all(folder: RunFolder, run: Run) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """`fits`, `metrics` and `curves` as `read`; one that says what this run cannot have written is damaged, too."""
    frames = []
    for name in TABLES:
        frame = read(folder, name)
        if wrong := _foreign(frame, name, run):
            folder.damage[f"{name}.parquet"] = wrong
            frame = fits_table(folder) if name == "fits" else table(name)
        frames.append(frame)
    return frames[0], frames[1], frames[2]


def _foreign(frame: pd.DataFrame, name: str, run: Run) -> str:
    """What of a table is none of this run's; empty where all of it may be."""
    planned = {cell.id: cell.fits for cell in run.cells}
    reps, most = frame["rep"], frame["cell"].map(planned).astype("Int64")
    if most.isna().any() or ((reps < 0) | (reps >= most)).any() or (name != "metrics" and reps.isna().any()):
        return "it has rows of fits that the run has not planned"
    if name != "fits":
        return "" if np.isfinite(frame["value"].to_numpy(float, na_value=np.nan)).all() else "values are not finite"
    if frame.duplicated(["cell", "rep"]).any():
        return "it has several rows of one fit"
    if unknown := set(frame["status"].dropna()) - set(STATUSES) or frame["status"].isna().any():
        return f"status {shown(unknown)} is none of {', '.join(STATUSES)}"
    seconds = frame[[c for c in frame.columns if c.startswith("seconds_")]].to_numpy(float, na_value=0.0)
    return "" if ((seconds >= 0.0) & (seconds < np.inf)).all() else "seconds are no times"


def load(file: Path, name: str) -> pd.DataFrame:
    """A Parquet file that holds this table; ValueError with a sentence where it does not."""
    try:
        claims = pyarrow.parquet.read_metadata(plain(file))
        size = sum(claims.row_group(i).total_byte_size for i in range(claims.num_row_groups))
        if claims.num_rows > MOST_ROWS or size > MOST[".parquet"]:
            raise ValueError(f"it claims {claims.num_rows} rows of {size} bytes")
        frame = pd.read_parquet(file)
        if absent := [c for c in KEYS[name] if c not in frame]:
            raise ValueError(f"it has no column {', '.join(absent)}")
        if not frame.columns.is_unique:
            raise ValueError("it has two columns of one name")
        pyarrow.Table.from_pandas(frame, preserve_index=False).validate(full=True)  # its texts are texts
        return typed(frame, [c for c in COLUMNS[name] if c in frame])
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    except Exception as error:  # noqa: BLE001 -- whatever a reader makes of what is no such file
        raise ValueError(" ".join(str(error).split())[:200] or described(error)) from None
