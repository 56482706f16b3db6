"""One data set of a calibration, as it is stored: how its fit ended and where the truth fell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.calibration.ranks import Placed
from bench.words.reading import as_type


@dataclass(slots=True)
class Trial:
    """`number` of the data set; `compiled` seconds of all that its fit compiled; `placed` is empty unless ok."""

    number: int
    status: str
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    compiled: float = 0.0
    first: bool = False
    draws: int = 0
    divergences: int | None = None
    data_seed: int | None = None
    fit_seed: int | None = None
    data_digest: str = ""
    measured_at: str = ""
    notes: list[str] = field(default_factory=list)
    log_tail: str = ""
    placed: dict[str, Placed] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Seconds of all phases but the import."""
        return sum(v for k, v in self.seconds.items() if k != "import")

    @property
    def ess(self) -> float:
        """Effective draws of its worst quantity; 0 unless ok."""
        return min((p.ess for p in self.placed.values()), default=0.0)

    def entry(self) -> dict[str, Any]:
        """As the ledger takes it."""
        return asdict(self)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Trial:
        """The inverse of `entry`; keys that this version does not know are left out. UsageError where it is damaged."""
        return as_type(dict(entry), cls)
