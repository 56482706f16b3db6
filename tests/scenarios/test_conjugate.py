"""The exact posterior against dense brute force, closed forms and its own independent draws."""

import itertools

import numpy as np
import pytest
from scipy import interpolate, optimize, special, stats

from bench.errors import NoReference
from bench.types import Prior
from scenarios.families.posteriors import conjugate
from scenarios.families.posteriors.lattice import spline_quantile
from scenarios.families.regression.linear import FAMILY as linear

FLAT = Prior("flat")
WIDE = Prior("normal", (0.0, 10.0))
SIGMA = {
    "exponential": (Prior("exponential", (2.0,)), stats.expon(scale=0.5)),
    "half_normal": (Prior("half_normal", (1.0,)), stats.halfnorm()),
    "half_cauchy": (Prior("half_cauchy", (0.5,)), stats.halfcauchy(scale=0.5)),
    "log_normal": (Prior("log_normal", (0.0, 0.5)), stats.lognorm(0.5)),
    "uniform": (Prior("uniform", (0.0, 10.0)), stats.uniform(0, 10)),
    "active": (Prior("uniform", (0.2, 0.6)), stats.uniform(0.2, 0.4)),
}


def dense(x, y, model, sigma):
    """log p(y | sigma), and mean and covariance of the coefficients, from N × N and P × P dense algebra."""
    a = np.hstack([x, np.ones((len(x), 1))]) if "bias" in model else x
    columns = [model["weights"]] * x.shape[1] + ([model["bias"]] if "bias" in model else [])
    loc = np.array([p.args[0] if p.name == "normal" else 0.0 for p in columns])
    scale = np.array([p.args[1] if p.name == "normal" else np.inf for p in columns])
    flat = np.isinf(scale)
    v = sigma**2 * np.eye(len(y)) + (a[:, ~flat] * scale[~flat] ** 2) @ a[:, ~flat].T
    r = y - a @ loc
    precision = a.T @ a / sigma**2 + np.diag(1.0 / scale**2)
    covariance = np.linalg.inv(precision)
    mean = loc + covariance @ (a.T @ r) / sigma**2
    # Flat coefficients: integrate exp(−½ (r − Fb)ᵀ V⁻¹ (r − Fb)) over b in closed form.
    solved = np.linalg.solve(v, np.column_stack([r, a[:, flat]]))
    quadratic, log_det, n_left = r @ solved[:, 0], np.linalg.slogdet(v)[1], len(y) - flat.sum()
    if flat.any():
        inner = a[:, flat].T @ solved[:, 1:]
        b = np.linalg.solve(inner, a[:, flat].T @ solved[:, 0])
        quadratic -= b @ inner @ b
        log_det += np.linalg.slogdet(inner)[1]
    return -0.5 * (n_left * np.log(2 * np.pi) + log_det + quadratic), mean, covariance


def brute_force(x, y, model, sigma_prior, upto=np.inf):
    """Evidence, moments and P(sigma ≤ upto) by Gauss-Legendre panels in sigma itself, 480 nodes in all."""
    low, high = sigma_prior.support()

    def log_f(s):
        return dense(x, y, model, s)[0] + sigma_prior.logpdf(s)

    # A hair inside the bounds: scipy's uniform rounds its own upper bound out of its support.
    span = np.array([max(low * (1 + 1e-14), 1e-3), min(high * (1 - 1e-14), 50.0)])
    grid = np.clip(np.exp(np.linspace(*np.log(span), 100)), *span)
    heights = np.array([log_f(s) for s in grid])
    top = heights.max()
    live = grid[heights > top - 80]
    ends = np.array([live[0], live[-1]])
    cuts = np.unique(np.clip(np.append(np.exp(np.linspace(*np.log(ends), 12)), upto), *ends))

    def moments(s):
        log_value, mean, covariance = dense(x, y, model, s)
        weight = np.exp(log_value + sigma_prior.logpdf(s) - top)
        return weight * np.concatenate([[1.0, s, s * s, s <= upto], mean, (covariance + np.outer(mean, mean)).ravel()])

    nodes, weights = np.polynomial.legendre.leggauss(40)
    total = sum(
        0.5 * (b - a) * w * moments(0.5 * (a + b) + 0.5 * (b - a) * t)
        for a, b in itertools.pairwise(cuts)
        for t, w in zip(nodes, weights, strict=True)
    )
    p = dense(x, y, model, ends[0])[1].size
    mean = total[4 : 4 + p] / total[0]
    second = total[4 + p :].reshape(p, p) / total[0]
    return {
        "log_evidence": np.log(total[0]) + top,
        "mean": np.append(mean, total[1] / total[0]),
        "variance": np.append(np.diag(second) - mean**2, total[2] / total[0] - (total[1] / total[0]) ** 2),
        "covariance": second - np.outer(mean, mean),
        "below": total[3] / total[0],
    }


