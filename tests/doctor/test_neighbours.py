"""How much slots slow each other down, told from slots of which that is known."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bench.doctor import neighbours
from bench.errors import UsageError
from bench.measure.executor import End
from bench.plan import Choice, make
from bench.store.folder import RunFolder
from bench.store.records import Record, now


class Machine:
    """So many slots, in which a fit of a second takes `slow` seconds more for each that works beside it."""

    def __init__(self, slots: int, slow: float, status: str = "ok") -> None:
        self.slow, self.status, self.at_work, self.together = slow, status, 0, threading.Condition()
        self.expected = 1
        self.slots = [Slot(self, number) for number in range(slots)]


class Slot:
    along: Path | None = None
    host = "host-a"

    def __init__(self, machine, number):
        self.machine, self.number = machine, number

    def slowness(self):
        return 1.0

    def submit(self, request, into, tick):
        machine = self.machine
        with machine.together:  # until all that were asked are at work
            machine.at_work += 1
            machine.together.notify_all()
            assert machine.together.wait_for(lambda: machine.at_work >= machine.expected, 10.0)
        took = (1.0 + 0.1 * self.number) * (1.0 + machine.slow * (machine.expected - 1))
        for i, rep in enumerate(request.task["reps"]):
            name = Path(request.name).name[1:].partition("-round")[0]
            seconds = {"sample": 50.0 if i == 0 else took}
            record = Record(name, rep, request.task["round"], 0, i == 0, machine.status, "for this test",
                            child=request.task["child"], seconds=seconds, measured_at=now())  # fmt: skip
            RunFolder(into).write_fit(record)
        return End(0, "", took, 2**20, reference_seconds=(0.1, 0.1))


def measured(machine, tmp_path, rounds=4):
    plan = make(Choice(scenarios=["s0-uniform"], backends=["fake.exact"], reps=3, rounds=rounds))

    def tick(text):
        if text:
            machine.expected, machine.at_work = int(text.split()[0]), 0

    return neighbours.measure(plan, machine.slots, tmp_path, tick)


@pytest.mark.parametrize("slow", [0.0, 0.25])
def test_the_ratio_is_that_of_the_machine_whichever_slot_is_looked_at(fakes, tmp_path, slow):
    found = measured(Machine(3, slow), tmp_path)
    assert [one.slots for one in found] == [2, 3]
    for one in found:
        assert one.ratio == pytest.approx(1.0 + slow * (one.slots - 1))
        assert one.low == pytest.approx(one.high)  # it never varies


def test_fits_that_do_not_end_well_are_no_measurement(fakes, tmp_path):
    with pytest.raises(UsageError, match="ended failed: for this test"):
        measured(Machine(2, 0.0, status="failed"), tmp_path)


def test_twice_as_many_at_a_time_and_all():
    assert [neighbours.levels(n) for n in (1, 2, 3, 8, 12)] == [[], [2], [2, 3], [2, 4, 8], [2, 4, 8, 12]]
