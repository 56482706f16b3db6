"""Chains of PyMC's step method, driven as `pm.sample` drives them in one process, warmup and sampling timed apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
from pymc.blocking import DictToArrayBijection
from pymc.initial_point import make_initial_point_fn
from pymc.step_methods.hmc.quadpotential import QuadPotentialDiagAdapt

from backends._shared import trajectories
from backends._shared.program import Program
from backends._shared.pymc_models import LINKERS
from bench.types import Array, Budget, Clock

Point = dict[str, Array]
SINCE_6 = hasattr(pm.NUTS, "setup_chain")
"""Whether a step method is told of a chain by this method, which took the place of `set_rng`."""
TRIES = 100
"""Starts that are drawn per chain at most for one of finite density."""
COLUMNS = {
    **{"diverging": "diverging", "energy": "energy", "log_density": "model_logp"},
    **{"accept_prob": "mean_tree_accept", "treedepth_hits": "reached_max_treedepth"},
}
"""PyMC's names of what each step says of itself."""
STATS = ("tree_size", *COLUMNS.values())

Steps = list[dict[str, Any]]


class Chain(NamedTuple):
    """What a chain has drawn, the parameters in order, and what all its steps say of themselves, warmup first.

    `point` is where it is, `tuned` how PyMC states the step method then.
    """

    draws: list[list[Array]]
    steps: Steps
    point: Point
    tuned: Any


class Answer(NamedTuple):
    """Draws {parameter: (chain, draw, *shape)} and STATS {name: (chain, step)}, warmup first; `tried` are starts.

    `chains` go on by `step`, where they are to.
    """

    draws: dict[str, Array]
    stats: dict[str, Array]
    tried: int
    warmup: int
    linker: str
    chains: tuple[Chain, ...] = ()
    step: pm.NUTS | None = None


class Compiled:
    """What PyMC compiles of a model: the density with its gradient, the parameters at a point, a start.

    All of it is called once, since Numba compiles on a call.
    """

    def __init__(self, made: pm.Model, names: tuple[str, ...], mode: Any) -> None:
        outputs = {variable.name: variable for variable in made.unobserved_value_vars}
        self.names = names
        self.density = made.logp_dlogp_function(ravel_inputs=True, mode=mode)
        self.density.set_extra_values({})
        self.parameters: Callable[..., list[Array]] = made.compile_fn(
            [outputs[name] for name in names],
            inputs=made.value_vars,
            on_unused_input="ignore",
            point_fn=False,
            mode=mode,
        )
        self.start = make_initial_point_fn(model=made, jitter_rvs=set(made.free_RVs), return_transformed=True)
        point = self.start(0)
        with np.errstate(all="ignore"):  # the data are zeros, known errors among them
            self.log_density(point)
        self.parameters(*point.values())

    def log_density(self, point: Point) -> float:
        """The log density at a point, of the cost of a gradient."""
        return float(self.density([DictToArrayBijection.map(point).data])[0])

    def starts(self, rng: np.random.Generator, chains: int, *, uniform: bool) -> tuple[list[Point], int]:
        """A start per chain of finite density, U(−2, 2) or PyMC's own, and how many densities that took."""
        points, tried = [self._start(rng, uniform=uniform) for _ in range(chains)], chains
        for i in range(chains):
            for _ in range(TRIES):
                if np.isfinite(self.log_density(points[i])):
                    break
                points[i], tried = self._start(rng, uniform=uniform), tried + 1
        return points, tried

    def _start(self, rng: np.random.Generator, *, uniform: bool) -> Point:
        point: Point = self.start(int(rng.integers(2**30)))
        return {name: rng.uniform(-2, 2, x.shape).astype(x.dtype) for name, x in point.items()} if uniform else point


def stepper(made: pm.Model, compiled: Compiled, points: list[Point], **settings: Any) -> pm.NUTS:
    """PyMC's NUTS with the metric that `pm.sample` gives it: diagonal, at first the identity."""
    mean = np.mean([DictToArrayBijection.map(point).data for point in points], axis=0)
    metric = QuadPotentialDiagAdapt(len(mean), mean, np.ones_like(mean), 10)
    return pm.NUTS(potential=metric, model=made, initial_point=points[0], logp_dlogp_func=compiled.density, **settings)