def joined(named):
    return np.concatenate([np.ravel(named[k]) for k in ("weights", "bias", "sigma") if k in named])


@pytest.fixture
def table(rng):
    x = rng.standard_normal((30, 2)) @ np.array([[1.0, 0.95], [0.0, np.sqrt(1 - 0.95**2)]])
    return x, x @ [1.5, -2.8] + 0.5 + 0.7 * rng.standard_normal(30)


COEFFICIENTS = {
    "normal": {"weights": WIDE, "bias": WIDE},
    "flat-bias": {"weights": WIDE, "bias": FLAT},
    "flat-weights": {"weights": FLAT, "bias": Prior("normal", (1.0, 2.0))},
    "flat": {"weights": FLAT, "bias": FLAT},
    "no-bias": {"weights": Prior("normal", (0.5, 1.0))},
}


# The sum over sigma takes of the coefficients only what follows given sigma, so each prior of one meets two or more of
# the other, not all.
@pytest.mark.parametrize(
    ("coefficients", "sigma"),
    [(name, sigma) for i, name in enumerate(COEFFICIENTS) for j, sigma in enumerate(SIGMA) if (i - j) % 5 in (0, 2)],
)
def test_brute_force_agrees(coefficients, sigma, table, data_of):
    prior, scipy_prior = SIGMA[sigma]
    model = {**COEFFICIENTS[coefficients], "sigma": prior}
    data = data_of(*table, model)
    found = linear.reference(data)
    middle = float(found.quantile("sigma", np.array([0.3]))[0])
    expected = brute_force(*table, model, scipy_prior, upto=middle)
    # Quadrature to rounding and dense algebra of condition 1e4 leave about 1e-11.
    assert found.log_evidence == pytest.approx(expected["log_evidence"], rel=1e-10)
    np.testing.assert_allclose(joined(found.mean), expected["mean"], rtol=1e-9)
    np.testing.assert_allclose(joined(found.sd) ** 2, expected["variance"], rtol=1e-8)
    p = len(expected["covariance"])
    np.testing.assert_allclose(found.covariance[:p, :p], expected["covariance"], rtol=1e-8, atol=1e-12)
    assert found.n_effective == np.inf
    # The promise for sigma's own distribution function is 1e-8.
    assert expected["below"] == pytest.approx(0.3, abs=1e-8)


