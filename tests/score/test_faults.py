"""Draws with a wrong joint distribution, shape or spread do not pass; the reference's own do."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from scipy import stats

from bench.data import family
from bench.protocols import Family, Reference
from bench.score.across import CellScores, RepRow
from bench.score.curves import curve
from bench.score.error import expected_distance
from bench.score.functions import Functions, legendre
from bench.score.judged import Deviations, departures, judge
from bench.score.marginals import KNOTS, LEVELS, NormalScores, levels
from bench.score.problem import Problem, Scored
from bench.score.scores import score
from bench.types import Array, Arrays, Dataset, Fit, Parameter, Prior
from tests.score.normal import NormalReference, table
from tests.score.test_variational import linear

TARGET = 0.01


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Two features of correlation 0.95, their weights of −0.95; sigma unknown."""
    data, fam = linear(Prior("exponential", (1.0,)), rho=0.95), family("linear")
    return Problem(data, fam, fam.reference(data))


def faulty(problem: Problem, fault: str, rng: np.random.Generator, n: int = 4000) -> Array:
    """Exact draws (draw, scalar) with a fault that leaves every mean and sd as it is, or narrows all."""
    assert problem.reference is not None
    x = problem.flat(problem.reference.draw(n, rng))
    mean, sd, _ = problem.moments
    if fault == "corr":
        return np.stack([rng.permutation(column) for column in x.T], axis=1)
    if fault == "signflip":
        ranks = np.argsort(np.argsort(x[:, 0]))
        x[:, 0] = np.sort(x[:, 0])[::-1][ranks]
    if fault == "skew":
        x = mean + sd * (rng.exponential(size=x.shape) - 1.0)
    if fault == "narrow":
        x = mean + 0.95 * (x - mean)
    return x


def cell(problem: Problem, fault: str, reps: int) -> tuple[list[RepRow], list[dict[str, dict[str, float]]]]:
    """Rows across reps, and of each rep, of fits of 4 chains of independent draws with a fault."""
    cell, each = CellScores("mcmc", fresh_data=False), []
    for rep in range(reps):
        x = faulty(problem, fault, np.random.default_rng(rep)).reshape(4, 1000, -1)
        draws = {"weights": x[..., :2], "bias": x[..., 2], "sigma": np.maximum(x[..., 3], 1e-3)}
        scored = Scored(problem, Fit("mcmc", draws), {"warmup": 1.0, "sample": 1.0}, cold=False)
        rows = score(scored)
        each.append(table(rows))
        cell.add(rep, rows, curve(scored), cold=False, deviations=scored.deviations)
    return list(cell.rows()), each


@pytest.mark.parametrize(
    ("fault", "group", "function"),
    [
        ("corr", "joint", "correlation of weights[0] and weights[1]"),
        ("signflip", "joint", "correlation of weights[0] and weights[1]"),
        ("skew", "shape", ""),
    ],
)
def test_a_wrong_joint_or_shape_misses_the_target_in_the_first_rep(
    problem: Problem, fault: str, group: str, function: str
) -> None:
    across, (rep,) = cell(problem, fault, 1)
    assert rep[f"b2_{group}"][""] > TARGET and rep["b2_max"][""] > TARGET
    assert rep["b2_avg"][""] < TARGET  # by means and squares alone it would pass
    assert not any(row.metric == "time_to_accuracy" for row in across)
    (worst,) = [row for row in across if row.metric == f"p_{group}"]
    assert worst.value < 1e-12 and function in worst.part
    known = {row.metric: row.value for row in across if row.part == worst.part}
    if fault == "corr":  # the posterior's correlation is that of the design, negative; permuted draws have none
        assert known["judged_estimate"] == pytest.approx(0.0, abs=0.06) and known["judged_reference"] < -0.9
        assert known["judged_error"] == pytest.approx(np.sqrt((1 + 0.95**2) / 4000), rel=0.2)


def test_exact_draws_meet_the_target_and_pass(problem: Problem) -> None:
    across, each = cell(problem, "none", 2)
    assert max(rep["b2_max"][""] for rep in each) < TARGET
    assert {row.metric: row.value for row in across}["accuracy_floor"] < TARGET
    p = {row.metric: row.value for row in across if row.metric.startswith("p_")}
    assert set(p) == {"p_mean", "p_spread", "p_shape", "p_joint"} and min(p.values()) > 0.01
    assert max(rep["w1_excess"][""] for rep in each) < 3.0


class Flat:
    """A family whose likelihood says nothing."""

    OPAQUE = False

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return np.zeros((len(draws["theta"]), 1))


