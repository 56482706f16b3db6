"""What chains of trajectories state of their work, against sums taken by hand, a transition at a time."""

from __future__ import annotations

import numpy as np
import pytest

from backends._shared.trajectories import statistics

STEPS = [[3, 1, 7, 2, 2], [1, 5, 3, 4, 1]]


@pytest.mark.parametrize(("lockstep", "executed", "before"), [(False, 29, 10), (True, 2 * (3 + 5 + 7 + 4 + 2), 16)])
def test_work_is_split_at_the_end_of_the_warmup(lockstep: bool, executed: int, before: int) -> None:
    hits = np.array(STEPS) >= 7
    found = statistics(STEPS, 2, beside=4, lockstep=lockstep, treedepth_hits=hits, energy=np.float32(STEPS))
    assert (found["gradients"], found["gradients_warmup"]) == (29 + 4, 3 + 1 + 1 + 5 + 4)
    assert (found["gradients_executed"], found["gradients_executed_warmup"]) == (executed + 4, before + 4)
    np.testing.assert_array_equal(found["num_steps"], [[7, 2, 2], [3, 4, 1]])
    assert found["treedepth_hits"] == 1 and found["energy"].dtype == np.float64 and found["energy"].shape == (2, 3)
    assert ("num_steps_executed" in found) is lockstep
    if lockstep:
        np.testing.assert_array_equal(found["num_steps_executed"], [[7, 4, 2], [7, 4, 2]])