def test_more_features_than_rows(data_of, rng):
    x = rng.standard_normal((12, 20))
    y = x[:, 0] + 0.3 * rng.standard_normal(12)
    model = {"weights": Prior("normal", (0.0, 1.0)), "bias": FLAT, "sigma": Prior("log_normal", (-1.0, 0.5))}
    found = linear.reference(data_of(x, y, model))
    expected = brute_force(x, y, model, stats.lognorm(0.5, scale=np.exp(-1.0)))
    assert found.log_evidence == pytest.approx(expected["log_evidence"], rel=1e-10)
    np.testing.assert_allclose(joined(found.mean), expected["mean"], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(joined(found.sd) ** 2, expected["variance"], rtol=1e-8)
    np.testing.assert_allclose(found.covariance[:21, :21], expected["covariance"], rtol=1e-7, atol=1e-10)
    _check_draws(found, 40_000)


def test_equal_columns_under_normal_priors(table, data_of):
    x = np.column_stack([table[0], table[0][:, 0]])
    model = {"weights": WIDE, "bias": WIDE, "sigma": SIGMA["exponential"][0]}
    found = linear.reference(data_of(x, table[1], model))
    expected = brute_force(x, table[1], model, SIGMA["exponential"][1])
    assert found.log_evidence == pytest.approx(expected["log_evidence"], rel=1e-10)
    # The dense precision has condition 1e6 or so: eps·1e6.
    np.testing.assert_allclose(joined(found.sd) ** 2, expected["variance"], rtol=1e-7)


def test_ill_conditioned_design(data_of, simulated_of):
    features = {"design": "multivariate_normal", "condition_number": 1e4}
    ill = simulated_of({"n_obs": 60, "n_features": 4, "weights": {"constant": 1}, "noise": 1.0, "features": features})
    x, y = ill.arrays["x"], ill.arrays["y"]
    model = {"weights": FLAT, "bias": FLAT, "sigma": FLAT}
    found = linear.reference(data_of(x, y, model))
    _check_student(found, x, y, rtol=1e-9)
    wide = {"weights": Prior("normal", (0.0, 1e6)), "bias": Prior("normal", (0.0, 1e6)), "sigma": FLAT}
    near = linear.reference(data_of(x, y, wide))
    # N(0, 1e6) against posterior sds of 1e3 shifts the mean by (1e3/1e6)² = 1e-6 of itself.
    np.testing.assert_allclose(near.sd["weights"], found.sd["weights"], rtol=1e-5)


def _check_student(found, x, y, *, rtol):
    """All priors flat: σ² is inverse gamma and the coefficients are multivariate t."""
    a = np.hstack([x, np.ones((len(x), 1))])
    q, r = np.linalg.qr(a)
    best = np.linalg.solve(r, q.T @ y)
    rss = float(np.sum((y - a @ best) ** 2))
    n, p = a.shape
    df = n - p - 1
    inverse = np.linalg.inv(r)
    scale = np.sqrt(rss / df * np.sum(inverse**2, axis=1))
    marginal = stats.t(df, best, scale)
    names = np.append(found.mean["weights"], found.mean["bias"])
    np.testing.assert_allclose(names, best, atol=rtol * scale.max())
    sd = np.append(found.sd["weights"], found.sd["bias"])
    np.testing.assert_allclose(sd, marginal.std(), rtol=rtol)
    squares = np.append(found.centred_square_variance["weights"], found.centred_square_variance["bias"])
    fourth = scale**4 * 3 * df**2 / ((df - 2) * (df - 4))
    np.testing.assert_allclose(squares, fourth - marginal.var() ** 2, rtol=10 * rtol)
    levels = np.array([1e-6, 0.05, 0.5, 0.975])
    quantiles = found.quantile("weights", levels)
    np.testing.assert_allclose(quantiles, marginal.ppf(levels[:, None])[:, :-1], rtol=1e-8, atol=1e-8 * scale.max())
    np.testing.assert_allclose(found.cdf("weights", quantiles), np.tile(levels[:, None], x.shape[1]), rtol=1e-9)
    variance = stats.invgamma(df / 2, scale=rss / 2)
    sigmas = np.sqrt(variance.ppf(levels))
    # The promise for sigma's own distribution function is 1e-8.
    np.testing.assert_allclose(found.cdf("sigma", sigmas), levels, atol=1e-8)
    np.testing.assert_allclose(found.quantile("sigma", levels[1:]), sigmas[1:], rtol=1e-7)
    ratio = np.exp(special.gammaln((df - 1) / 2) - special.gammaln(df / 2))
    assert found.mean["sigma"] == pytest.approx(np.sqrt(rss / 2) * ratio, rel=1e-10)
    log_det = np.log(np.abs(np.diag(r))).sum()
    evidence = -0.5 * (n - p) * np.log(2 * np.pi) - log_det - np.log(2)
    evidence += special.gammaln(df / 2) - df / 2 * np.log(rss / 2)
    assert found.log_evidence == pytest.approx(evidence, rel=1e-10)


def test_flat_everything_is_student(table, data_of):
    found = linear.reference(data_of(*table, {"weights": FLAT, "bias": FLAT, "sigma": FLAT}))
    _check_student(found, *table, rtol=1e-10)


def test_known_sigma_is_the_normal_closed_form(table, data_of):
    model = {"weights": WIDE, "bias": Prior("normal", (1.0, 2.0)), "sigma": Prior("known", (0.1,))}
    found = linear.reference(data_of(*table, model))
    log_evidence, mean, covariance = dense(*table, model, 0.1)
    # Dense inverse of condition 1e5.
    assert found.log_evidence == pytest.approx(log_evidence, rel=1e-10)
    np.testing.assert_allclose(joined(found.mean), mean, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    np.testing.assert_allclose(joined(found.centred_square_variance), 2 * np.diag(covariance) ** 2, rtol=1e-8)
    assert set(found.mean) == {"weights", "bias"}
    levels = np.array([0.05, 0.5, 0.95])
    expected = stats.norm(mean[:2], np.sqrt(np.diag(covariance)[:2])).ppf(levels[:, None])
    np.testing.assert_allclose(found.quantile("weights", levels), expected, rtol=1e-9)
    draws = found.draw(1000, np.random.default_rng(0))
    assert set(draws) == {"weights", "bias"} and draws["bias"].shape == (1000,)


def _check_draws(found, n):
    draws = found.draw(n, np.random.default_rng(5))
    for name, mean in found.mean.items():
        assert draws[name].shape == (n, *np.shape(mean))
        # Independent draws: the mean's error is sd/√n, the variance's √(Var[(θ−Eθ)²]/n); five of each.
        error = np.abs(draws[name].mean(axis=0) - mean)
        assert np.all(error < 5 * found.sd[name] / np.sqrt(n))
        spread = ((draws[name] - mean) ** 2).mean(axis=0)
        allowed = 5 * np.sqrt(found.centred_square_variance[name] / n)
        assert np.all(np.abs(spread - found.sd[name] ** 2) < allowed)
        # Probability integral transforms are uniform: Kolmogorov-Smirnov at level 1e-6, seed fixed.
        u = found.cdf(name, draws[name][:4000]).reshape(min(n, 4000), -1)
        assert min(stats.kstest(column, "uniform").pvalue for column in u.T) > 1e-6
    joint = np.concatenate([draws[k].reshape(n, -1) for k in found.mean], axis=1)
    correlation = found.covariance / np.sqrt(np.outer(np.diag(found.covariance), np.diag(found.covariance)))
    # A correlation's standard error is at most 1/√n (normal case); six, for there are many.
    np.testing.assert_allclose(np.corrcoef(joint.T), correlation, atol=6 / np.sqrt(n))


@pytest.mark.parametrize(("bias", "sigma"), [(WIDE, "active"), (FLAT, "exponential")], ids=["normal", "flat"])
def test_draws_have_the_posteriors_moments_and_distribution(bias, sigma, table, data_of):
    _check_draws(linear.reference(data_of(*table, {"weights": WIDE, "bias": bias, "sigma": SIGMA[sigma][0]})), 40_000)


def test_draws_are_a_function_of_the_generator(table, data_of):
    found = linear.reference(data_of(*table, {"weights": WIDE, "bias": WIDE, "sigma": SIGMA["exponential"][0]}))
    one, two = (found.draw(10, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(one[k], two[k]) for k in one)


def test_quantiles_of_a_spline_are_those_of_the_normal_it_interpolates():
    """In its body and both tails, to the spline's own error of 1e-11 in the distribution function."""
    t = np.linspace(-9.0, 9.0, 4097)
    density = interpolate.CubicSpline(t, stats.norm.pdf(t))
    cumulative = density.antiderivative()
    tail = 10.0 ** -np.arange(1.0, 9.0)
    p = np.concatenate([np.random.default_rng(0).random(20_000), tail, 1.0 - tail])
    calls = []

    def counted(x):
        calls.append(x.size)
        return cumulative(x)

    found = spline_quantile(p, t, np.maximum.accumulate(np.clip(cumulative(t), 0.0, 1.0)), counted, density)
    expected = stats.norm.ppf(p)
    assert np.all(np.abs(found - expected) * stats.norm.pdf(expected) < 2e-11)
    assert sum(calls) < 4 * len(p)  # two steps and a look suffice, in the tails too


def test_quantiles_of_sigma_are_found_in_two_steps_and_a_look(table, data_of):
    """A spline of many pieces, whose own rounding is several units: who asked for less would bisect."""
    posterior = linear.reference(data_of(*table, {"weights": WIDE, "bias": WIDE, "sigma": SIGMA["half_normal"][0]}))
    t, density, at_nodes, cumulative = posterior._sigma._spline
    p, looks = np.random.default_rng(0).random(20_000), []

    def counted(x):
        looks.append(x.size)
        return cumulative(x)

    found = spline_quantile(p, t, at_nodes, counted, density)
    assert np.abs(cumulative(found) - p).max() < 1e-14 and sum(looks) < 4 * len(p)
    lost = spline_quantile(np.array([np.nan, 0.5]), t, at_nodes, cumulative, density)
    assert np.isnan(lost).tolist() == [True, False]


def test_cdf_and_quantile_invert_each_other_and_keep_shapes(table, data_of):
    found = linear.reference(data_of(*table, {"weights": WIDE, "bias": WIDE, "sigma": SIGMA["active"][0]}))
    p = np.array([1e-8, 0.01, 0.3, 0.5, 0.9, 1 - 1e-8])
    for name, shape in (("weights", (2,)), ("bias", ()), ("sigma", ())):
        x = found.quantile(name, p)
        assert x.shape == (6, *shape)
        # Quantiles are solved to rounding of x; sigma's spline promises 1e-8.
        expected = np.broadcast_to(p.reshape(6, *[1] * len(shape)), x.shape)
        np.testing.assert_allclose(found.cdf(name, x), expected, atol=1e-12)
        assert found.cdf(name, x[None]).shape == (1, 6, *shape)
    assert found.cdf("sigma", np.array([-1.0, 0.1, 0.7])).tolist() == [0.0, 0.0, 1.0]


def test_posterior_agrees_with_the_familys_density(table, data_of):
    """Ratios of the posterior density at two sigmas, weights integrated by their conditional normal."""
    model = {"weights": WIDE, "bias": WIDE, "sigma": SIGMA["exponential"][0]}
    data = data_of(*table, model)
    found = linear.reference(data)

    def log_joint(sigma):
        _, mean, covariance = dense(*table, model, sigma)
        at = {"weights": mean[:2], "bias": mean[2], "sigma": np.array(sigma)}
        return -linear.objective(data, "map", at) + 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]

    h = 1e-4
    for sigma in (0.6, 0.9):
        numeric = float(np.diff(found.cdf("sigma", np.array([sigma - h, sigma + h])))[0]) / (2 * h)
        # Central differences of a distribution function: h² truncation and 1e-11/h.
        assert np.log(numeric) == pytest.approx(log_joint(sigma) - found.log_evidence, abs=1e-5)


def test_wide_uniform_weights_are_flat_ones_and_say_so(table, data_of):
    sigma = SIGMA["uniform"][0]
    box = Prior("uniform", (-100.0, 100.0))
    found = linear.reference(data_of(*table, {"weights": box, "bias": box, "sigma": sigma}))
    flat = linear.reference(data_of(*table, {"weights": FLAT, "bias": FLAT, "sigma": sigma}))
    np.testing.assert_allclose(joined(found.sd), joined(flat.sd), rtol=1e-14)
    assert found.log_evidence == pytest.approx(flat.log_evidence - 3 * np.log(200.0), rel=1e-13)
    assert "of the mass beyond" in found.method
    narrow = {"weights": Prior("uniform", (-3.0, 3.0)), "bias": box, "sigma": sigma}
    with pytest.raises(NoReference, match="cuts"):
        linear.reference(data_of(*table, narrow))


@pytest.mark.parametrize(
    ("rows", "model", "reason"),
    [
        (30, {"weights": Prior("student_t", (3.0, 0.0, 1.0)), "bias": WIDE, "sigma": FLAT}, "student_t"),
        (30, {"weights": WIDE, "bias": Prior("cauchy", (0.0, 1.0)), "sigma": FLAT}, "cauchy"),
        (2, {"weights": FLAT, "bias": FLAT, "sigma": SIGMA["exponential"][0]}, "improper"),
        (3, {"weights": FLAT, "bias": FLAT, "sigma": FLAT}, "improper"),
        (7, {"weights": FLAT, "bias": FLAT, "sigma": FLAT}, "fourth moment"),
    ],
)
def test_no_reference_says_why(rows, model, reason, table, data_of):
    data = data_of(table[0][:rows], table[1][:rows], model)
    with pytest.raises(NoReference, match=reason):
        conjugate.posterior(data)


def test_flat_priors_on_equal_columns_are_improper(table, data_of):
    x = np.column_stack([table[0], table[0][:, 0]])
    with pytest.raises(NoReference, match="improper"):
        linear.reference(data_of(x, table[1], {"weights": FLAT, "bias": FLAT, "sigma": FLAT}))


def test_mode_of_sigma_is_where_brute_force_finds_it_with_many_rows(data_of, rng):
    x = rng.standard_normal((200_000, 3))
    y = x @ [1.0, 2.0, 3.0] + 0.01 * rng.standard_normal(200_000)
    found = linear.reference(data_of(x, y, {"weights": FLAT, "bias": FLAT, "sigma": Prior("uniform", (0.0, 1e4))}))
    a = np.hstack([x, np.ones((len(x), 1))])
    rss = float(np.sum((y - a @ np.linalg.lstsq(a, y)[0]) ** 2))
    df = len(x) - 4 - 1
    # A uniform sigma of inactive bound is a flat one: σ² is inverse gamma. Rounding of a log likelihood of 1e6.
    variance = stats.invgamma(df / 2, scale=rss / 2)
    assert found.quantile("sigma", np.array([0.1]))[0] == pytest.approx(np.sqrt(variance.ppf(0.1)), rel=1e-8)
    assert found.sd["sigma"] == pytest.approx(np.sqrt(rss / df / 2 / df), rel=1e-4)
    assert optimize.brentq(lambda s: float(found.cdf("sigma", np.array([s]))[0]) - 0.5, 0.009, 0.011) == pytest.approx(
        np.sqrt(variance.ppf(0.5)), rel=1e-8
    )
