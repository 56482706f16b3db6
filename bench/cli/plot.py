"""`bench plot`: pictures of stored fits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options


def plot(
    run: options.Run,
    kind: Annotated[str, typer.Option(help="trace, posterior, forest, predictive or loss.")],
    scenario: Annotated[str, typer.Option("--scenario", "-s", metavar="NAME", help="Scenario name or glob.")] = "*",
    backend: options.Contenders = None,
    rep: Annotated[int | None, typer.Option(help="Which fit of a cell. [default: the first that ended ok]")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PNG or SVG. [default: RUN/plots/SCENARIO-BACKEND-KIND.png]"),
    ] = None,
    results: options.Results = Path("results"),
) -> None:
    """Draw stored fits, with the truth and the exact posterior, and print where the pictures are.

    \b
    Kinds:
      trace        chains over draws, and their marginals                      (Markov chains)
      posterior    draws, or a point, against the exact marginal densities     (every fit)
      forest       50 and 90 % intervals of all chosen backends, in one picture (every fit)
      predictive   held-out observations against 95 % predictive intervals     (scenarios with hold-out rows)
      loss         objective or −ELBO against steps and seconds                (optimisers, VI)

    \b
    Examples:
      bench plot latest -s s0-uniform -b numpyro.nuts --kind trace
      bench plot latest -s s0-uniform --kind forest                            all its backends
      bench plot latest -s s0-uniform -b 'torch.adam[lr=0.1]' --kind loss --out loss.svg
      bench plot latest -s s1-known-noise -b 'pyro.*' --kind predictive --rep 1
    """
    from bench.cli import plotting  # scipy

    plotting.draw(results, run, kind, scenario, backend or ["*"], rep, out)
