"""What `bench doctor --slots` measures, and how it says it."""

from __future__ import annotations

import typer

from bench.catalog.kept import bring
from bench.cli import INTERRUPTED, output, signals
from bench.cli.progress import Status
from bench.cli.slots import slots
from bench.doctor.neighbours import HARMLESS, Neighbours, measure
from bench.measure import guardian
from bench.measure.cluster import opening
from bench.measure.job import Limits
from bench.measure.run import imports_of
from bench.plan import Plan
from bench.words import format as fmt


def show(plan: Plan, threads: int | None, *, as_json: bool) -> None:
    """Measure with the one cell of a plan in the slots of this machine, and print a line per number of slots."""
    opening.known(opening.HERE)
    chosen = {"executor": opening.HERE, "threads": threads}
    with guardian.scratch("doctor") as folder, signals.patience(), slots(chosen, plan, Limits(), quiet=as_json) as wide:
        assert wide is not None
        bring(plan.cells[0].scenario, folder)
        with Status("", quiet=as_json) as status:
            try:
                wide.prepare(imports_of(plan.cells), status.tick)
                taken = [slot for slot in iter(wide.take, None) if slot is not None]
                found = measure(plan, taken, folder, status.tick) if len(taken) > 1 else []
            except KeyboardInterrupt:
                raise typer.Exit(INTERRUPTED) from None
        rounds = plan.cells[0].rounds
    if as_json:
        output.print_json({"rounds": rounds, "slots": [one._asdict() for one in found]})
        return
    if not found:
        output.OUT.print("one slot has room here: nothing disturbs it")
        return
    rows = [(str(one.slots), f"{one.ratio:.2f}×", f"[{one.low:.2f}, {one.high:.2f}]", _advice(one)) for one in found]
    output.show_table(["slots at work", "seconds", "95 % interval", ""], rows)
    output.OUT.print(f"times its seconds alone, {plan.cells[0].name}, {fmt.count(rounds, 'round')}")


def _advice(one: Neighbours) -> str:
    if one.high <= HARMLESS:
        return "no concern"
    if one.low > HARMLESS:
        return "fewer at a time: --threads with more CPUs for each"
    return "not shown either way: more --rounds"
