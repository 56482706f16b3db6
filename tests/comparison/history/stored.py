"""Canned runs stored as folders, as the verbs read them."""

from __future__ import annotations

from pathlib import Path

from bench.analysis.tables import RunTables
from bench.store import tables
from bench.store.folder import RunFolder
from bench.store.manifest import plain, run_of


def store(made: RunTables, results: Path) -> RunFolder:
    """Write a run's manifest and tables as a finished run has them."""
    folder = RunFolder.create(results, made.run.id)
    first = made.fits.drop_duplicates("cell")
    cells = [
        {
            "id": row["cell"], "scenario": row["scenario"], "scenario_label": row["scenario"],
            "backend": row["backend"], "options_text": row["options"] or "", "family": row["family"],
            "kind": row["kind"], "track": row["track"], "budget": row["budget"], "device": row["device"],
            "dtype": row["dtype"], "chains": int(row["chains"]), "reps": 3, "rounds": 5, "explicit": True,
        }
        for row in first.to_dict("records")
    ]  # fmt: skip
    facts = {"state": "finished", **plain(made.run), "cells": cells, "finished": "2026-01-02"}
    folder.write_manifest(run_of(facts))
    for name in tables.TABLES:
        tables.write(folder, name, tables.typed(getattr(made, name).reindex(columns=tables.COLUMNS[name])))
    return folder
