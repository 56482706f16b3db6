"""What the engine of slots costs per cell beyond the child: fake children that sleep for milliseconds and leave a fit.

python -m tests.benchmarks.studies.slot_overhead 1000 10000        so many cells; the last to the first
python -m tests.benchmarks.studies.slot_overhead 1000 10000 --executor tcp://127.0.0.1:8786

Everything but the child is real: Dask's scheduler and workers, requests, files that come back, records that are synced
and renamed. In each slot a cell costs (seconds of the run × slots / cells) − seconds of a child, as the slot saw it;
CPU seconds of leader and slots beside it say what of that is work, and what is waiting for others on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measure import run
from bench.measure.cluster import opening
from bench.measure.executor import End
from bench.measure.job import Limits
from bench.plan import Choice, Plan, make
from bench.store.folder import RunFolder
from bench.store.records import Record, now
from tests.conftest import FAKES

CHILD_SECONDS = 0.005
DRAWS = b"PK" + bytes(20_000)
"""About what 4 chains of 200 draws of 3 parameters take."""


class Instant:
    """An executor whose child is a sleep, and the files of one fit."""

    def prepare(self, *_: Any) -> None:
        """Nothing is imported."""

    def imports(self) -> dict[str, Any]:
        """Nothing was."""
        return {"seconds": 0.0, "each": []}

    def close(self) -> None:
        """There is nothing to end."""

    def submit(self, request: Any, into: Path, tick: Any) -> End:
        """Sleep, and write a fit without syncing it: that a child does, and its seconds count as its own."""
        began, task = time.perf_counter(), request.task
        time.sleep(CHILD_SECONDS)
        place = into / "fits" / f"{Path(request.name).name[1:].partition('-round')[0]}-{task['reps'][0]}"
        place.mkdir(parents=True)
        (place / "draws.npz").write_bytes(DRAWS)
        (place / "log.txt").write_bytes(b"")
        cell, rep = place.name.rsplit("-", 1)
        record = Record(
            cell, int(rep), task["round"], task["position"], True, "ok", child=task["child"], measured_at=now()
        )
        (place / "record.json").write_text(json.dumps(asdict(record)))
        return End(0, "", time.perf_counter() - began, 2**20, reference_seconds=(0.001, 0.001), load_average=0.0)


def install() -> None:
    """Have slots of this process make such children."""
    from bench.measure.cluster import slot

    slot.local.Local = Instant  # type: ignore[misc,assignment]


@contextmanager
def _installed(*given: Any) -> Iterator[Any]:
    with CLIENT(*given) as got:
        got[0].run(install)
        yield got


CLIENT = opening._client


class Silent:
    """A watcher that only counts."""

    def __init__(self) -> None:
        self.ended = 0

    def ends(self, *_: Any) -> None:
        """One more."""
        self.ended += 1

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def measured(cells: int, executor: str) -> float:
    """Seconds per cell and slot beyond the child."""
    rounds = max(1, cells // 100)
    plan: Plan = make(
        Choice(
            scenarios=["correlated-rho95[n_obs=[40,50,60,70,80,90,100,110,120,130]]"],
            backends=[f"fake.exact[bias=[{','.join(f'{i}.0' for i in range(10))}]]"],
            reps=1,
            rounds=rounds,
        )
    )
    with (
        tempfile.TemporaryDirectory() as results,
        opening.opened(executor, plan, 1, None, say=print, tick=lambda _: None) as slots,
    ):
        folder, watcher = RunFolder.create(Path(results), "r"), Silent()
        began, own, theirs = time.perf_counter(), time.process_time(), _cpu(slots)
        assert run.execute(plan, folder, Limits(fresh=True), watcher, slots)
        wall, own, theirs = time.perf_counter() - began, time.process_time() - own, _cpu(slots) - theirs
        lines = folder.children.entries()
        assert len(lines) == watcher.ended == 100 * rounds
        child = sum(line["seconds"] for line in lines) / len(lines)
        cost = wall * slots.width() / len(lines) - child
        print(
            f"{len(lines)} cells on {slots.width()} slots: {wall:.1f} s, child {1000 * child:.1f} ms, "
            f"beyond it {1000 * cost:.1f} ms per cell and slot, {1000 * wall / len(lines):.1f} ms of the run per cell; "
            f"CPU per cell: leader {1000 * own / len(lines):.1f} ms, slots {1000 * theirs / len(lines):.1f} ms",
            flush=True,
        )
        return cost


def _cpu(slots: Any) -> float:
    return float(sum(slots._client.run(time.process_time).values()))


def main() -> None:
    """Every size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--executor", default="dask")
    chosen = parser.parse_args()
    os.environ["BENCH_BACKENDS"] = str(FAKES)
    opening._client = _installed  # type: ignore[assignment]
    costs = [measured(cells, chosen.executor) for cells in chosen.cells]
    print(f"ratio of the cost per cell, {chosen.cells[-1]} to {chosen.cells[0]} cells: {costs[-1] / costs[0]:.2f}")


if __name__ == "__main__":
    main()
