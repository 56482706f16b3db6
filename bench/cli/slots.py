"""`--executor` on the command line: what is said while slots are waited for, and where the fits are made then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import typer

from bench.cli import INTERRUPTED
from bench.cli.output import ERR
from bench.cli.progress import Status
from bench.errors import UsageError
from bench.measure.cluster import opening
from bench.measure.executor import Wide
from bench.measure.job import Limits
from bench.plan import Plan
from bench.words import format as fmt


@contextmanager
def slots(chosen: dict[str, Any], plan: Plan, limits: Limits, *, quiet: bool) -> Iterator[Wide | None]:
    """The slots that the user named, None for this machine; UsageError where there can be none."""
    named = opening.known(chosen.get("executor"))
    if named == opening.LOCAL:
        yield None
        return
    if limits.reuse:
        raise UsageError("--reuse-compiled needs --executor local: slots keep nothing of a round for the next")
    with ExitStack() as stack:
        with Status("starting slots", quiet=quiet, lines=True) as status:
            wanted, say = (chosen.get("threads"), limits.memory), ERR.print
            try:
                cluster = stack.enter_context(opening.opened(named, plan, *wanted, say=say, tick=status.tick))
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None
        if not quiet:
            each = f"{fmt.count(cluster.width(), 'slot')} of {fmt.count(cluster.threads(), 'CPU')}"
            ERR.print(f"{each} on {fmt.count(len(cluster.machines()), 'machine')}")
        yield cluster
