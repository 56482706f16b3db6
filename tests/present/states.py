"""A canned run for every state of the verdict grammar, and larger ones."""

from __future__ import annotations

from collections.abc import Callable

from bench.analysis.tables import RunTables
from tests.present.conftest import FAKES, Fake, canned

WRONG = Fake("pyro.svi", "vi", 0.08, 0.41, {"guide": "normal"}, seed=4)
CRASHING = Fake("torch.sgd", "point", status="crashed", reason="signal 11")
ABSENT = Fake("blackjax.nuts", "mcmc", status="unavailable", reason="blackjax is not installed")
ELSE = (WRONG, CRASHING, ABSENT)


def _twins(spread: float) -> RunTables:
    twins = (
        Fake("a.nuts", "mcmc", 1.0, 0.002, spread=spread, seed=2),
        Fake("b.nuts", "mcmc", 1.0, 0.002, spread=spread, seed=3),
    )
    return canned((*twins, *ELSE))


def _pair(seconds: float, spread: float) -> RunTables:
    pair = (
        Fake("a.nuts", "mcmc", 1.0, 0.002, spread=0.0, seed=2),
        Fake("b.nuts", "mcmc", seconds, 0.002, spread=spread, seed=3),
    )
    return canned((*pair, *ELSE))


STATES: dict[str, Callable[[], RunTables]] = {
    "clear": lambda: canned(),
    "size unsure": lambda: _pair(1.2, 0.12),
    "small": lambda: _pair(1.05, 0.005),
    "equivalent": lambda: _twins(0.01),
    "no difference shown": lambda: _twins(0.3),
    "trade-off": lambda: canned(
        (Fake("a.nuts", "mcmc", 1.0, 0.006, seed=2), Fake("b.nuts", "mcmc", 9.0, 0.0004, seed=3), *ELSE)
    ),
    "only one": lambda: canned((Fake("a.nuts", "mcmc", 1.0, 0.002, seed=2), *ELSE)),
    "none": lambda: canned((Fake("a.nuts", "mcmc", 1.0, 0.05, seed=2), *ELSE)),
    "not enough": lambda: canned(reps=2, rounds=1),
    "not trusted": lambda: canned(load=5.0),
}
"""{state: its run}; beside two samplers stand a fast wrong backend, a crashing one and one that is not there."""

SCENARIOS = ("s0-exponential", "s4-linear", "hard-funnel")


def several() -> RunTables:
    """Three scenarios, one of them described."""
    return canned(
        FAKES, scenarios=SCENARIOS, about={"s4-linear": {"description": "Five features.", "family": "linear"}}
    )


def many(scenarios: int = 26, backends: int = 20) -> RunTables:
    """More cells than the page shows whole: 520 of two reps each."""
    fakes = tuple(
        Fake(f"f{i % 4}.m{i}", "mcmc" if i % 5 else "vi", 0.1 + i / 10, 0.002 if i % 3 else 0.2, seed=i)
        for i in range(backends)
    )
    return canned(fakes, scenarios=tuple(f"s{i}" for i in range(scenarios)), reps=2, rounds=1)
