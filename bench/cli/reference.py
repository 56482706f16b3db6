"""`bench reference`: a reference posterior by long runs that agree, or of draws that the user brings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.errors import UsageError

SAMPLERS = ("numpyro.nuts[target_accept=0.95]", "torch.nuts[target_accept=0.95]")
"""Smaller steps than when speed counts: a reference allows no divergence."""


def reference(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="Name, or path of a TOML file, with its values.")],
    backend: Annotated[
        list[str] | None,
        typer.Option(
            "--backend",
            "-b",
            metavar="NAME[k=v,…]",
            help="Samplers. [default: numpyro.nuts and torch.nuts, of target_accept 0.95]",
        ),
    ] = None,
    chains: Annotated[int, typer.Option(help="Chains of each sampler.")] = 10,
    warmup: Annotated[int, typer.Option(help="Draws of each chain that are thrown away.")] = 2000,
    draws: Annotated[int, typer.Option(help="Draws of each chain that are kept.")] = 10_000,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE.npz", help="Your own draws instead: arrays (chain, draw, …) by parameter."
        ),
    ] = None,
    datasets: Annotated[int, typer.Option(help="Of a scenario with fresh data: for how many reps.")] = 1,
    seed: options.Seed = None,
    threads: options.Threads = None,
    timeout: Annotated[float, typer.Option(help="Seconds per sampler.")] = 7200.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="[default: NAME.reference.npz beside the scenario's file]")
    ] = None,
    executor: options.Executor = None,
    results: options.Results = Path("results"),
    name: Annotated[str | None, typer.Option(help="Name of the run. [default: its date and time]")] = None,
    json_: options.OutcomeJson = False,
) -> None:
    """Make a reference posterior where no formula gives one, and store it with its own errors.

    Two samplers make long runs. These are a reference if each has R-hat below 1.01 (of squares, too), 100 effective
    draws per chain in bulk and tails, no divergence and E-BFMI of at least 0.2, if the two agree in every mean and
    square within their standard errors, and if all draws are worth 10,000 independent ones. What is judged against it
    allows for its error. Otherwise it says which rule is broken, and nothing is stored.

    \b
    Examples:
      bench reference mine.toml
      bench reference logistic-near-separable -b numpyro.nuts -b torch.hmc --draws 50000
      bench reference mine.toml --from draws.npz            draws of another program, by the rules for one sampler

    The scenario uses it by [reference] file = "mine.reference.npz".

    Exit codes: 0 stored · 2 usage · 3 no reference: the rules that were broken are named · 130 interrupted.
    """
    from bench.cli import certifying  # scipy

    counts = {"chains": chains, "warmup": warmup, "draws": draws, "datasets": datasets}
    for key, value in counts.items():
        options.integer(key, value, 1)
    if out is not None and (out.suffix != ".npz" or not out.parent.is_dir()):
        raise UsageError(f"--out {out}: it must be a path of a .npz file in a folder that is there")
    if from_ is not None:
        certifying.bring(scenario, from_, out, seed or 0, as_json=json_)
        return
    chosen = {"seed": seed, "threads": threads, "timeout": timeout, "name": name, "results": results}
    chosen |= {"executor": executor} if executor else {}
    certifying.make(scenario, backend or list(SAMPLERS), counts, chosen, out, as_json=json_)
