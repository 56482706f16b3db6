"""A backend in this process: imported, built once, fitted to data of the same shapes. The only importer of backends.

Whatever a backend raises becomes a status and a sentence; `bench.measure.worker`, `bench.check.worker` and
`bench.calibration.worker` say what that means for a fit, a try and a data set.
"""

from __future__ import annotations

import importlib
import math
import os
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bench.catalog.backends import backend
from bench.catalog.places import backend_folders
from bench.cell import BUDGET_OPTIONS, BUDGETS, Cell
from bench.disk.durable import STORAGE
from bench.errors import NoReference, printable, shown
from bench.measure import pursuit, target
from bench.measure.clock import WallClock
from bench.measure.pursuit import Judge, Pursuit
from bench.measure.runtime import runtime_of
from bench.measure.statistics import kept
from bench.measure.validity import checkpoints, complaint, real
from bench.types import Dataset, Diverged, Fit, Kind, Place, Unavailable, Unsupported


@dataclass(slots=True)
class Attempt:
    """How fitting one data set ended; `error` is what was raised, `stats` are the statistics that JSON can hold.

    `compiled`: the seconds that the framework compiled meanwhile, inside any phase or between them. `until` says where
    a target was met, if the fit had one.
    """

    status: str = "failed"
    reason: str = ""
    data: Dataset | None = None
    fit: Fit | None = None
    clock: WallClock = field(default_factory=WallClock)
    stats: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    compiled: float = 0.0
    until: dict[str, float] = field(default_factory=dict)
    error: Exception | None = None


class Contender:
    """The backend of a cell, imported when the first fit is tried.

    `imported`: seconds that a fork server has spent on the framework already; `compiled`: a folder for what the
    framework compiles, of an earlier round or for a later one. `judge` makes of a data set what tells the error of a
    fit that has a target, for which it has `limit` seconds.
    """

    timer: Callable[[], float] = staticmethod(time.perf_counter)

    def __init__(
        self,
        cell: Cell,
        threads: int,
        *,
        imported: float = 0.0,
        compiled: Path | None = None,
        judge: Callable[[Dataset], Judge] | None = None,
        limit: float = math.inf,
    ) -> None:
        self.cell, self.info = cell, backend(cell.backend)
        self.place = Place(cell.device, cell.dtype, threads)
        self.import_seconds = imported
        self.runtime: Any = None
        self.method: Any = None
        self.program: Any = None
        self._compiled, self._judge_of, self._limit = compiled, judge, limit
        self._opening = 0.0

    def attempt(self, make: Callable[[], Dataset], seed: int, *, cold: bool) -> Attempt:
        """Fit the data set that `make` gives, timed, and look at the draws; `cold` for the first of this process."""
        attempt, before = Attempt(), None
        try:
            if self.method is None:
                self._start()
            before = self.runtime.compile_seconds()
            attempt.clock = WallClock(
                synchronize=self.runtime.synchronize, compile_seconds=self.runtime.compile_seconds, timer=self.timer
            )
            attempt.data = make()
            attempt.clock.pursuit = hunt = self._pursuit(attempt.data)
            attempt.fit = self._fit(attempt.data, seed, attempt.clock)
            self._judge(attempt, attempt.fit, attempt.data, cold=cold)
            if hunt is not None:
                attempt.until, attempt.notes = hunt.outcome(), [*attempt.notes, *hunt.note()]
        except SystemExit as left:
            raise SystemExit(1 if left.code == STORAGE else left.code) from None  # the code of a full disk is ours
        except Exception as error:  # noqa: BLE001 -- a contender may raise anything; it becomes its row
            attempt.error = error
            attempt.status, attempt.reason = verdict(error)
        _drop_odd_seconds(attempt)
        if before is not None:
            attempt.compiled = max(self.runtime.compile_seconds() - before, attempt.clock.seconds.get("compile", 0.0))
        return attempt

    def _start(self) -> None:
        """Import the framework and the method, after its environment is set, and open the device."""
        imported = load(self.info.framework, self.place, self.cell.track, [self.info.module])
        began = time.perf_counter()
        self.runtime = runtime_of(self.info.home.module)
        opening = time.perf_counter()
        self.runtime.start(self.place)
        self._opening = time.perf_counter() - opening
        if self._compiled is not None:
            self.runtime.reuse_compiled(str(self._compiled))
        self.method = importlib.import_module(f"backends.{self.info.module}")
        self.import_seconds += imported + time.perf_counter() - began

    def _fit(self, data: Dataset, seed: int, clock: WallClock) -> Fit:
        """One fit; the program is built and compiled before the first."""
        observed = data.observed()
        if self.program is None:
            with clock("build"):
                program = self.method.build(
                    observed.skeleton(), self.cell.resolved_budget(), self._options(), self.place
                )
            if hasattr(self.method, "compile"):
                with clock("compile"):
                    self.method.compile(program, observed.skeleton())
            self.program = program
        state, hunt = self.method.fit(self.program, observed, seed, clock), clock.pursuit
        if isinstance(hunt, Pursuit) and self._kind in ("mcmc", "exact"):
            return pursuit.follow(self.method, self.program, observed, state, clock, hunt, self.cell.resolved_budget())
        fit = self.method.draw(state)
        if isinstance(hunt, Pursuit) and isinstance(fit, Fit) and not complaint(fit, observed, self._kind):
            hunt.answered(clock, fit)
        return fit  # type: ignore[no-any-return]

    def _pursuit(self, data: Dataset) -> Pursuit | None:
        """What ends a fit that has a target; Unsupported where nobody judges, NoReference where nobody can."""
        until, usual = self.cell.resolved_budget().until, BUDGETS[self.cell.budget]
        if not until:
            return None
        if self._judge_of is None:
            raise Unsupported("until is for bench run, which judges a fit while it is made")
        return Pursuit(until, self._limit, self._judge_of(data), usual.draws)

    @property
    def _kind(self) -> Kind:
        return cast(Kind, self.info.kind_of(dict(self.cell.options)))

    def _options(self) -> Any:
        """The backend's options: on the track `defaults` as its framework ships, then what the user named."""
        options = getattr(self.method, "Options", dict)
        shipped = self.info.defaults if self.cell.track == "defaults" else {}
        return options(**{**shipped, **{k: v for k, v in self.cell.options if k not in BUDGET_OPTIONS}})

    def _judge(self, attempt: Attempt, fit: Fit, data: Dataset, *, cold: bool) -> None:
        """Whether the draws can be used, and what a reader should know of the fit."""
        if not isinstance(fit, Fit):
            raise TypeError(f"draw() gave {type(fit).__name__}, not a Fit")
        budget = self.cell.resolved_budget()
        wrong = complaint(fit, data, self._kind, budget) or checkpoints(attempt.clock.checkpoints, data)
        draws = {} if wrong else {name: real(values) for name, values in fit.draws.items()}
        stats = kept(fit.stats, next(iter(draws.values())).shape[:2] if draws else (budget.chains, budget.draws))
        attempt.stats = stats.scalars
        attempt.fit = replace(fit, draws=draws, stats={**stats.scalars, **stats.arrays})
        attempt.notes = [printable(str(note), 1000) for note in (*fit.notes, *stats.notes)]
        if cold and self.place.device != "cpu":
            attempt.notes.append(f"opening the device took {self._opening:.2f} s, booked with the import")
        if cold and self.runtime.reused_compiled():
            attempt.stats["compile_reused"] = True
            attempt.notes.append("its program was compiled in an earlier round: no cold seconds")
        if attempt.clock.recompiled and not cold:
            attempt.notes.append(f"compiled for {attempt.clock.recompiled:.2f} s inside a warm rep, booked as compile")
        if wrong:
            reason = f"unusable draws: {wrong}"
        elif stats.complaint:
            reason = f"unusable statistics: {stats.complaint}"
        else:
            reason = target.complaint(attempt.fit, data, self.place.dtype)
        attempt.status, attempt.reason = ("invalid", reason) if reason else ("ok", "")


