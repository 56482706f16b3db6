"""`bench verify`: hold every framework's log density and gradient against the family's own."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli import options
from bench.types import DEVICES, DTYPES


def verify(
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="Scenario name or glob. [default: all]"),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", "-b", metavar="NAME", help="Backend or framework, name or glob. [default: all]"),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32. [default: both]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    json_: options.OutcomeJson = False,
) -> None:
    """Hold every framework's log density and its gradient against the family's own float64 ones.

    They are compared at 32 points of U(−2, 2) in unconstrained space, 32 draws of the reference posterior and 8 points
    in the far tail; constants may differ. Allowed is a relative error of 1e-9 in float64 and 1e-5 in float32, beyond
    what rounding alone does where terms cancel. Frameworks without a density of their own have none to verify.

    \b
    Examples:
      bench verify                                every framework, scenario and precision
      bench verify -b numpyro.nuts -b 'torch.*'   the frameworks of these backends
      bench verify -b pyro -s 's0-*' --dtype float64
      bench verify -s 's1-known-noise[n_obs=100000]' --json

    \b
    Exit codes: 0 ok · 2 usage · 3 some density is wrong or could not be evaluated · 4 nothing could be verified
    · 130 interrupted.
    """
    dtypes = [options.word("dtype", dtype, DTYPES)] if dtype else DTYPES
    options.word("device", device, DEVICES)

    from bench.cli import verifying  # numpy

    raise typer.Exit(verifying.verify(scenario or ["*"], backend or [], dtypes, device, as_json=json_))
