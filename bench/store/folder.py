"""The layout of a run's folder, and writes that are whole or not there. Imports no pandas: the worker uses it."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown

SCHEMA = 1
LOG_LIMIT = 65_536
"""Bytes of a child's output kept per fit, from its end."""


@dataclass(slots=True)
class Record:
    """One planned (cell, rep): how it ended and what it cost. Made by the worker, or by the runner when that died.

    `seconds` has one entry per phase that occurred, and `import` for the first rep of a child.
    """

    cell: str
    rep: int
    round: int
    position: int
    cold: bool
    status: str
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    split: str = "measured"
    stats: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    peak_rss_bytes: int | None = None
    peak_device_bytes: int | None = None
    threads: int | None = None
    load_average: float | None = None
    measured_at: str = ""
    data_seed: int | None = None
    fit_seed: int | None = None
    data_digest: str = ""
    scenario_digest: str = ""
    backend_digest: str = ""
    exit_code: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    log_tail: str = ""


class RunFolder:
    """`<results>/<run>/`: run.json, fits/<cell>-<rep>/{record.json, draws.nc, log.txt}, tables and reports."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The run's id."""
        return self.path.name

    @classmethod
    def create(cls, results: Path, name: str | None) -> RunFolder:
        """A new, empty run folder; UsageError if the name is taken or unusable."""
        if name is not None and not re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,99}", name):
            raise UsageError(f"run name {name!r} is not allowed; letters, digits, '.', '_' and '-'")
        stem = name or time.strftime("%Y%m%d-%H%M%S")
        for suffix in ["", *(f"-{i}" for i in range(2, 1000))]:
            path = results / f"{stem}{suffix}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                if name:
                    raise UsageError(f"run {name!r} exists in {results}; choose another --name") from None
                continue
            except (NotADirectoryError, PermissionError) as error:
                raise UsageError(f"cannot write to {results}: {error.strerror}") from None
            (path / "fits").mkdir()
            return cls(path)
        raise UsageError(f"no free run name for {stem} in {results}")

    @classmethod
    def open(cls, results: Path, name: str) -> RunFolder:
        """An existing run, by name or path, `latest` for the newest; UsageError lists those there are."""
        known = {r.name: r for r in cls.all(results)}
        if name == "latest" and known:
            return max(known.values(), key=lambda r: (r.path / "run.json").stat().st_mtime)
        if name in known:
            return known[name]
        path = Path(name)
        if (path / "run.json").is_file():
            return cls(path)
        raise unknown(f"run (in {results})", name, known)

    @classmethod
    def all(cls, results: Path) -> list[RunFolder]:
        """Every run of a results folder, by name."""
        return [cls(f.parent) for f in sorted(results.glob("*/run.json"))]

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write run.json."""
        write_json(self.path / "run.json", {"schema": SCHEMA, **manifest})

    def manifest(self) -> dict[str, Any]:
        """Read run.json; UsageError if it is damaged or of another schema."""
        try:
            manifest: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise UsageError(f"{self.path}/run.json is not readable: {error}") from None
        if manifest.get("schema") != SCHEMA:
            raise UsageError(
                f"{self.path}: schema {manifest.get('schema')!r}, this version reads schema {SCHEMA}; run it again"
            )
        return manifest

    def fit(self, cell: str, rep: int) -> Path:
        """The folder of one fit."""
        return self.path / "fits" / f"{cell}-{rep}"

    def write_fit(self, record: Record, draws: Path | None = None, log: bytes = b"") -> None:
        """Store one fit: a folder that appears whole, by rename, after its files are on disk."""
        final = self.fit(record.cell, record.rep)
        temporary = final.with_name(f".{final.name}.{os.getpid()}")
        temporary.mkdir()
        write_json(temporary / "record.json", asdict(record))
        write_bytes(temporary / "log.txt", log[-LOG_LIMIT:])
        if draws is not None:
            os.replace(draws, temporary / "draws.npz")
        if final.exists():
            shutil.rmtree(final)
        os.rename(temporary, final)

    def record(self, cell: str, rep: int) -> Record | None:
        """The record of one fit; None where there is none (or it is damaged, then its folder keeps the evidence)."""
        try:
            raw = json.loads((self.fit(cell, rep) / "record.json").read_text())
            return Record(**{f.name: raw[f.name] for f in fields(Record) if f.name in raw})
        except (OSError, json.JSONDecodeError, TypeError):
            return None

    def planned(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Every planned (cell entry of the manifest, rep)."""
        for entry in self.manifest()["cells"]:
            for rep in range(entry["reps"] * entry["rounds"]):
                yield entry, rep


def tail(log: bytes) -> str:
    """The last 4 KiB of a log, as text."""
    return log[-4096:].decode(errors="replace")


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON whole: temporary file, fsync, rename."""
    write_bytes(path, json.dumps(value, indent=1, allow_nan=False).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)
