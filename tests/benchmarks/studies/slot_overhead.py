"""What the engine of slots costs per cell beyond the child: fake children that sleep for milliseconds and leave a fit.

python -m tests.benchmarks.studies.slot_overhead 1000 10000        so many children; the last to the first
python -m tests.benchmarks.studies.slot_overhead 10000 --kind sweep alone
python -m tests.benchmarks.studies.slot_overhead 1000 10000 --executor tcp://127.0.0.1:8786

Kinds: `rounds` of 100 cells; `sweep`, one round of as many different cells; `alone`, rounds with a child per message,
as long ones have it. Everything but the child is real: Dask's scheduler and workers, requests, files that come back,
records that are synced and renamed. In each slot a child costs (seconds of the run × slots / children) − its own, as
the slot saw it; CPU seconds of leader and slots beside it say what of that is work, and what is waiting for others on
the machine. Those of the leader are divided between its threads: Dask's, those that ask slots, those that put fits on
the disk, and the one that leads.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

from bench.measure import blocks, run
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


WHOSE = {"MainThread": "leads", "stores": "stores", "slot": "asks slots"}
"""Kinds of threads by the beginning of their names."""


class Silent:
    """A watcher that counts, and reads what CPU seconds each kind of thread of this process has used."""

    def __init__(self) -> None:
        self.ended = 0
        self._used: dict[int, tuple[str, float]] = {}
        self.waits()
        self._before = self._sums()

    def ends(self, *_: Any) -> None:
        """One more."""
        self.ended += 1

    def waits(self) -> None:
        """Read those of all threads that there are."""
        for thread in threading.enumerate():
            with contextlib.suppress(OSError):
                nanoseconds = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0]
                self._used[thread.native_id or 0] = thread.name.partition("_")[0], int(nanoseconds) / 1e9

    def _sums(self) -> Counter[str]:
        sums = Counter[str]()
        for name, seconds in self._used.values():
            sums[WHOSE.get(name, "Dask")] += seconds  # type: ignore[assignment]
        return sums

    def shares(self, children: int) -> str:
        """In words, ms per child."""
        now = self._sums()
        return ", ".join(f"{who} {1000 * (now[who] - self._before[who]) / children:.1f}" for who in sorted(now))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


KINDS = ("rounds", "sweep", "alone")


def planned(cells: int, kind: str) -> Plan:
    """So many children: of 100 cells in rounds, or of as many cells in one round."""
    sizes, rounds = (cells // 10, 1) if kind == "sweep" else (10, max(1, cells // 100))
    numbers = ",".join(str(40 + i) for i in range(sizes))
    return make(
        Choice(
            scenarios=[f"correlated-rho95[n_obs=[{numbers}]]"],
            backends=[f"fake.exact[bias=[{','.join(f'{i}.0' for i in range(10))}]]"],
            reps=1,
            rounds=rounds,
        )
    )


def measured(cells: int, kind: str, executor: str) -> float:
    """Seconds per cell and slot beyond the child."""
    plan = planned(cells, kind)
    with (
        mock.patch.object(blocks, "TOGETHER", 1 if kind == "alone" else blocks.TOGETHER),
        tempfile.TemporaryDirectory() as results,
        opening.opened(executor, plan, 1, None, say=print, tick=lambda _: None) as slots,
    ):
        folder, watcher = RunFolder.create(Path(results), "r"), Silent()
        began, own, theirs = time.perf_counter(), time.process_time(), _cpu(slots)
        assert run.execute(plan, folder, Limits(fresh=True), watcher, slots)
        wall, own, theirs = time.perf_counter() - began, time.process_time() - own, _cpu(slots) - theirs
        lines = folder.children.entries()
        assert len(lines) == watcher.ended == len(list(plan.jobs()))
        child = sum(line["seconds"] for line in lines) / len(lines)
        cost = wall * slots.width() / len(lines) - child
        print(
            f"{kind}, {len(lines)} children on {slots.width()} slots: {wall:.1f} s, child {1000 * child:.1f} ms, "
            f"beyond it {1000 * cost:.1f} ms per child and slot, {1000 * wall / len(lines):.1f} ms of the run each; "
            f"CPU per child: leader {1000 * own / len(lines):.1f} ms ({watcher.shares(len(lines))}), "
            f"slots {1000 * theirs / len(lines):.1f} ms",
            flush=True,
        )
        return cost


def _cpu(slots: Any) -> float:
    return float(sum(slots._client.run(time.process_time).values()))


def main() -> None:
    """Every size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=["rounds"])
    parser.add_argument("--executor", default="dask")
    chosen = parser.parse_args()
    os.environ["BENCH_BACKENDS"] = str(FAKES)
    opening._client = _installed  # type: ignore[assignment]
    for kind in chosen.kind:
        costs = [measured(cells, kind, chosen.executor) for cells in chosen.cells]
        ratio = costs[-1] / costs[0]
        print(f"{kind}: ratio of the cost per child, {chosen.cells[-1]} to {chosen.cells[0]} of them: {ratio:.2f}")


if __name__ == "__main__":
    main()
