"""torch.metropolis, all chains as one batch, against the plain loop of the S3 source, on the S3 linear model.

The plain loop has one chain, a tensor that asks for gradients per parameter, a Python loop over the parameters, and
takes the log density of both states at every step, as one writes it first; a kinder one keeps that of the present
state.
Prints draws per second and the ratios to both, on one thread.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from backends.torch import metropolis
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.types import Budget, Dataset, Place

STEPS = 2000


def plain_loop(data: Dataset, steps: int, *, keep: bool) -> float:
    """Draws per second of the source's way of writing it."""
    x, y = torch.tensor(data.arrays["x"]), torch.tensor(data.arrays["y"])
    low, high = torch.tensor(-100.0, dtype=torch.float64), torch.tensor(100.0, dtype=torch.float64)
    wide, positive = torch.distributions.Uniform(low, high), torch.distributions.Uniform(0 * high, high)
    priors = {"beta0": wide, "beta1": wide, "beta2": wide, "sigma": positive}
    start = {"beta0": 2.0, "beta1": 1.0, "beta2": -3.0, "sigma": 1.0}
    state = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in start.items()}

    def log_density(at: dict[str, Any]) -> Any:
        total = torch.zeros((), dtype=torch.float64)
        for name, prior in priors.items():
            total = total + prior.log_prob(at[name])
        mean = at["beta0"] + at["beta1"] * x[:, 0] + at["beta2"] * x[:, 1]
        return total + torch.distributions.Normal(mean, at["sigma"]).log_prob(y).sum()

    present = log_density(state)
    began = time.perf_counter()
    for _ in range(steps):
        proposal = {}
        for name, value in state.items():
            moved = value.detach() + 0.05 * torch.randn((), dtype=torch.float64)
            proposal[name] = moved.requires_grad_()
        value = log_density(proposal)
        if not keep:
            present = log_density(state)
        if torch.rand(()).log() < value - present:
            state, present = proposal, value
    return steps / (time.perf_counter() - began)


def batched(data: Dataset, chains: int) -> float:
    """Draws per second of the backend, warmup included, after one fit that is not counted."""
    budget = Budget("ratio", chains, STEPS, STEPS, 0, 1, 1, 600.0)
    program = metropolis.build(data.skeleton(), budget, metropolis.Options(), Place())
    clock = WallClock()
    for clock in (WallClock(), WallClock()):
        metropolis.fit(program, data, 1, clock)
    return chains * 2 * STEPS / (clock.seconds["warmup"] + clock.seconds["sample"])


def main() -> None:
    torch.set_num_threads(1)  # a second one helps neither; on a busy machine waiting for it costs more than work
    data = dataset(scenario("s3-linear"), seed=0, rep=0).observed()
    plain, kind = (plain_loop(data, 2 * STEPS, keep=keep) for keep in (False, True))
    print(f"plain loop, 1 chain: {plain:,.0f} draws per second; keeping the present log density: {kind:,.0f}")
    for chains in (4, 64):
        speed = batched(data, chains)
        print(
            f"torch.metropolis, {chains} chains: {speed:,.0f} draws per second, {speed / plain:.1f} times the plain "
            f"loop, {speed / kind:.1f} times the kinder one"
        )


if __name__ == "__main__":
    main()
