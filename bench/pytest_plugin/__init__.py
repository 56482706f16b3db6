"""Fits as pytest-benchmark benchmarks: `pytest --bench-suite quick`; without one of these options it does nothing.

Every scenario × backend is an item `s4-linear/torch.adam` (the names of the catalog, as `bench list` has them), with
the marker `bench`, keywords for its kind, family and framework (`-k mcmc`), the scenario as its group, and the
parameters `scenario`, `backend` and `kind` for `--benchmark-group-by param:backend`.

How it is measured, and why so. pytest-benchmark times calls in its own process; frameworks are imported in children
only, and a time is comparable only where children of all contenders took turns. So the first item lets the harness
make all that were selected, as `bench run` does: densities verified first, rounds interleaved, one child per benchmark
and round, its first fit cold. Each item then hands its fits to `benchmark.pedantic`, one per round, with a timer that
reads the child's own clock, which waits for the device inside the timed phases; the warm-up round is the cold fit,
compile included. What the JSON has under `data` are therefore the `seconds_total` of the run's warm fits, to the last
bit. A loop in this process around a waiting child would add its pipes and its scheduling to every number.

This module is imported by every pytest that finds it installed: it imports pytest and nothing else.
"""

from __future__ import annotations

from typing import Any

import pytest

OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("suite", {"metavar": "NAME", "help": "Fit a suite (quick, …): every scenario × backend is a benchmark."}),
    ("scenario", {"metavar": "NAME[k=v,…]", "action": "append", "default": [],
                  "help": "Scenario name or glob, as `bench run -s`; may be repeated."}),
    ("backend", {"metavar": "NAME[k=v,…]", "action": "append", "default": [],
                 "help": "Backend name or glob, as `bench run -b`; may be repeated."}),
    ("budget", {"metavar": "NAME", "help": "quick, standard or thorough. [default: quick, or the suite's]"}),
    ("track", {"metavar": "NAME", "default": "matched", "help": "matched or defaults. [default: matched]"}),
    ("device", {"metavar": "NAME", "default": "cpu", "help": "cpu, cuda or auto. [default: cpu]"}),
    ("dtype", {"metavar": "NAME", "help": "float64 or float32. [default: float64]"}),
    ("reps", {"metavar": "N", "type": int, "help": "Fits per child; the first is cold. [default: the budget's]"}),
    ("rounds", {"metavar": "N", "type": int,
                "help": "Children per benchmark; a gate needs 3 or more. [default: the budget's]"}),
    ("seed", {"metavar": "N", "type": int, "default": 0, "help": "Root of every seed. [default: 0]"}),
    ("threads", {"metavar": "N", "type": int, "help": "CPUs per child. [default: all usable]"}),
    ("timeout", {"metavar": "SECONDS", "type": float, "help": "Seconds per child. [default: the budget's]"}),
    ("results", {"metavar": "DIR", "help": "Keep the run, with draws and report, in this folder."}),
    ("baseline", {"metavar": "FILE", "help": "Gate: hold the run against this JSON file or run folder."}),
    ("gate", {"metavar": "EXPR", "action": "append", "default": [],
              "help": "Gate: what alone fails, as 'seconds_total>10%%' or 'b2_avg>2x'; may be repeated. "
                      "[default: fail_on of [tool.bench.gate], else every metric compared]"}),
    ("gate-strict", {"action": "store_true", "help": "Gate: a baseline of another machine is exit code 6."}),
    ("gate-advice-only-ok", {"action": "store_true",
                             "help": "Gate: a rule that only advice answers (another machine) is passed."}),
    ("check", {"metavar": "NAME", "action": "append", "default": [],
               "help": "For authors of backends: hold this one, or glob, against its contract; may be repeated."}),
    ("gate-json", {"metavar": "FILE", "help": "Gate: write the verdict to this file."}),
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each `--bench-…`."""
    group = parser.getgroup("bench", "fits of Bayesian inference backends as benchmarks (posterior-bench)")
    for name, about in OPTIONS:
        group.addoption(f"--bench-{name}", **about)


def pytest_configure(config: pytest.Config) -> None:
    """Register what does the work, if fits are asked for."""
    if checked := config.getoption("bench_check"):
        from bench.pytest_plugin import contracts

        contracts.register(config, checked)
    fits = [f"--bench-{name}" for name in ("suite", "scenario", "backend") if config.getoption(_key(name))]
    if fits:
        from bench.pytest_plugin.session import register

        register(config)
        return
    gates = [
        f"--bench-{name}" for name in ("baseline", "gate", "gate-strict", "gate-json") if config.getoption(_key(name))
    ]
    if gates:
        raise pytest.UsageError(
            f"{gates[0]} needs benchmarks to judge: --bench-suite NAME, such as --bench-suite quick"
        )


def _key(name: str) -> str:
    return f"bench_{name.replace('-', '_')}"
