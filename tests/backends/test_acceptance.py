"""What the whole is for: a wrong answer that looks perfect is shown for what it is, and a right one passes every gate.

Pyro's AutoNormal on two features of correlation 0.95 (scenario correlated-rho95) gives independent draws of a q that
is a third as wide as the posterior; NUTS on the same data is right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analysis.contender import MANY
from bench.analysis.sections import sections
from bench.analysis.tables import RunTables
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.clock import WallClock
from bench.score import chains
from bench.score.across import CellScores
from bench.score.curves import curve
from bench.score.problem import Problem, Scored
from bench.score.scores import score
from bench.store.manifest import run_of
from bench.types import Dataset
from bench.words.sentence import plain

pytestmark = pytest.mark.needs("pyro", "numpyro")

SCENARIO = "correlated-rho95"
REPS = 6


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(scenario(SCENARIO), seed=0, rep=0)


def as_scored(data: Dataset, fit: Any, clock: Any) -> Scored:
    """Warm, its one program divided evenly between warmup and sampling."""
    fam, both = family(data.family), clock.seconds.get("warmup+sample")
    seconds = clock.seconds if both is None else {"warmup": both / 2, "sample": both / 2}
    return Scored(Problem(data, fam, fam.reference(data)), fit, seconds, False, clock.checkpoints, 1)


@pytest.fixture(scope="module")
def svi(data: Dataset, contender: Callable[..., Any]) -> list[Scored]:
    """AutoNormal, steps enough and a rate that decays: at its optimum. Fits differ by their draws of the one q."""
    made = contender("pyro.svi", data, guide="normal", lr=0.3, lr_decay=0.01, particles=4, jit=True, steps=2000)
    clock = WallClock()
    state = made.method.fit(made.program, data.observed(), 1, clock)
    q, states = made.program.guide.posterior(), [state]
    for _ in range(REPS - 1):
        z = q.sample(state.z.shape[:1]).detach()
        states.append(state._replace(z=z.numpy(), log_q=q.log_prob(z).detach().numpy()))
    return [as_scored(data, made.method.draw(one), clock) for one in states]


@pytest.fixture(scope="module")
def nuts(data: Dataset, contender: Callable[..., Any]) -> list[Scored]:
    made = contender("numpyro.nuts", data, draws=1000)
    return [as_scored(data, *made.fit(data, seed)) for seed in range(1, REPS + 1)]


def rows_of(scored: Scored) -> dict[tuple[str, str], float]:
    return {(row.metric, row.part): row.value for row in score(scored)}


@pytest.mark.slow
def test_mean_field_is_shown_for_what_it_is(svi: list[Scored]) -> None:
    found = rows_of(svi[0])
    # The best mean-field sd is sd·√(1 − ρ²), ρ the posterior correlation: here 0.95 ± 0.01 by the 100 rows drawn.
    for part in ("weights[0]", "weights[1]"):
        assert found["sd_ratio_log", part] == pytest.approx(0.5 * np.log(1 - 0.95**2), abs=0.2)
        assert found["mass_90", part] == pytest.approx(0.39, abs=0.07)  # 2Φ(1.645·√(1 − ρ²)) − 1, ± what Adam leaves
        assert found["mass_90_error", part] < -0.4
    # The weights have shape ρ = 0.95; k-hat of 4000 draws is 0.84 ± 0.13 (simulated), its median over 6 fits ± 0.06.
    assert np.median([rows_of(one)["k_hat", ""] for one in svi]) > 0.7
    assert found["b2_max", ""] > 0.3
    assert found["elbo_gap", ""] > 0.8  # −log(1 − ρ²)/2 = 1.16 nats
    assert not {"ess_bulk", "r_hat", "ess_per_second"} & {metric for metric, _ in found}


@pytest.mark.slow
def test_its_draws_look_perfect_to_effective_sample_size(svi: list[Scored]) -> None:
    found = chains.Diagnostics(svi[0].draws.reshape(4, 1000, -1))
    # Of 12 000 series of 4 × 1000 independent draws one in 4 000 has an estimate below 0.75 of their number.
    assert found.ess_bulk.min() > 0.75 * 4000
    assert found.r_hat.max() < 1.01


def tables(fits: dict[str, list[Scored]]) -> RunTables:
    """A run of three rounds: what `bench score` makes of these fits; the first of each round is called cold."""
    rows, metrics = [], []
    for backend, mine in fits.items():
        key = {"run": "r", "cell": backend, "scenario": SCENARIO, "backend": backend}
        cell = CellScores(mine[0].fit.kind, fresh_data=False)
        for rep, one in enumerate(mine):
            found = score(one)
            cell.add(rep, found, curve(one), cold=rep % 2 == 0)
            metrics += [key | {"rep": rep, "metric": m, "part": p, "value": v} for m, p, v in found]
            rows.append(
                key | {
                    "kind": one.fit.kind, "options": "", "track": "matched", "budget": "standard", "device": "cpu",
                    "dtype": "float64", "chains": one.draws.shape[0], "threads": 1, "rep": rep, "round": rep // 2,
                    "cold": rep % 2 == 0, "status": "ok", "reason": "", "seconds_total": sum(one.seconds.values()),
                    "seconds_compile": 0.0, "load_average": 0.0,
                }
            )  # fmt: skip
        metrics += [key | row._asdict() for row in cell.rows()]
    return RunTables(
        run_of({"host": {"logical_cpus": 2}}),
        pd.DataFrame(rows),
        pd.DataFrame(metrics),
        pd.DataFrame({"cell": [], "rep": [], "value": []}),
    )


@pytest.mark.slow
def test_nuts_passes_every_gate_and_mean_field_is_not_ranked(svi: list[Scored], nuts: list[Scored]) -> None:
    run = tables({"pyro.svi": svi, "numpyro.nuts": nuts})
    section = sections(run)[0]
    by_label = {row.label: row for row in section.rows}
    assert (by_label["numpyro.nuts"].state, by_label["numpyro.nuts"].reason) == ("met", "")
    assert by_label["pyro.svi"].state == "not converged"
    assert by_label["pyro.svi"].reason.startswith("k-hat ") and "of the posterior" in by_label["pyro.svi"].reason
    assert section.verdict.state == "only one" and section.answer(MANY).best_group == ("numpyro.nuts",)
    assert plain(section.verdict.sentence).startswith("Only numpyro.nuts met the target")
    assert not section.verdict.compared


@pytest.mark.slow
def test_a_sampler_of_another_target_is_not_ranked_however_well_it_mixes(nuts: list[Scored]) -> None:
    """Every draw of sigma 0.6 % too large, 0.08 posterior sd: R-hat and ESS see nothing, and b² stays below 0.01."""
    wrong = []
    for one in nuts:
        fit = dataclasses.replace(one.fit, draws={**one.fit.draws, "sigma": 1.006 * one.fit.draws["sigma"]})
        wrong.append(dataclasses.replace(one, fit=fit))
    run = tables({"wrong": wrong})
    row = sections(run)[0].rows[0]
    assert row.b2_max is not None and row.b2_max < 0.01
    assert row.state == "not converged" and row.reason.startswith("answer off: Σz²")
    assert "R-hat" not in row.reason and "ESS" not in row.reason
