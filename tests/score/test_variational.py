"""ELBO, gap and k-hat against closed forms: on independent normals, and on a linear model with known sigma."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.data import family
from bench.score.problem import Problem, Scored
from bench.score.scores import score
from bench.score.variational import LIGHTEST, log_ratios, variational_rows
from bench.types import Array, Dataset, Fit, Parameter, Prior
from tests.score.normal import make_problem, make_scored, of_posterior, table

DRAWS = 4000


def normal_q(*, shift: float = 0.0, scale: float = 1.0, draws: int = DRAWS, n_effective: float = np.inf) -> Scored:
    """q at posterior mean + sd·(shift + scale·ε) in each of the four scalars."""
    problem = make_problem(n_effective=n_effective)
    e = np.random.default_rng(0).standard_normal((1, draws, 4))
    log_q = stats.norm.logpdf(e).sum(axis=-1) - 4 * np.log(scale)
    return make_scored(problem, "vi", of_posterior(problem, e, shift=shift, scale=scale), log_q=log_q)


def values(scored: Scored) -> dict[str, float]:
    return {metric: rows[""] for metric, rows in table(list(variational_rows(scored))).items()}


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 0.5), (0.3, 1.0), (-0.2, 0.8)])
def test_gap_is_the_divergence_between_normals(shift: float, scale: float) -> None:
    found = values(normal_q(shift=shift, scale=scale))
    truth = 4 * (-np.log(scale) + (scale**2 + shift**2 - 1.0) / 2.0)
    assert found["elbo"] == -found["elbo_gap"]  # the evidence is 1
    assert found["elbo_gap"] == pytest.approx(truth, abs=4 * found["elbo_se"])
    # Var of log p − log q of one scalar: (1 − s²)²/2 + s²·shift², over 4000 draws; an sd of a variance is 4 % here.
    variance = 4 * ((1.0 - scale**2) ** 2 / 2.0 + scale**2 * shift**2)
    assert found["elbo_se"] == pytest.approx(np.sqrt(variance / DRAWS), rel=0.1)
    assert found["elbo_gap_se"] == found["elbo_se"]


def test_the_reference_has_an_error_of_its_own() -> None:
    scored = normal_q(scale=0.5)
    scored.problem.reference.log_evidence_se = 0.3  # type: ignore[union-attr,misc]
    found = values(scored)
    assert found["elbo_gap_se"] == pytest.approx(np.hypot(found["elbo_se"], 0.3), rel=1e-12)


def test_the_posterior_itself_has_no_gap_and_no_tail() -> None:
    found = values(normal_q())
    assert found["elbo_gap"] == pytest.approx(0.0, abs=1e-12) and found["elbo_se"] < 1e-12  # rounding
    assert found["k_hat"] == LIGHTEST


def test_k_hat_sees_a_q_that_is_too_narrow_but_not_one_too_wide() -> None:
    # In each scalar the weights of a q of scale s < 1 have shape 1 − s²; sd of k-hat at 190 tail draws is 0.1.
    assert values(normal_q(scale=0.3))["k_hat"] > 0.7
    assert values(normal_q(scale=1.2))["k_hat"] < 0.5


def test_without_a_reference_there_is_an_elbo_but_no_gap() -> None:
    scored = normal_q(scale=0.5)
    bare = replace(scored, problem=replace(scored.problem, reference=None))
    assert set(values(bare)) == {"elbo", "elbo_se", "k_hat", "log_ratios_lost"}


def test_nothing_is_said_from_few_draws_or_without_log_q() -> None:
    assert set(values(normal_q(draws=999))) == {"log_ratios_lost"}
    scored = normal_q()
    assert values(replace(scored, fit=replace(scored.fit, stats={}))) == {}
    assert values(replace(scored, fit=replace(scored.fit, kind="mcmc"))) == {}


def linear(sigma: Prior, *, rho: float = 0.0, scale: float = 1.0, n: int = 60) -> Dataset:
    """Two features of correlation rho, weights 1 and 0.5 times `scale`, no hold-out."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((n, 2)) @ np.linalg.cholesky([[1.0, rho], [rho, 1.0]]).T
    weights = scale * np.array([1.0, 0.5])
    y = x @ weights + 0.5 + rng.standard_normal(n)
    normal = Prior("normal", (0.0, 10.0 * max(scale, 1.0)))
    parameters = (Parameter("weights", (2,)), Parameter("bias"))
    truth = {"weights": weights, "bias": np.array(0.5)}
    if sigma.name != "known":
        parameters += (Parameter("sigma", (), 0.0, sigma.args[1] if sigma.name == "uniform" else np.inf),)
        truth["sigma"] = np.array(1.0)
    priors = {"weights": normal, "bias": normal, "sigma": sigma}
    return Dataset("linear", parameters, {"x": x, "y": y}, priors, truth=truth)


def gaussian(data: Dataset) -> tuple[Array, Array]:
    """Mean and precision of (weights, bias) with sigma known to be 1, by the normal equations."""
    design = np.column_stack([data.arrays["x"], np.ones(len(data.arrays["y"]))])
    precision = design.T @ design + np.eye(3) / data.priors["weights"].args[1] ** 2
    return np.linalg.solve(precision, design.T @ data.arrays["y"]), precision