def run(
    step: pm.NUTS, point: Point, rng: np.random.Generator, compiled: Compiled, *, budget: Budget, clock: Clock
) -> Chain:
    """One chain, its tuning begun anew."""
    stats: Steps = []
    with clock("warmup"):
        step.setup_chain(rng, budget.warmup, budget.draws) if SINCE_6 else step.set_rng(rng)
        step.tune = True
        step.reset_tuning()
        for _ in range(budget.warmup):
            point, found = step.step(point)
            stats += found
        step.stop_tuning()
    return _draws(step, point, budget.draws, stats, compiled, clock)


def _draws(step: pm.NUTS, point: Point, draws: int, stats: Steps, compiled: Compiled, clock: Clock) -> Chain:
    """So many draws from a point, after steps of these `stats`."""
    kept: list[list[Array]] = []
    with clock("sample"):
        for _ in range(draws):
            point, found = step.step(point)
            stats += found
            kept.append(compiled.parameters(*point.values()))
        return Chain(kept, stats, point, step.sampling_state)


def by_hand(program: Program, seed: int, clock: Clock) -> Answer:
    """Chains of what is compiled, one after another."""
    compiled, budget, options = program.ready, program.budget, program.options
    rng = np.random.default_rng(seed)
    with clock("warmup"):
        points, tried = compiled.starts(rng, budget.chains, uniform=options.init == "uniform")
        step = stepper(program.written, compiled, points, **settings(options))
    made = [
        run(step, point, own, compiled, budget=budget, clock=clock)
        for point, own in zip(points, rng.spawn(budget.chains), strict=True)
    ]
    return _answer(program, made, step, tried, budget.warmup)


def go_on(program: Program, answer: Answer, draws: int, clock: Clock) -> Answer:
    """So many further draws of every chain, tuned as it was."""
    made, step = [], answer.step
    for chain in answer.chains:
        step.sampling_state = chain.tuned
        made.append(_draws(step, chain.point, draws, [], program.ready, clock))
    return _answer(program, made, step, 0, 0)


def _answer(program: Program, chains: list[Chain], step: pm.NUTS, tried: int, warmup: int) -> Answer:
    names = program.ready.names
    draws = {name: np.array([[one[i] for one in chain.draws] for chain in chains]) for i, name in enumerate(names)}
    stats = {name: np.array([[one[name] for one in chain.steps] for chain in chains]) for name in STATS}
    return Answer(draws, stats, tried, warmup, program.options.linker, tuple(chains), step)


def plain(program: Program, seed: int) -> Answer:
    """`pm.sample` as most call it, but in one process, without its diagnostics and its conversion to ArviZ."""
    budget, options = program.budget, program.options
    trace = pm.sample(
        budget.draws,
        tune=budget.warmup,
        chains=budget.chains,
        cores=1,
        random_seed=seed,
        progressbar=options.progress_bar,
        compute_convergence_checks=False,
        return_inferencedata=False,
        discard_tuned_samples=False,
        nuts_sampler="pymc",  # PyMC 6 would take nutpie where it is there
        model=program.written,
        compile_kwargs={"mode": LINKERS[options.linker]},
        nuts=settings(options),
    )
    every = {"combine": False, "squeeze": False}
    draws = {name: np.stack(trace.get_values(name, burn=budget.warmup, **every)) for name in program.data.names}
    stats = {name: np.stack(trace.get_sampler_stats(name, **every)) for name in STATS}
    return Answer(draws, stats, budget.chains, budget.warmup, options.linker)


def settings(options: Any) -> dict[str, Any]:
    """Those of the step method."""
    return {"target_accept": options.target_accept, "max_treedepth": options.max_tree_depth}


def statistics(answer: Answer) -> dict[str, Any]:
    """Of all trees, each of which takes a gradient at its root beside its own."""
    columns = {ours: answer.stats[theirs] for ours, theirs in COLUMNS.items()}
    return trajectories.statistics(answer.stats["tree_size"] + 1, answer.warmup, beside=answer.tried, **columns)
