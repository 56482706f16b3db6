"""Are a run's tables there, in both formats, and do they say what its records say?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from bench.check.findings import Finding, note, problem
from bench.store import tables as stored
from bench.store.files import plain
from bench.store.folder import RunFolder
from bench.store.records import Record
from bench.words import program


def tables(folder: RunFolder, records: Mapping[tuple[str, int], Record]) -> Iterator[Finding]:
    """Problems of the three tables and the two reports."""
    again = program.command("score", folder.path)
    frames: dict[str, pd.DataFrame] = {}
    for name in stored.TABLES:
        for suffix in ("parquet", "csv"):
            file = folder.path / f"{name}.{suffix}"
            try:
                frames[file.name] = stored.load(file, name) if suffix == "parquet" else pd.read_csv(plain(file))
            except Exception as error:  # noqa: BLE001 -- whatever a reader makes of what is no table
                what = f"damaged: {' '.join(str(error).split())[:200]}" if os.path.lexists(file) else "not there"
                yield problem(file.name, what, again)
        if {f"{name}.parquet", f"{name}.csv"} <= set(frames):
            parquet, csv = frames[f"{name}.parquet"], frames[f"{name}.csv"]
            if list(csv.columns) != list(parquet.columns) or len(csv) != len(parquet):
                yield problem(f"{name}.csv", f"it is not {name}.parquet in text", again)
    for file in (folder.path / "report.html", folder.path / "report.md"):
        if not file.is_file():
            yield problem(file.name, "not there", again)
    if "fits.parquet" in frames:
        yield from _fits(frames["fits.parquet"], stored.fits_table(folder, records), again)
    if "metrics.parquet" in frames:
        yield from _metrics(frames["metrics.parquet"], folder, records, again)
    if "curves.parquet" in frames:
        bad = int((~np.isfinite(frames["curves.parquet"]["value"].astype(float))).sum())
        if bad:
            yield problem("curves.parquet", f"{bad} values are not finite", again)


def _fits(table: pd.DataFrame, meant: pd.DataFrame, again: str) -> Iterator[Finding]:
    if later := [name for name in meant.columns if name not in table]:
        what = f"written by an earlier version, without {', '.join(later)}: sound, and scoring again adds what is known"
        yield note("fits.parquet", what, again)
        meant = meant.drop(columns=later)
    if list(table.columns) != list(meant.columns):
        odd = [name for name in table.columns if name not in meant]
        yield problem("fits.parquet", f"columns of another version: {', '.join(odd) or 'their order'}", again)
        return
    keys = ["cell", "rep"]
    if len(table) != len(meant) or not table[keys].reset_index(drop=True).equals(meant[keys]):
        yield problem("fits.parquet", f"{len(table)} rows of {len(meant)} planned fits, or others", again)
        return
    unscored = (table["status"] == "invalid") & (meant["status"] == "ok")
    for _, row in table[unscored].iterrows():
        yield problem(f"{row['scenario']} × {row['backend']}, rep {row['rep']}", str(row["reason"]))
    table, meant = table[~unscored], meant[~unscored]
    same = (table == meant) | (table.isna() & meant.isna())
    columns = [c for c in meant.columns if c != "run" and not same[c].fillna(False).all()]
    if columns:
        rows = int((~same[columns].fillna(False).all(axis=1)).sum())
        yield problem("fits.parquet", f"{rows} rows differ from their records in {', '.join(columns)}", again)


def _metrics(
    table: pd.DataFrame, folder: RunFolder, records: Mapping[tuple[str, int], Record], again: str
) -> Iterator[Finding]:
    bad = int((~np.isfinite(table["value"].astype(float))).sum())
    if bad:
        yield problem("metrics.parquet", f"{bad} values are not finite", again)
    per_rep = table.loc[table["rep"].notna(), ["cell", "rep"]].drop_duplicates()
    scored = set(zip(per_rep["cell"], per_rep["rep"].astype(int), strict=True))
    usable = {key for key, r in records.items() if r.status == "ok" and not folder.spoilt(*key)}
    if unscored := usable - scored:
        yield problem("metrics.parquet", f"{len(unscored)} fits that ended ok have no scores", again)
    if surplus := scored - usable:
        yield problem("metrics.parquet", f"{len(surplus)} fits have scores and no usable record", again)
