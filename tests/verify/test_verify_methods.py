"""What a method's own file does to the data is seen before it is timed: as shipped it passes, changed it does not."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from bench.catalog.backends import backend
from bench.catalog.places import backend_files
from bench.catalog.scenarios import scenario
from bench.data import family
from bench.families import families
from bench.measure.contender import Attempt, Contender
from bench.measure.executor import Needs
from bench.store.ledger import Ledger
from bench.store.manifest import Density
from bench.types import Fit
from bench.verify import gate, methods, sharp
from bench.verify.outcome import Pair
from tests import in_process
from tests.conftest import FAKES
from tests.frameworks import OPTIONAL
from tests.measure.inprocess import InProcess
from tests.measure.test_faults import plug_in

METHOD = '''
"""Least squares, ridge's way to it, or draws around it, of data that are changed before."""
from dataclasses import dataclass
import numpy as np
from bench.types import Estimate, Fit
KIND = "{kind}"
FAMILIES = ("linear",)
CHANGE, RATE, NOISE = "{change}", {rate}, {noise}
@dataclass(frozen=True)
class Options:
    pass
def build(data, budget, options, place):
    return budget
def fit(budget, data, seed, clock):
    x, y, rng = data.arrays["x"], data.arrays["y"], np.random.default_rng(seed)
    if CHANGE == "scaled":
        x = 1.02 * x
    if CHANGE == "shortened":
        x, y = x[:-1], y[:-1]
    design = np.column_stack([x, np.ones(len(y))])
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    at = rng.normal(size=3)
    with clock("sample"):
        for step in range(1, budget.steps + 1 if KIND != "mcmc" else 1):
            at = best + (1 - RATE) * (at - best) + NOISE * rng.normal(size=3)
            clock.checkpoint(step, lambda: Estimate({{"weights": at[:2], "bias": at[2]}}))
    if KIND == "mcmc":
        spread = 0.0015625 * rng.normal(size=(budget.chains, budget.draws, 3))
        at = best + spread
    return at
def draw(at):
    shape = at.shape[:2] if KIND == "mcmc" else (1, 1)
    at = at.reshape(*shape, 3)
    return Fit(KIND, {{"weights": at[..., :2], "bias": at[..., 2]}}, stats={{"gradients": 1, "gradients_warmup": 0}})
