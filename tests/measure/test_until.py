"""Runs with `--until`, by contenders of which it is known when they meet a target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analysis.diagnostics import accuracy, objections
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.errors import NoReference
from bench.score import until
from bench.types import Estimate
from tests.in_process import Outcome
from tests.measure.inprocess import InProcess, still_time

SCENARIO = "correlated-rho95"


@pytest.fixture(scope="module")
def judge() -> until.Judge:
    return until.judge(0.01, scenario(SCENARIO), dataset(scenario(SCENARIO), seed=0, rep=0))


def test_a_run_measures_the_seconds_to_the_target(
    bench: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each draw per chain of a fake sleeps 0.01 s, after 0.02 s of warmup and 0.1 s of compile."""
    monkeypatch.setattr("bench.measure.local.Local", InProcess)
    with still_time():
        done = bench("run", "-s", SCENARIO, "-b", "fake.endless", "-b", "fake.twin", "--until", "0.01", "--name", "r")
    assert done.code == 3, done.err  # fake.twin is named, and cannot be continued
    fits = pd.read_parquet(tmp_path / "results" / "r" / "fits.parquet")
    metrics = pd.read_parquet(tmp_path / "results" / "r" / "metrics.parquet")
    refused = fits[fits.backend == "fake.twin"]
    assert set(refused.status) == {"unsupported"} and refused.reason.str.contains("cannot be continued").all()

    made = fits[fits.backend == "fake.endless"].set_index("rep")
    assert (made.status == "ok").all() and (made.options == "until=0.01").all()
    times = metrics[metrics.metric.isin(["time_to_target", "time_to_target_cold"]) & metrics.rep.notna()]
    times = times.set_index("rep")
    assert times.metric.tolist() == ["time_to_target_cold", "time_to_target"]
    draws = (times.value - [0.12, 0.02]) / 0.01
    assert np.allclose(draws, draws.round(), atol=1e-6) and draws.between(25, 400).all()
    # all draws are paid: as many again follow the target, and the budget's 500 are made at least
    assert np.allclose(made.seconds_sample.loc[times.index], 0.01 * np.maximum(2.0 * draws.round(), 500.0))
    # of 4 · 25 independent draws or more 0.01 or less on average; the largest of some 50 is about five times that
    after = metrics[(metrics.metric == "b2_after_target") & metrics.rep.isna()].value.item()
    assert after < 0.05
    assert "Seconds to the target are measured" in (tmp_path / "results" / "r" / "report.md").read_text()


def test_a_fit_that_missed_its_target_is_off_it_whatever_its_error_at_the_end() -> None:
    def cell(*met: float) -> Any:
        return SimpleNamespace(b2_max=0.004, error_floor=0.0, scores=lambda _: SimpleNamespace(value=np.array(met)))

    assert objections(accuracy(cell(1.0, 1.0))) == "" and len(accuracy(cell())) == 1
    assert objections(accuracy(cell(1.0, 0.0, 0.0))) == "2 of 3 fits did not meet the target they ran until"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--until", "0"), "at least 1e-06 and below 1"),
        (("--until", "1"), "at least 1e-06 and below 1"),
        (("-b", "exact.posterior[until=0.01,draws=9]"), "draws and until exclude each other"),
        (("-b", "exact.posterior[until=true]"), "until True is not allowed"),
        (("--until", "0.1", "--until-limit", "0"), "--until-limit 0.0 is not allowed"),
    ],
)
def test_a_target_that_cannot_be_is_refused(words: tuple[str, ...], why: str, bench: Callable[..., Outcome]) -> None:
    done = bench("run", "-s", SCENARIO, *words, "--dry-run")
    assert done.code == 2 and why in done.err.replace("\n", " ")


def test_a_plan_and_a_backend_say_who_cannot_be_continued(bench: Callable[..., Outcome]) -> None:
    planned = bench("run", "-s", SCENARIO, "-b", "fake.twin", "--until", "0.1", "--dry-run").out
    assert "cannot be continued" in " ".join(planned.split()) and "[until=0" in planned
    assert "--until: cannot be continued" in bench("info", "fake.twin").out
    assert "--until: goes on in blocks" in bench("info", "torch.nuts").out


def test_blocks_are_judged_as_all_draws_together_and_as_scoring_does(judge: until.Judge) -> None:
    from bench.score.problem import Problem, Scored
    from bench.score.scores import score
    from bench.types import Fit

    data = dataset(scenario(SCENARIO), seed=0, rep=0)
    known = family(data.family).reference(data)
    drawn = known.draw(300, np.random.default_rng(1))
    draws = {name: values.reshape(3, 100, *values.shape[1:]) for name, values in drawn.items()}
    parts = [slice(0, 10), slice(10, 50), slice(50, 100)]
    worst = [judge.more({name: values[:, part] for name, values in draws.items()}) for part in parts][-1]
    scored = Scored(Problem(data, family(data.family), known), Fit("mcmc", draws), {"sample": 1.0}, False)
    truth = next(row.value for row in score(scored) if row.metric == "b2_max")
    assert worst == pytest.approx(truth, rel=1e-9)  # sums in another order


def test_draws_of_q_are_asked_for_only_where_moments_leave_a_chance(judge: until.Judge) -> None:
    data = dataset(scenario(SCENARIO), seed=0, rep=0)
    known = family(data.family).reference(data)
    asked: list[bool] = []

    def draws() -> dict[str, Any]:
        asked.append(True)
        return known.draw(4000, np.random.default_rng(0))

    far = {name: known.mean[name] + 3.0 * known.sd[name] for name in data.names}
    assert judge.answer(Estimate(far, known.sd, draws=draws)) >= 9.0 - 1e-9 and not asked
    assert judge.answer(Estimate(known.mean)) == pytest.approx(0.5, abs=0.1)  # a point: (0 − sd²)²/Var, 1/2 if normal
    near = judge.answer(Estimate(known.mean, known.sd, draws=draws))
    assert asked and 0.0 < near < 20 / 4000  # 1/4000 on average, of a few dozen functions


def test_an_error_below_that_of_the_reference_is_refused(judge: until.Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = scenario(SCENARIO)
    monkeypatch.setattr(until, "Judge", lambda *_: judge)
    data = dataset(chosen, seed=0, rep=0)
    with pytest.raises(NoReference, match="1e-05 cannot be told: the reference is itself worth"):
        until.judge(1e-5, chosen, data)

    def none(*_: object) -> None:
        raise NoReference("nobody knows")

    monkeypatch.setattr(until, "reference", none)
    with pytest.raises(NoReference, match="nobody knows"):
        until.judge(0.01, chosen, data)
