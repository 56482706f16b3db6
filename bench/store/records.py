"""What one planned (cell, rep) came to, and whether a stored one can be believed. Imports no pandas."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.store.files import content
from bench.types import STATUSES
from bench.words.reading import as_type, json_value


@dataclass(slots=True)
class Record:
    """One planned (cell, rep): how it ended and what it cost. Made by the worker, or by the runner when that died.

    `seconds` has one entry per phase that occurred, and `import` for the first rep of a child. `disturbance` is the
    share of its CPUs' time that others had while it ran, `seconds_until_end` counts from the start of its child. Reps
    of one round whose `child` differs were not made together. `until`, of a fit that ran until its error met a
    `target`, says after which `step`, `seconds` and `seconds_cold` it did, if it did.
    """

    cell: str
    rep: int
    round: int
    position: int
    cold: bool
    status: str
    reason: str = ""
    child: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    split: str = "measured"
    stats: dict[str, Any] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    peak_rss_bytes: int | None = None
    peak_device_bytes: int | None = None
    threads: int | None = None
    os_threads: int | None = None
    load_average: float | None = None
    disturbance: float | None = None
    measured_at: str = ""
    data_seed: int | None = None
    fit_seed: int | None = None
    data_digest: str = ""
    scenario_digest: str = ""
    backend_digest: str = ""
    exit_code: int | None = None
    seconds_until_end: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    log_tail: str = ""


def now() -> str:
    """UTC to the second, as records and manifests write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(file: Path, cell: str, rep: int) -> Record:
    """The record of a file; OSError where there is none, ValueError with a sentence where it is damaged or foreign."""
    bytes_ = content(file)
    try:
        raw = json_value(bytes_, whole=True)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    record = as_type(raw, Record)
    as_type({key: record.stats.get(key) for key in ("gradients", "gradients_warmup")}, dict[str, float | None], "stats")
    if (record.cell, record.rep) != (cell, rep):
        raise ValueError(f"it is of cell {record.cell[:40]}, rep {record.rep}")
    if record.status not in STATUSES:
        raise ValueError(f"status {record.status[:40]!r} is none of {', '.join(STATUSES)}")
    if bad := [phase for phase, seconds in record.seconds.items() if seconds < 0]:
        raise ValueError(f"seconds of {', '.join(bad)} are no times")
    return record