def scored_q(data: Dataset, q: Any, rng: np.random.Generator, moments: tuple[Array, Array]) -> Scored:
    """A VI fit whose q(weights, bias) is this scipy distribution."""
    z = q.rvs(DRAWS, random_state=rng)
    fit = Fit(
        "vi",
        {"weights": z[None, :, :2], "bias": z[None, :, 2]},
        stats={"log_q": q.logpdf(z)[None]},
        moments={"weights": (moments[0][:2], moments[1][:2]), "bias": (moments[0][2], moments[1][2])},
    )
    fam = family("linear")
    return Scored(Problem(data, fam, fam.reference(data)), fit, {"sample": 1.0}, False)


KNOWN = Prior("known", (1.0,))


def test_elbo_of_the_exact_posterior_is_the_log_evidence() -> None:
    data = linear(KNOWN, rho=0.95)
    mean, precision = gaussian(data)
    covariance = np.linalg.inv(precision)
    q = stats.multivariate_normal(mean, covariance)
    found = table(score(scored_q(data, q, np.random.default_rng(0), (mean, np.sqrt(np.diag(covariance))))))
    # the evidence once more, from the marginal N(0, Σ) of y
    design = np.column_stack([data.arrays["x"], np.ones(60)])
    evidence = stats.multivariate_normal.logpdf(data.arrays["y"], np.zeros(60), np.eye(60) + 100.0 * design @ design.T)
    assert found["elbo"][""] == pytest.approx(evidence, abs=1e-8)  # rounding of the dense determinant
    # log p − log q is constant, so that the standard error is rounding too: 4 of it would be no tolerance
    assert abs(found["elbo_gap"][""]) < max(4 * found["elbo_gap_se"][""], 1e-9)
    assert found["k_hat"][""] < 0.5 and found["b2"]["weights[0]"] < 1e-12
    # shape and joint distribution are those of 4000 draws: a chi-square over 4000 each, of 35 of which 16 is the most
    assert found["b2_max"][""] < 16 / DRAWS


def test_gap_of_the_best_mean_field_is_its_closed_form() -> None:
    data = linear(KNOWN, rho=0.95)
    mean, precision = gaussian(data)
    sd = 1.0 / np.sqrt(np.diag(precision))
    q = stats.multivariate_normal(mean, np.diag(sd**2))
    found = table(score(scored_q(data, q, np.random.default_rng(1), (mean, sd))))
    # KL(q‖p) = (tr ΛS − P − log |ΛS|)/2 with S = diag(1/Λ_ii)
    truth = -0.5 * (np.linalg.slogdet(precision)[1] + 2 * np.log(sd).sum())
    assert truth > 0.5
    assert found["elbo_gap"][""] == pytest.approx(truth, abs=4 * found["elbo_gap_se"][""])
    assert found["k_hat"][""] > 0.7


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e3])
def test_a_point_and_mean_field_fail_whatever_the_size_of_the_weights(scale: float) -> None:
    """At ρ = 0.95 both have the exact mean; b² of raw squares would call them right when the weights are large."""
    data = linear(KNOWN, rho=0.95, scale=scale)
    mean, precision = gaussian(data)
    sd = 1.0 / np.sqrt(np.diag(precision))
    q = stats.multivariate_normal(mean, np.diag(sd**2))
    field = table(score(scored_q(data, q, np.random.default_rng(2), (mean, sd))))["b2"]
    fam = family("linear")
    problem = Problem(data, fam, fam.reference(data))
    point = Fit("point", {"weights": mean[None, None, :2], "bias": mean[None, None, 2]})
    dirac = table(score(Scored(problem, point, {}, False)))["b2_max"][""]
    # s⁴/(2 s⁴), and (1 − (sd of q)²/s²)²/2 of the worse weight; rounding is that of the mean, 1e-13 of weights of 1e3
    assert dirac == pytest.approx(0.5, rel=1e-6)
    exact = np.sqrt(np.diag(np.linalg.inv(precision)))
    squares = [value for part, value in field.items() if part.startswith("(")]
    assert max(squares) == pytest.approx(0.5 * (1.0 - (sd / exact).min() ** 2) ** 2, rel=1e-6)
    assert max(squares) > 0.3


def test_draws_on_a_bound_are_counted_and_silence_the_rest() -> None:
    data = linear(Prior("uniform", (0.0, 2.0)))
    rng = np.random.default_rng(4)
    z = rng.standard_normal((1, DRAWS, 4))
    z[0, :3, 3] = 40.0  # float64 rounds 2·expit(40) to 2
    fam = family("linear")
    drawn = fam.constrain(data, z)
    assert np.sum(drawn["sigma"] == 2.0) == 3
    fit = Fit("vi", drawn, stats={"log_q": stats.norm.logpdf(z).sum(axis=-1)})
    scored = Scored(Problem(data, fam, fam.reference(data)), fit, {}, False)
    assert values(scored) == {"log_ratios_lost": 3.0}
    kept = log_ratios(scored)[3:]
    direct = fam.log_density(data, z[0, 3:])[0] - stats.norm.logpdf(z[0, 3:]).sum(axis=-1)
    np.testing.assert_allclose(kept, direct, rtol=1e-9)  # through the draws and back: rounding near the bounds
