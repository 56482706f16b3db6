"""Observation laws of regressions as lines of Stan, with its functions for linear models where these are right.

These are what its guide recommends and brms writes: value and gradient of all rows by matrix products. `{level}` is
bias and offset, `{predictor}` the whole linear predictor.
"""

from __future__ import annotations

from typing import NamedTuple


class Law(NamedTuple):
    """The observations' type, the statements of the model, what is computed of the data once, and a function."""

    y: str
    model: str
    once: str = ""
    function: str = ""


_WHOLE, _REAL = "array[n] int", "vector[n]"
_LOG_PHI = """real log_Phi(real u) {
    if (u > -10)
      return log(erfc(-u * sqrt(0.5))) - log2();
    real rest = -u;
    for (i in 1:20)
      rest = (21 - i) / rest - u;
    return -0.5 * (square(u) + log(2 * pi())) - log(rest);
  }"""
"""log Φ, below −10 by Laplace's continued fraction: Stan's own, `std_normal_lcdf`, has a slope of few digits, and
log(Phi(u)) is −∞ below −37."""

LAWS: dict[tuple[str, str], Law] = {
    ("linear", ""): Law(_REAL, "y ~ normal_id_glm(x, {level}, weights, sigma);"),
    ("varying_intercept", ""): Law(_REAL, "y ~ normal_id_glm(x, {level}, weights, sigma);"),
    ("robust", ""): Law(_REAL, "y ~ student_t(df, {predictor}, sigma);"),
    # bernoulli_logit_glm leaves out what it takes for small beyond predictors of 20: its slope is off by 3e-9 there
    ("logistic", ""): Law(
        _WHOLE, "y ~ binomial_logit_glm(once, x, {level}, weights);", "array[n] int once = ones_int_array(n);"
    ),
    ("logistic", "probit"): Law(
        _WHOLE,
        "vector[n] linear = {predictor};\n  for (i in 1:n)\n    target += log_Phi(y[i] == 1 ? linear[i] : -linear[i]);",
        function=_LOG_PHI,
    ),
    ("binomial", ""): Law(_WHOLE, "y ~ binomial_logit_glm(trials, x, {level}, weights);"),
    ("binomial", "probit"): Law(
        _WHOLE,
        "vector[n] linear = {predictor};\n"
        "  for (i in 1:n)\n"
        "    target += y[i] * log_Phi(linear[i]) + (trials[i] - y[i]) * log_Phi(-linear[i]);",
        function=_LOG_PHI,
    ),
    ("poisson", ""): Law(_WHOLE, "y ~ poisson_log_glm(x, {level}, weights);"),
    # neg_binomial_2_log_glm is no number where exp(eta) overflows
    ("negative_binomial", ""): Law(
        _WHOLE,
        "vector[n] odds = {predictor} - log(phi);\n"
        "  target += sum(lgamma(count + phi)) - n * lgamma(phi)\n"
        "            - dot_product(count, log1p_exp(-odds)) - phi * sum(log1p_exp(odds));",
        "vector[n] count = to_vector(y);",
    ),
    # of mean exp(eta), by its logarithm: gamma(shape, shape * exp(-eta)) refuses a rate that has over- or underflowed
    ("gamma", ""): Law(
        _REAL,
        "vector[n] linear = {predictor};\n"
        "  target += n * (shape * log(shape) - lgamma(shape)) + (shape - 1) * sum_log_y\n"
        "            - shape * (sum(linear) + dot_product(y, exp(-linear)));",
        "real sum_log_y = sum(log(y));",
    ),
}
