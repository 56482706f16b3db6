"""What nutpie's chains have drawn; and those that go on, at work in the background and paused where they are looked at.

nutpie's threads take chains from a queue: all of these are at work from the beginning only where there is a thread for
each, on the same CPUs as ever.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import nutpie

from backends._shared.program import Program
from backends.nutpie import trace
from bench.types import Clock, Dataset, Fit

MOST = 100_000
"""Draws of a chain at most, which it is told when it begins; it sets address space aside for them."""
SHORTEST, LONGEST = 0.001, 0.1
"""Seconds between two looks at what the chains have: half of what they are thought to need, for each look copies it."""

RAN_ON = "its chains ran on until they were looked at: its seconds to the target are an upper bound"

Tables = tuple[Any, Any]
"""Draws and statistics of the chains, as tables of Arrow."""


class Background:
    """Chains that were begun, after so many seconds in which they were at work."""

    def __init__(self, compiled: Any, warmup: int, chains: int, **settings: Any) -> None:
        self._warmup, self._seconds = warmup, 0.0
        self._sampler = nutpie.sample(
            compiled, draws=MOST, tune=warmup, chains=chains, cores=chains, blocking=False, progress_bar=False,
            return_raw_trace=True, **settings,
        )  # fmt: skip

    def until(self, count: int) -> tuple[Tables, int]:
        """Draws and statistics once all chains have `count` transitions or more, warmup included; and how many.

        What nutpie raises of a chain; RuntimeError where there are no more.
        """
        self._sampler.resume()
        began, made = time.perf_counter(), -1
        while True:
            found: Tables = self._sampler.inspect().get_arrow_trace()
            made, before = min(map(trace.length, found[1])), made
            if made >= count:
                break
            if made == before and self._over():
                self._sampler.wait()
                wanted = count - self._warmup
                raise RuntimeError(f"nutpie was told to make {MOST} draws a chain, and {wanted} are wanted")
            spent = self._seconds + time.perf_counter() - began
            time.sleep(min(LONGEST, max(SHORTEST, 0.5 * (count - made) * spent / max(made, 1))))
        self._sampler.pause()
        self._seconds += time.perf_counter() - began
        return found, made

    def _over(self) -> bool:
        """Whether the chains have ended; nutpie 0.16 waits for that a moment, and raises where they have not."""
        try:
            return bool(self._sampler.is_finished)
        except TimeoutError:
            return False


class State(NamedTuple):
    """What was found, of which the transitions `first` to `last` are told, `warmup` of them no draws.

    `running` makes more of them, where they are to go on.
    """

    program: Program
    found: Tables
    first: int
    last: int
    warmup: int
    running: Background | None = None


def begin(program: Program, compiled: Any, **settings: Any) -> State:
    """Warmup and the budget's draws or more, of chains that can go on."""
    budget = program.budget
    running = Background(compiled, budget.warmup, budget.chains, **settings)
    found, made = running.until(budget.warmup + budget.draws)
    return State(program, found, 0, made, budget.warmup, running)


def resume(program: Program, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of all chains or more, those that they have when they pause; these alone."""
    assert state.running is not None, "a fit without a target ends"
    with clock("warmup+sample"):
        found, made = state.running.until(state.last + draws)
    return State(program, found, state.last, made, 0, state.running)


def draw(state: State) -> Fit:
    """Draws (chain, draw, …) with the gradients of their trees."""
    of_draws, of_stats = state.found
    stats = trace.statistics(of_stats, state.warmup, slice(state.first, state.last))
    rows = slice(state.first + state.warmup, state.last)
    notes = (RAN_ON,) if state.running else ()
    return Fit("mcmc", trace.draws(of_draws, state.program.data.parameters, rows), stats=stats, notes=notes)
