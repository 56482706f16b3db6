"""Time to plan 10 000 cells, and what making and ordering a job costs per cell as plans grow.

python tests/benchmarks/studies/plan_speed.py
"""

from __future__ import annotations

import time

from bench.plan import Choice, make


def planned(sizes: int, steps: int) -> tuple[int, float, float]:
    """Cells, seconds to plan them, seconds to order their children."""
    n_obs = ",".join(str(100 + i) for i in range(sizes))
    swept = ",".join(str(1000 + i) for i in range(steps))
    choice = Choice(
        scenarios=[f"s1-known-noise[n_obs=[{n_obs}]]"], backends=[f"torch.adam[steps=[{swept}]]"], reps=1, rounds=3
    )
    began = time.perf_counter()
    plan = make(choice)
    made = time.perf_counter()
    jobs = sum(1 for _ in plan.jobs())
    assert jobs == 3 * len(plan.cells)
    return len(plan.cells), made - began, time.perf_counter() - made


def main() -> None:
    make(Choice(scenarios=["s1-known-noise"], backends=["torch.adam"]))  # imports and first reads
    for sizes, steps in ((10, 10), (50, 20), (100, 100)):
        cells, making, ordering = planned(sizes, steps)
        print(
            f"{cells} cells: planned in {making:.2f} s ({1e6 * making / cells:.0f} µs per cell), "
            f"children ordered in {1e6 * ordering / cells:.0f} µs per cell"
        )


if __name__ == "__main__":
    main()