'''


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes a method and gives the verdict on it, of this process."""
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}:{tmp_path / 'more'}")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def make(name, kind="point", change="none", rate=0.1, noise=0.0):
        plug_in(tmp_path / "more", name, METHOD.format(kind=kind, change=change, rate=rate, noise=noise))
        in_process.forget()
        (outcome,) = methods.verify([Density(f"{name}.one", sharp.NAME, "float64", "cpu")], str, InProcess())
        return outcome

    return make


@pytest.mark.parametrize("kind", ["point", "vi", "mcmc"])
def test_a_method_that_changes_the_data_is_wrong_and_one_that_does_not_is_not(made, kind):
    assert made(f"honest{kind}", kind).verdict == "same"
    for change in ("scaled", "shortened"):
        outcome = made(f"{change}{kind}", kind, change)
        assert outcome.verdict == "wrong" and outcome.refusal.startswith("wrong target: on a problem whose posterior")


def test_who_is_slow_or_noisy_is_not_judged(made):
    """0.02 per step as Adam's swinging about a minimum; 0.001: not arrived after 1500 steps."""
    assert made("noisy", noise=0.02).verdict == "unknown"
    for rate in (1e-6, 1e-3):
        assert made(f"slow{rate:.0e}".replace("-", ""), rate=rate).verdict == "unknown"


def test_a_verdict_is_kept_by_content(made):
    first = made("kept")
    assert not first.cached
    (again,) = methods.verify([first.key], str, InProcess())
    assert again.cached and again.verdict == "same"


def test_methods_are_judged_in_turn_with_the_densities_of_their_framework(made):
    """And beside other frameworks: a fork server has one child at a time, a machine several CPUs."""

    class Exclusive(InProcess):
        at_work: ClassVar[set[Needs]] = set()

        def submit(self, request, into, tick):
            assert request.needs not in self.at_work
            self.at_work.add(request.needs)
            time.sleep(0.02)
            end = super().submit(request, into, tick)
            self.at_work.remove(request.needs)
            return end

    made("other")
    pairs = [Pair("crooked", scenario(name), "float64") for name in ("correlated-rho95", "s0-uniform")]
    fitted = [Density(name, sharp.NAME, "float64", "cpu") for name in ("crooked.exact", "other.one")]
    executor, ticks = Exclusive(), []
    outcomes = gate.verify(pairs, ticks.append, executor=executor, fitted=fitted)
    assert {o.key.framework: o.cached for o in outcomes} == {
        "crooked": False,
        "crooked.exact": False,
        "other.one": True,
    }
    assert [o.key for o in outcomes[:2]] == [pair.key for pair in pairs] and len(outcomes) == 4
    assert [r.task.keys() & {"tasks", "methods"} for r in executor.requests] == [{"tasks"}, {"methods"}]
    assert "crooked float64: 2 scenarios; crooked: the sharp problem" in ticks


def test_the_problem_is_as_sharp_as_it_says():
    data = sharp.problem()
    posterior = family("linear").reference
    exact, scaled = posterior(data), posterior(replace(data, arrays={**data.arrays, "x": 1.02 * data.arrays["x"]}))
    shifts = np.abs(scaled.mean["weights"] - exact.mean["weights"]) / exact.sd["weights"]
    assert (shifts > sharp.SHIFT).all()
    for row in range(sharp.ROWS):
        fewer = {name: np.delete(x, row, axis=0) for name, x in data.arrays.items()}
        less = posterior(replace(data, arrays=fewer))
        assert (np.abs(less.mean["weights"] - exact.mean["weights"]) / exact.sd["weights"] > sharp.SHIFT).all()


def test_a_run_does_not_time_such_a_method(bench, tmp_path, made, monkeypatch):
    import pandas as pd

    monkeypatch.setattr("bench.measure.local.Local", InProcess)
    made("scaledpoint", change="scaled")
    done = bench("run", "-s", "correlated-rho95", "-b", "scaledpoint.one", "--name", "r", "--no-score")
    assert done.code == 3, done.err
    table = pd.read_csv(tmp_path / "results" / "r" / "fits.csv")
    assert set(table.status) == {"invalid"} and table.reason.str.startswith("wrong target: on a problem").all()


QUICK = {"exact.posterior", "numpy.gd", "torch.metropolis"}
SHIPPED = sorted(name for name in backend_files() if "linear" in (backend(name).families or families()))


def marks(name):
    framework = name.partition(".")[0]
    return [pytest.mark.slow] * (name not in QUICK) + [pytest.mark.needs(framework)] * (framework in OPTIONAL)


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in SHIPPED])
def test_a_shipped_method_passes(name, monkeypatch):
    """torch.map is slow: what it is given cannot be seen in its answer, and it states no density.

    Pyro's samplers, of a millisecond per gradient, with fewer draws: their chains agree less, which makes it harder.
    """
    if name in {"pyro.nuts", "pyro.hmc"}:
        monkeypatch.setattr(sharp, "BUDGET", (("chains", 2), ("warmup", 100), ("draws", 50)))
    verdict = sharp.verdict(Contender(sharp.cell_of_method(name, "cpu", "float64"), 1))
    assert verdict["verdict"] == ("unknown" if name == "torch.map" else "same"), verdict


@pytest.mark.parametrize(("stop", "verdict"), [("steps", "unknown"), ("ELBO", "wrong")])
def test_who_says_that_its_steps_ended_before_it_came_to_rest_is_not_judged(stop: str, verdict: str) -> None:
    class Far:
        cell = sharp.cell_of_method("pyro.svi", "cpu", "float64")

        def attempt(self, make, seed, *, cold):
            draws = {"weights": np.zeros((1, 10, 2)), "bias": np.zeros((1, 10))}
            return Attempt(status="ok", fit=Fit("vi", draws), stats={"stop": stop})

    assert sharp.verdict(Far())["verdict"] == verdict


@pytest.mark.parametrize(("steps", "verdict"), [(sharp.FEWER, "unknown"), (sharp.STEPS, "same")])
def test_after_few_steps_every_parameter_must_have_come_to_rest(steps: int, verdict: str) -> None:
    """One at rest would show that a row is left out, and not that another's feature is scaled."""

    class Restless:
        cell = sharp.cell_of_method("pyro.svi", "cpu", "float64", steps)

        def attempt(self, make, seed, *, cold):
            swing = 0.5 * (seed - 1)  # of one weight, from fit to fit
            draws = {"weights": np.array([3.0 + swing, -2.0]) + np.zeros((1, 10, 2)), "bias": np.ones((1, 10))}
            return Attempt(status="ok", fit=Fit("vi", draws), stats={"stop": "ELBO"})

    assert sharp.verdict(Restless())["verdict"] == verdict


@pytest.mark.parametrize(
    ("method", "verdicts", "steps"),
    [
        ("pyro.svi", ["same"], [sharp.FEWER]),
        ("pyro.svi", ["unknown", "same"], [sharp.FEWER, sharp.STEPS]),
        ("pyro.svi", ["wrong", "wrong"], [sharp.FEWER, sharp.STEPS]),
        ("torch.adam", ["unknown"], [sharp.STEPS]),
    ],
)
def test_vi_has_fewer_steps_first_and_all_of_them_where_these_do_not_tell(
    method: str, verdicts: list[str], steps: list[int], monkeypatch, tmp_path
) -> None:
    asked, left = [], list(verdicts)

    def verdict(contender: Contender) -> dict[str, str]:
        asked.append(contender.cell.resolved_budget().steps)
        return {"verdict": left.pop(0), "reason": ""}

    monkeypatch.setattr(sharp, "verdict", verdict)
    answers = Ledger(tmp_path / "answers")
    sharp.answer({"methods": [[method, sharp.NAME, "float64", "cpu"]], "threads": 1}, answers)
    assert asked == steps and [entry["verdict"] for entry in answers.entries()] == verdicts[-1:]
