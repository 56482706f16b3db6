"""A canned run for every state of the verdict grammar, and larger ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.analysis.tables import RunTables
from tests.present.conftest import FAKES, Fake, canned

ABOUT = {"s0-exponential": {"what": "linear, 2 features, 50 rows", "description": "Exponential prior on sigma"}}

WRONG = Fake("pyro.svi", "vi", 0.08, 0.41, {"guide": "normal"}, seed=4)
CRASHING = Fake("torch.sgd", "point", status="crashed", reason="signal 11")
ABSENT = Fake("blackjax.nuts", "mcmc", status="unavailable", reason="blackjax is not installed; bench install blackjax")
ELSE = (WRONG, CRASHING, ABSENT)


def one(fakes: tuple[Fake, ...] = FAKES, **how: Any) -> RunTables:
    """A run on one scenario, of which it knows what it is."""
    return canned(fakes, about=ABOUT, **how)


def _two(
    seconds: tuple[float, float] = (1.0, 1.0), spread: tuple[float, float] = (0.02, 0.02),
    error: tuple[float, float] = (0.002, 0.002), *, compile: float = 0.0,
) -> RunTables:  # fmt: skip
    """Two samplers that need nothing before a fit, or (`compile`) the faster one so many seconds."""
    pair = (
        Fake("a.nuts", "mcmc", seconds[0], error[0], spread=spread[0], importing=0.0, compile=compile, seed=2),
        Fake("b.nuts", "mcmc", seconds[1], error[1], spread=spread[1], importing=0.0, seed=3),
    )
    return one((*pair, *ELSE))


STATES: dict[str, Callable[[], RunTables]] = {
    "clear": lambda: one(),
    "split": lambda: _two((0.05, 1.0), compile=4.4),
    "size unsure": lambda: _two((1.0, 1.2), (0.0, 0.12)),
    "small": lambda: _two((1.0, 1.05), (0.0, 0.005)),
    "equivalent": lambda: _two(spread=(0.01, 0.01)),
    "no difference shown": lambda: _two(spread=(0.3, 0.3)),
    "trade-off": lambda: _two((1.0, 9.0), error=(0.006, 0.0004)),
    "only one": lambda: one((Fake("a.nuts", "mcmc", 1.0, 0.002, seed=2), *ELSE)),
    "none": lambda: one((Fake("a.nuts", "mcmc", 1.0, 0.05, seed=2), *ELSE)),
    "not enough": lambda: one(reps=2, rounds=1),
    "not trusted": lambda: one(load=5.0),
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