def _drop_odd_seconds(attempt: Attempt) -> None:
    """Phases whose seconds are no times, as where a contender has set them, make the fit invalid."""
    seconds = attempt.clock.seconds
    for phase, value in list(seconds.items()):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            del seconds[phase]
            attempt.status, attempt.reason = "invalid", f"unusable seconds: phase {phase} took {shown(value)} s"


def print_error(attempt: Attempt) -> None:
    """The traceback of what a backend raised, for the log."""
    if attempt.error is not None:
        traceback.print_exception(attempt.error)


def load(framework: str, place: Place, track: str, methods: list[str]) -> float:
    """Set a framework's environment, then import its runtime and methods; the seconds it took.

    Of a version of a framework, `numpyro@0.21`, this is an interpreter that has it.
    """
    began, framework = time.perf_counter(), framework.partition("@")[0]
    backends = importlib.import_module("backends")
    backends.__path__ = [str(path) for path in backend_folders()]
    package = importlib.import_module(f"backends.{framework}")
    if hasattr(package, "environment"):
        os.environ.update(package.environment(place, track))
    runtime_of(framework)
    for method in methods:
        importlib.import_module(f"backends.{method}")
    return time.perf_counter() - began


def verdict(error: Exception) -> tuple[str, str]:
    """Status and sentence of what a contender raised."""
    text = _message(error)
    if isinstance(error, Unavailable):
        return "unavailable", text
    if isinstance(error, Unsupported | NoReference):
        return "unsupported", text
    if isinstance(error, Diverged):
        return "failed", f"diverged: {text}"
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(e, MemoryError) or _OUT_OF_MEMORY.search(f"{type(e).__name__}: {_message(e)}") for e in causes):
        return "memory", f"{type(error).__name__}: {text}"
    return "failed", f"{type(error).__name__}: {text}"


_OUT_OF_MEMORY = re.compile(
    # torch.OutOfMemoryError and CUDA's own words; XLA; cuBLAS and cuDNN; torch and C++ on the CPU
    r"out.?of.?memory|RESOURCE_EXHAUSTED|(CUBLAS|CUDNN|CUSOLVER)_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation"
    r"|can't allocate memory|cannot allocate memory|bad_alloc",
    re.IGNORECASE,
)


def _message(error: BaseException) -> str:
    """What an error says, on one line that any file and terminal can take; a contender's may be unable to say it."""
    try:
        return printable(str(error), 500)
    except Exception as why:  # noqa: BLE001 -- whatever its __str__ raises
        return f"({type(why).__name__} when asked for its message)"
