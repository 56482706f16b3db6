"""`compare` and `gate` never disagree on the same two runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.analysis.tables import RunTables
from bench.cli import app
from bench.comparison.gate import CODES, judge
from bench.comparison.rules import Rules
from bench.comparison.verdicts import judged
from tests.comparison.gate.conftest import stored
from tests.comparison.history.stored import store
from tests.comparison.runs import HOST, Cell, run

GATES: tuple[tuple[str, ...], ...] = (
    (), ("seconds_total>10%",), ("seconds_total>10%", "b2_avg>2x"), ("missing",), ("ess_per_second<20%", "elpd<2"),
    ("b2_avg>1.5x",), ("seconds_total>10%", "s4-linear/torch.*:seconds_total>30%"), ("k_hat>0.1",),
)  # fmt: skip
BACKENDS = ("torch.adam", "pyro.nuts", "numpyro.nuts", "user.method")


def generated(seed: int) -> tuple[RunTables, RunTables, tuple[str, ...]]:
    """A pair of runs with every kind of change at random, some outliers among their fits, and what may fail."""
    rng = np.random.default_rng(seed)

    def sometimes(share: float, value: Any, otherwise: Any) -> Any:
        return value if rng.random() < share else otherwise

    def cell(backend: str) -> Cell:
        return Cell(
            backend, between=float(rng.choice([0.002, 0.02, 0.14])), within=float(rng.choice([0.002, 0.08])),
            fixed=bool(rng.random() < 0.5), redrawn=bool(rng.random() < 0.5), scored=bool(rng.random() < 0.9),
        )  # fmt: skip

    def changed(before: Cell) -> Cell:
        factors = {name: getattr(before, name) * float(rng.choice([0.5, 1.0, 1.0, 1.2, 3.0])) for name in
                   ("seconds", "b2", "ess", "rss")}  # fmt: skip
        return replace(
            before, elpd=before.elpd - float(rng.choice([0.0, 0.0, 3.0])), threads=sometimes(0.1, 1, 2),
            statuses=sometimes(0.2, {int(rng.integers(6)): "crashed"}, {}), data=sometimes(0.1, "other", "data"),
            backend_digest=sometimes(0.3, "backend-2", "backend-1"), **factors,
        )  # fmt: skip

    names = [b for b in BACKENDS if rng.random() < 0.6] or [BACKENDS[0]]
    cells = [cell(name) for name in names]
    a = run(*cells, seed=2 * seed, rounds=int(rng.integers(1, 11)))
    kept = [changed(c) for c in cells if rng.random() < 0.8] or [cells[0]]
    b = run(
        *kept, *sometimes(0.3, [Cell("numpy.gd")], []), seed=2 * seed + 1, rounds=int(rng.integers(1, 11)),
        host=sometimes(0.2, {**HOST, "cpu": "Another"}, HOST), versions={"torch": sometimes(0.3, "2.2", "2.1")},
    )  # fmt: skip
    for table in (a.metrics, b.metrics):
        wild = rng.random(len(table)) < sometimes(0.3, 0.4, 0.0)
        table.loc[wild & (table["metric"] == "b2_avg"), "value"] *= 20.0
    gates = GATES[int(rng.integers(len(GATES)))]
    known = {*a.fits["backend"], *b.fits["backend"]}
    return a, b, tuple(g for g in gates if "torch.*" not in g or "torch.adam" in known)


def test_every_row_verdict_and_regression_is_the_same_and_the_exit_code_where_the_policy_is():
    """Of generated pairs: as `compare --allow-other-machine` judges two folders, and `gate` two files."""
    outcomes, guarded = set(), 0
    for seed in range(8):
        a, b, gates = generated(seed)
        rules = Rules(fail_on=gates, advice_only_ok=True)
        direct = judged(a, b, rules.request())
        gate = judge(stored(b), stored(a), rules)
        assert gate.comparison is not None
        assert gate.comparison.rows == direct.rows, seed
        assert gate.comparison.regressions == direct.regressions
        assert (gate.comparison.unchecked, gate.comparison.level) == (direct.unchecked, direct.level)
        if gate.outcome != "fits failed" and rules.request().gates:
            assert gate.outcome == direct.outcome, seed
        outcomes.add((gate.outcome, direct.outcome))
        guarded += sum("medians" in row.reason for row in direct.rows)
    assert {("ok", "ok"), ("regression", "regression"), ("not comparable", "not comparable")} <= outcomes
    assert guarded, "and some change rests on a few fits alone"


@pytest.mark.parametrize(
    ("seconds", "rounds", "outcome"), [(1.5, 5, "regression"), (1.0, 5, "ok"), (1.5, 2, "not comparable")]
)
def test_the_two_verbs_print_the_same_rows_and_exit_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, rounds: int, outcome: str
):
    for made in (run(Cell(), seed=1, name="a"), run(Cell(seconds=seconds), seed=2, name="b", rounds=rounds)):
        store(made, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    end = ["--fail-on", "seconds_total>10%", "--format", "json"]
    by_compare = CliRunner().invoke(app, ["compare", "a", "b", "--allow-other-machine", *end])
    by_gate = CliRunner().invoke(app, ["gate", "b", "--baseline", "a", *end])
    assert by_compare.exit_code == by_gate.exit_code == CODES[outcome], by_compare.output + by_gate.output
    first, second = json.loads(by_compare.stdout), json.loads(by_gate.stdout)["comparison"]
    assert first["rows"] == second["rows"] and first["counts"] == second["counts"]
