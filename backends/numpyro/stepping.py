"""SVI of NumPyro as programs compiled ahead of time: one that starts, and one that makes as many steps as it is told.

Data, start, number of steps and learning rate are arguments, so that two programs serve all steps of all reps. NumPyro
itself compiles a step, or a scan of a fixed number of them (`SVI.run`), anew for every data set.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import SVI
from numpyro.optim import Adam

from backends._shared import search
from backends._shared.search import Plan
from bench.types import Array, Diverged

LONGEST = 200
"""Steps at most between two looks at the losses."""
GROWTH = 1.2
"""By which the steps grow at which a checkpoint can be taken, as the clock's own do."""

Arguments = tuple[jax.Array, ...]
Params = dict[str, jax.Array]


@dataclass
class Stepper:
    """SVI with the guide that `guide()` makes; `place(guide, at)` are its first parameters for a start `at`.

    A guide is made within each program, for it keeps what it has seen of the model, data included. With `batches`
    arguments hold a mini-batch for each of so many steps, (batches, rows, …).
    """

    model: Callable[..., None]
    guide: Callable[[], Any]
    elbo: Any
    plan: Plan
    dtype: str
    place: Callable[[Any, Any], Params]
    batches: int = 0
    begin: Callable[..., Any] | None = field(default=None, init=False)
    go_on: Callable[..., Any] | None = field(default=None, init=False)

    def compile(self, at: Any, args: Arguments) -> Any:
        """Compile both programs for a start and data of these shapes; the shapes of a state."""
        starting = jax.jit(self._begin).lower(jax.random.key(0), at, *args)
        self.begin = starting.compile()
        self.go_on = jax.jit(self._go_on).lower(starting.out_info, *self._counts(0, 1, 1.0), *args).compile()
        return starting.out_info

    def prepared(self, args: Arguments) -> tuple[SVI, Any]:
        """The algorithm and its guide, once they have seen the model; what that computes is dropped."""
        guide = self.guide()
        svi = SVI(self.model, guide, Adam(self.plan.lr), self.elbo)
        svi.init(jax.random.key(0), *self._of_step(0, args))
        return svi, guide

    def _of_step(self, i: Any, args: Arguments) -> Arguments:
        """What the model is called with at step i of a call."""
        return tuple(array[i] for array in args) if self.batches else args

    def start(self, key: jax.Array, at: Any, args: Arguments) -> Any:
        """The state of SVI at a start."""
        assert self.begin is not None, "compile comes before start"
        return self.begin(key, at, *args)

    def steps(self, state: Any, done: int, count: int, rate: float, args: Arguments) -> tuple[Any, Array]:
        """Up to LONGEST steps after those `done`, at `rate` or the schedule's if that is less; and their losses."""
        assert self.go_on is not None, "compile comes before steps"
        state, losses = self.go_on(state, *self._counts(done, count, rate), *args)
        return state, np.asarray(losses, np.float64)[:count]

    def point(self, state: Any, *args: jax.Array) -> tuple[Params, jax.Array]:
        """Where a guide that is a point stands in a state, on the scale of the parameters, and the loss there."""
        svi, guide = self.prepared(args)
        return guide.median(svi.get_params(state)), svi.evaluate(state, *args)

    def _counts(self, done: int, count: int, rate: float) -> tuple[Any, ...]:
        return np.int32(done), np.int32(count), np.dtype(self.dtype).type(rate)

    def _begin(self, key: jax.Array, at: Any, *args: jax.Array) -> Any:
        svi, guide = self.prepared(args)
        return svi.init(key, *self._of_step(0, args), init_params=self.place(guide, at))

    def _go_on(self, state: Any, done: jax.Array, count: jax.Array, rate: jax.Array, *args: jax.Array) -> Any:
        svi, _ = self.prepared(args)

        def step(i: jax.Array, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
            state, losses = carry
            late = jnp.maximum(0.0, 2.0 * (done + i) / self.plan.steps - 1.0)
            at = jnp.minimum(rate, self.plan.lr * self.plan.lr_decay**late).astype(rate.dtype)
            svi.optim = Adam(lambda _: at)
            state, loss = svi.update(state, *self._of_step(i, args))
            return state, losses.at[i].set(loss)

        return jax.lax.fori_loop(0, count, step, (state, jnp.zeros(LONGEST, rate.dtype)))


@dataclass
class Search(search.Search):
    """One optimisation by `stepper`; `checkpoint(step, state, loss)` is asked, where due, whether to stop.

    `feed(count)` gives the data of so many steps.
    """

    plan: Plan
    stepper: Stepper
    feed: Callable[[int], Arguments]
    checkpoint: Callable[[int, Any, float], bool]
    steps: int = 0
    state: Any = None
    next: int = 1

    def begin(self, key: jax.Array, at: Any, args: Arguments) -> None:
        """Be at a start."""
        self.state = self.stepper.start(key, at, args)

    def restart(self) -> None:
        """A state that was just started remembers nothing."""

    def kept(self) -> Any:
        """The state, which nothing changes."""
        return self.state

    def resume(self, state: Any) -> None:
        """Go on from there."""
        self.state = state

    def advance(self, steps: int, rate: float) -> list[float]:
        """That many steps in as many calls as there are checkpoints."""
        losses, end = list[float](), self.steps + steps
        while self.steps < end:
            count = min(self.next - self.steps, end - self.steps, self.stepper.batches or LONGEST)
            self.state, found = self.stepper.steps(self.state, self.steps, count, rate, self.feed(count))
            began, self.steps = self.steps, self.steps + count
            due = self.steps == self.next
            if due:
                self.next = max(self.steps + 1, math.ceil(self.steps * GROWTH))
            if not np.isfinite(found).all():
                first = int(np.argmin(np.isfinite(found)))
                raise Diverged(f"−ELBO is {found[first]:g} at step {began + first + 1}")
            losses += found.tolist()
            if due and self.checkpoint(self.steps, self.state, losses[-1]):
                self.stopped = True
                break
        return losses
