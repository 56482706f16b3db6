"""False alarms and power of `bench compare`, by simulation of the noise of fresh children.

python tests/benchmarks/studies/compare_power.py          about a minute

Log seconds vary with sd 0.14 between the children of a cell and 0.08 between fits of one child, which makes two warm
fits; `tails` adds to every tenth child an exponential delay of mean 0.5. Every number is a share of comparisons; its
Monte-Carlo standard error is printed.
"""

from __future__ import annotations

import math

import numpy as np

from bench.comparison.measures import MEASURES
from bench.comparison.verdicts import verdict_on
from bench.doctor.floor import floor_of
from bench.stats.intervals import LEAST_LEVEL, Estimate, common_level, paired, unpaired

BETWEEN, WITHIN, WARM = 0.14, 0.08, 2
SLOWER = (1.05, 1.10, 1.28, round(math.exp(2 * BETWEEN), 2), 1.5, 2.0)
SECONDS = MEASURES["seconds_total"]
RESAMPLES = 1000


def rounds(rng: np.random.Generator, n: int, sims: int, *, tails: bool = False) -> np.ndarray:
    """Log median seconds of the warm fits of n children, (sims, n)."""
    child = BETWEEN * rng.standard_normal((sims, n))
    if tails:
        child += np.where(rng.random((sims, n)) < 0.1, rng.exponential(0.5, (sims, n)), 0.0)
    return child + np.median(WITHIN * rng.standard_normal((sims, n, WARM)), axis=2)


def welch_t(a: np.ndarray, b: np.ndarray) -> Estimate:
    return unpaired(a, b)


def paired_t(a: np.ndarray, b: np.ndarray) -> Estimate:
    return paired(b - a)


def yuen_t(a: np.ndarray, b: np.ndarray) -> Estimate:
    """A fifth trimmed at each end, from 8 rounds on: what `bench compare` does with seconds."""
    return unpaired(a, b, trim=True)


def calls(method, a: np.ndarray, b: np.ndarray, *, level: float = LEAST_LEVEL) -> dict[str, float]:
    """Share of each verdict over pairs of rows."""
    found = [judged(method(x, y), level) for x, y in zip(a, b, strict=True)]
    return {v: found.count(v) / len(found) for v in ("worse", "better", "same", "inconclusive")}


def judged(estimate: Estimate, level: float) -> str:
    return verdict_on(estimate, estimate.interval(level), SECONDS, SECONDS.limit)[0]


def percentile_calls(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, *, level: float) -> float:
    """Share that the percentile bootstrap over rounds calls different."""
    n, called = a.shape[1], 0
    for x, y in zip(a, b, strict=True):
        i, j = rng.integers(n, size=(2, RESAMPLES, n))
        low, high = np.quantile(y[j].mean(axis=1) - x[i].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
        called += low > 0 or high < 0
    return called / len(a)


def family(rng: np.random.Generator, n: int, cells: int, sims: int, *, slow: float = 1.0, tails: bool = False):
    """Whole comparisons of `cells` cells, the first slower by `slow`: (share of equal cells called different, share
    of comparisons with any such call, share in which the slow cell is called worse)."""
    wrong, any_wrong, found = 0, 0, 0
    for _ in range(sims):
        a, b = rounds(rng, n, cells, tails=tails), rounds(rng, n, cells, tails=tails)
        b[0] += math.log(slow)
        estimates = [unpaired(x, y) for x, y in zip(a, b, strict=True)]
        level = common_level([e.p_value for e in estimates])
        verdicts = [judged(e, level) for e in estimates]
        equal = verdicts[1:] if slow != 1.0 else verdicts
        different = sum(v in ("worse", "better") for v in equal)
        wrong, any_wrong, found = wrong + different, any_wrong + (different > 0), found + (verdicts[0] == "worse")
    return wrong / (sims * (cells - (slow != 1.0))), any_wrong / sims, found / sims


def bursts(rng: np.random.Generator, share: float, sims: int, *, rounds: int = 10) -> None:
    """Quiet children, but a share that a neighbour slows to 1.1 to 1.5 times their seconds, as on a shared machine."""

    def side() -> np.ndarray:
        hit = rng.random((sims, rounds)) < share
        return 0.012 * rng.standard_normal((sims, rounds)) + hit * rng.uniform(0.1, 0.42, (sims, rounds))

    a, same, slower = side(), side(), side()
    floors = np.array([floor_of(np.exp(one)[:, None], [rounds]).smallest[rounds] for one in side()])
    planted = slower + np.log1p(2.0 * floors)[:, None]
    for name, method in (("Welch t", welch_t), ("Yuen t", yuen_t)):
        alarms = np.mean([method(x, y).p_value < 1.0 - LEAST_LEVEL for x, y in zip(a, same, strict=True)])
        found = [
            np.mean([method(x, y).interval(LEAST_LEVEL)[0] > 0.0 for x, y in zip(a, b, strict=True)])
            for b in (slower + 0.05, planted)
        ]
        print(f"  {share:3.0%} of children, {name:7s}  A/A {alarms:.3f}   slower by 5 % {found[0]:.3f}, by twice the "
              f"doctor's floor {found[1]:.3f}")  # fmt: skip


def main() -> None:
    rng = np.random.default_rng(20260101)
    sims = 2000
    print(f"one comparison, {sims} simulations (standard error at most {0.5 / math.sqrt(sims):.3f})")
    print("A/A: called different; then called worse by a slowdown of", *(f"{s:g}x" for s in SLOWER))
    for tails in (False, True):
        for n in (3, 5, 10, 20):
            a = rounds(rng, n, sims, tails=tails)
            same = rounds(rng, n, sims, tails=tails)
            boot = percentile_calls(rng, a, same, level=0.95)
            print(f"\n{n} rounds{', tails' if tails else ''}; percentile bootstrap at 95 %, A/A: {boot:.3f}")
            for name, method in (("Welch t", welch_t), ("paired t", paired_t), ("Yuen t", yuen_t)):
                for level in (0.95, LEAST_LEVEL):
                    alarm = calls(method, a, same, level=level)
                    slower = rounds(rng, n, sims, tails=tails)
                    power = [calls(method, a, slower + math.log(s), level=level)["worse"] for s in SLOWER]
                    numbers = " ".join(f"{p:.3f}" for p in power)
                    different = alarm["worse"] + alarm["better"]
                    print(f"  {name:8s} at {level:.0%}   A/A {different:.3f} (same: {alarm['same']:.3f})   {numbers}")
    print(f"\nbursts, 10 rounds, at {LEAST_LEVEL:.0%}")
    for share in (0.03, 0.06, 0.15):
        bursts(rng, share, sims)
    print("\n24 cells compared at once, at the common level (400 simulations)")
    for n in (5, 10, 20):
        wrong, anyone, _ = family(rng, n, 24, 400)
        _, _, found = family(rng, n, 24, 400, slow=math.exp(2 * BETWEEN))
        _, _, large = family(rng, n, 24, 400, slow=2.0)
        print(
            f"  {n:2d} rounds   A/A: {wrong:.4f} of comparisons, {anyone:.3f} of compares with any call; one cell "
            f"slower by twice the noise ({math.exp(2 * BETWEEN):.2f}x): found {found:.3f}, by 2x: {large:.3f}"
        )


if __name__ == "__main__":
    main()
