"""The clock, driven by a timer whose every tick is known."""

import pytest

from bench.measure.clock import WallClock
from bench.types import Estimate


class Time:
    """A timer that moves only when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_phases_add_up_and_synchronise_at_both_ends():
    time, synced = Time(), []
    clock = WallClock(timer=time, synchronize=lambda: synced.append(time.now))
    for _ in range(2):
        with clock("sample"):
            time.now += 3.0
    assert clock.seconds == {"sample": 6.0}
    assert synced == [0.0, 3.0, 3.0, 6.0]


def test_the_synchronisation_that_waits_for_the_device_is_timed():
    time = Time()
    work = [0.0]

    def wait():
        time.now += work.pop() if work else 0.0

    clock = WallClock(timer=time, synchronize=wait)
    with clock("sample"):
        work.append(5.0)  # queued on the device, returned at once
    assert clock.seconds["sample"] == 5.0


def test_compilation_inside_a_phase_is_booked_as_compile():
    time, compiled = Time(), [0.0]
    clock = WallClock(timer=time, compile_seconds=lambda: compiled[0])
    with clock("sample"):
        time.now += 4.0
        compiled[0] += 3.0
    assert clock.seconds == {"sample": 1.0, "compile": 3.0}
    assert clock.recompiled == 3.0


def test_compilation_in_its_own_phase_is_not_called_recompilation():
    time, compiled = Time(), [0.0]
    clock = WallClock(timer=time, compile_seconds=lambda: compiled[0])
    with clock("compile"):
        time.now += 3.0
        compiled[0] += 3.0
    assert clock.seconds == {"compile": 3.0}
    assert clock.recompiled == 0.0


def test_a_checkpoint_stops_the_clock():
    time = Time()
    clock = WallClock(timer=time)

    def slow_copy():
        time.now += 100.0
        return Estimate({"w": 1.0})

    with clock("warmup"):
        time.now += 1.0
    with clock("sample"):
        for step in range(1, 5):
            time.now += 1.0
            clock.checkpoint(step, slow_copy)
    assert clock.seconds == {"warmup": 1.0, "sample": 4.0}
    assert [c.seconds for c in clock.checkpoints] == [2.0, 3.0, 4.0, 5.0]
    assert [c.step for c in clock.checkpoints] == [1, 2, 3, 4]


def test_what_is_compiled_for_a_checkpoint_is_no_part_of_the_phase():
    time, compiled = Time(), [0.0]
    clock = WallClock(timer=time, compile_seconds=lambda: compiled[0])

    def estimate():
        time.now += 3.0
        compiled[0] += 2.0
        return Estimate({"w": 1.0})

    with clock("sample"):
        time.now += 4.0
        compiled[0] += 1.0
        clock.checkpoint(1, estimate)
    assert clock.seconds == {"sample": 3.0, "compile": 1.0}
    assert clock.recompiled == 1.0


def test_checkpoints_are_log_spaced_and_estimates_lazy():
    clock, taken = WallClock(), []
    with clock("sample"):
        for step in range(1, 1001):
            clock.checkpoint(step, lambda: taken.append(1) or Estimate({}))
    assert len(taken) == len(clock.checkpoints) < 50
    assert [c.step for c in clock.checkpoints][:6] == [1, 2, 3, 4, 5, 6]


def test_phases_do_not_nest_and_an_error_still_books_its_time():
    time = Time()
    clock = WallClock(timer=time)
    with pytest.raises(RuntimeError, match="inside phase 'sample'"), clock("sample"), clock("warmup"):
        pass
    with pytest.raises(ValueError, match="stop"), clock("transfer"):
        time.now += 2.0
        raise ValueError("stop")
    assert clock.seconds["transfer"] == 2.0