def test_directions_are_not_expected_to_vary_as_in_the_draws_that_whitened_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In those, 2000 of 200 scalars, they vary a tenth less than in any others."""
    monkeypatch.setattr("bench.score.functions.MOST", 2000)
    size, n = 200, 2000
    data = Dataset("flat", (Parameter("theta", (size,)),), {}, {}, truth={"theta": np.zeros(size)})
    reference = NormalReference({"theta": np.zeros(size)}, {"theta": np.ones(size)})
    quantiles = stats.norm.ppf(LEVELS)[:, None] + np.zeros(size)
    functions = Functions(data, cast(Family, Flat()), cast(Reference, reference), quantiles)
    assert functions.own_draws == pytest.approx(1500)  # a quarter has chosen the functions
    x = np.random.default_rng(2).standard_normal((4, n // 4, size))
    mean = judge(functions, {"theta": x}, (4, n // 4), chains=True).mean
    spreads = [i for i, name in enumerate(functions.names) if name.startswith("spread of direction")]
    z = mean[spreads] / np.sqrt(1 / n + 1 / functions.own_draws)
    assert len(z) == 10 and abs(z.sum()) < 3.5 * np.sqrt(10)  # a tenth would be 2.1 in each


def test_narrowness_is_found_ever_better_with_more_reps(problem: Problem) -> None:
    p = [max(row.value for row in cell(problem, "narrow", reps)[0] if row.metric == "p_spread") for reps in (1, 2, 4)]
    # 1 − 0.95² = 0.0975 is 4.4 standard errors of a mean square of 4000 draws, and √reps as many
    assert p[0] > p[1] > p[2] and p[2] < 1e-12


@pytest.mark.parametrize(
    "law", [stats.norm(3.0, 2.0), stats.expon(), stats.t(3), stats.lognorm(1.5), stats.gamma(0.5), stats.beta(0.5, 0.5)]
)
def test_normal_scores_have_the_moments_of_a_normal(law: object) -> None:
    law = cast("stats.distributions.rv_frozen", law)
    scores = NormalScores(KNOTS, law.ppf(levels(KNOTS))[:, None])
    grid = np.linspace(-5.0, 5.0, 4001)
    x = np.where(grid < 0.0, law.ppf(stats.norm.cdf(grid)), law.isf(stats.norm.sf(grid)))
    w = scores(x[:, None])
    weight = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum()
    moments = [weight @ w[:, 0], weight @ w[:, 0] ** 2 - 1.0, *(weight @ legendre(stats.norm.cdf(w)))]
    # interpolation errs by 1e-5, at the poles of the beta's density by 1e-4: a thousandth of a Monte-Carlo error
    np.testing.assert_allclose(moments, 0.0, atol=1.5e-4)


def test_scores_of_what_is_no_draw_are_finite() -> None:
    scores = NormalScores(KNOTS, KNOTS[:, None])
    w = scores(np.array([[-np.inf], [np.nan], [-7.0], [0.3], [7.0], [np.inf]]))[:, 0]
    np.testing.assert_allclose(w, [-10.0, -10.0, -7.0, 0.3, 7.0, 10.0], atol=1e-9)


def test_shape_functions_are_orthonormal() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(16)
    f = legendre((nodes[:, None] + 1.0) / 2.0)
    np.testing.assert_allclose(f.T @ (f * weights[:, None]) / 2.0, np.eye(4), atol=1e-12)  # rounding
    np.testing.assert_allclose(weights @ f, 0.0, atol=1e-12)


def test_judged_functions_have_unit_variance_under_the_reference(problem: Problem) -> None:
    functions: Functions = problem.functions
    assert problem.reference is not None and len(set(functions.names)) == len(functions) == len(functions.labels)
    drawn = problem.reference.draw(50_000, np.random.default_rng(5))
    values = np.full((50_000, len(functions)), np.nan)
    for first, block in functions.blocks(drawn):
        values[:, first : first + block.shape[1]] = block
    # of 50 000 draws against 20 000 of the reference; of the variance of squares 1.5 %
    assert np.abs(values.mean(axis=0)).max() < 4.5 * np.sqrt(1 / 50_000 + 1 / 20_000)
    np.testing.assert_allclose(values.var(axis=0), 1.0, atol=0.1)


def test_w1_excess_is_one_on_average_for_independent_draws(problem: Problem) -> None:
    assert problem.reference is not None
    distances = []
    for rep in range(60):
        x = problem.flat(problem.reference.draw(1000, np.random.default_rng(rep)))[:, 2]
        distances.append(np.abs(np.quantile(x, LEVELS) - problem.quantiles[:, 2]).mean() / problem.moments[1][2])
    ratio = np.mean(distances) / expected_distance(problem, 1000.0)[2]
    assert ratio == pytest.approx(1.0, abs=0.15)  # W1 of one sample varies by 40 %: 5 % of the mean of 60


def test_reps_that_lack_the_log_likelihood_are_judged_by_the_rest(problem: Problem) -> None:
    fits = []
    for rep in range(2):
        x = faulty(problem, "corr", np.random.default_rng(rep)).reshape(4, 1000, -1)
        draws = {"weights": x[..., :2], "bias": x[..., 2], "sigma": x[..., 3]}
        fits.append(Scored(problem, Fit("mcmc", draws), {}, cold=False).deviations)
    whole, other = cast("list[Deviations]", fits)
    short = other._replace(**{name: getattr(other, name)[:-2] for name in ("labels", "names", "mean", "effective")})
    assert whole.names[-1] == "spread of log likelihood"
    pooled = {one.group: one for one in departures([whole, short], shared=True)}
    assert pooled["joint"].p < 1e-12 and pooled["joint"].label.startswith("correlation of")
