"""Phases, device synchronisation, and checkpoints that stop the clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from bench.errors import shown
from bench.types import PHASES, Checkpoint, Estimate

FITTING = ("warmup", "sample", "warmup+sample")
CHECKPOINT_RATIO = 1.2
"""Successive checkpoint steps grow by this factor: about 40 of them in 1000 steps."""


class Stops(Protocol):
    """Who decides at a checkpoint whether a fit ends there."""

    def checkpoint(self, clock: WallClock, step: int, estimate: Estimate) -> bool:
        """Whether to stop after so many steps with this answer; the clock stands still."""


class WallClock:
    """Seconds per phase of one fit, which may have to meet a target (`pursuit`).

    `synchronize` drains the device at every boundary. `compile_seconds` reads a monotone total kept by the framework:
    what grows inside another phase is booked as compile, and counted in `recompiled`.
    """

    def __init__(
        self,
        *,
        synchronize: Callable[[], None] = lambda: None,
        compile_seconds: Callable[[], float] = lambda: 0.0,
        timer: Callable[[], float] = time.perf_counter,
        pursuit: Stops | None = None,
    ) -> None:
        self.pursuit = pursuit
        self.seconds: dict[str, float] = {}
        self.recompiled = 0.0
        self.checkpoints: list[Checkpoint] = []
        self._synchronize, self._compile_seconds, self._timer = synchronize, compile_seconds, timer
        self._phase, self._began, self._paused, self._compiled, self._next = "", 0.0, 0.0, 0.0, 1
        self._now = 0.0

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time a phase; phases do not nest, and one entered again adds to its seconds."""
        if phase not in PHASES and phase != "warmup+sample":
            raise ValueError(f"there is no phase {shown(phase)}; phases are {', '.join(PHASES)} and warmup+sample")
        if self._phase:
            raise RuntimeError(f"phase {phase!r} entered inside phase {self._phase!r}")
        self._synchronize()
        self._compiled = self._compile_seconds()
        self._phase, self._paused, self._began = phase, 0.0, self._timer()
        try:
            yield
            self._synchronize()
        finally:
            elapsed = self._timer() - self._began - self._paused
            self._phase = ""
            if phase != "compile":
                compiled = min(self._compile_seconds() - self._compiled, elapsed)
                elapsed -= compiled
                self.recompiled += compiled
                if compiled:
                    self.seconds["compile"] = self.seconds.get("compile", 0.0) + compiled
            self.seconds[phase] = self.seconds.get(phase, 0.0) + elapsed

    def checkpoint(self, step: int, estimate: Callable[[], Estimate], *, gradients: float | None = None) -> bool:
        """Take `estimate()` if `step` is due; what that costs, copying from the device included, is not timed."""
        if step < self._next:
            return False
        self._synchronize()
        stopped, compiled = self._timer(), self._compile_seconds()
        self._now = stopped
        answer = estimate()
        made = float(step if gradients is None else gradients)
        kept = answer._replace(draws=None) if isinstance(answer, Estimate) else answer
        self.checkpoints.append(Checkpoint(step, self.fitted(), made, kept))
        stop = self.pursuit is not None and self.pursuit.checkpoint(self, step, answer)
        self._next = max(step + 1, math.ceil(step * CHECKPOINT_RATIO))
        self._compiled += self._compile_seconds() - compiled  # no seconds of the phase, which stands still
        self._paused += self._timer() - stopped
        return stop

    def fitted(self) -> float:
        """Seconds of warmup and sampling: between phases of those that are over, at a checkpoint until then."""
        before = sum(self.seconds.get(phase, 0.0) for phase in FITTING)
        return before + (self._now - self._began - self._paused if self._phase else 0.0)

    def prepared(self) -> float:
        """Seconds of build and compile so far."""
        return sum(self.seconds.get(phase, 0.0) for phase in ("build", "compile"))
