"""Data that are fitted without residual say nothing of a scale: no reference, with that reason, in every family."""

import numpy as np
import pytest

from bench.data import family
from bench.errors import NoReference
from bench.types import Dataset, Parameter, Prior

WIDE, HALF = Prior("normal", (0.0, 10.0)), Prior("half_normal", (5.0,))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 1))
WHOLE = np.arange(1.0, 21.0)[:, None]


def regression(x, y, sigma=HALF, name="linear", weights=WIDE):
    parameters = [Parameter("weights", (x.shape[1],)), Parameter("bias")]
    if sigma.name != "known":
        low, high = sigma.args if sigma.name == "uniform" else (0.0, np.inf)
        parameters.append(Parameter("sigma", (), low, high))
    priors = {"weights": weights, "bias": weights, "sigma": sigma}
    return Dataset(
        name, tuple(parameters), {"x": x, "y": y}, priors | ({"df": Prior("known", (4.0,))} if name == "robust" else {})
    )


def two_groups(y1, y2):
    parameters = (Parameter("mu", (2,)), Parameter("sigma", (2,), 0.0, 100.0))
    priors = {"mu": Prior("normal", (0.0, 1.0)), "sigma": Prior("uniform", (0.0, 100.0))}
    return Dataset("two_groups", parameters, {"y1": y1, "y2": y2}, priors)


def intercepts(y, groups=5):
    group = np.arange(len(y)) % groups
    parameters = (Parameter("mu"), Parameter("tau", (), 0.0), Parameter("a", (groups,)), Parameter("weights", (1,)))
    priors = {"mu": WIDE, "tau": HALF, "weights": WIDE, "sigma": HALF}
    arrays = {"x": X[: len(y)], "y": y, "group": group.astype(float)}
    return Dataset("varying_intercept", (*parameters, Parameter("sigma", (), 0.0)), arrays, priors)


STEPS = np.arange(30) % 5
CASES = {
    "constant": regression(X, np.full(30, 3.0)),
    "without noise": regression(WHOLE, 2.0 * WHOLE[:, 0] + 1.0),
    "all zero": regression(X, np.zeros(30)),
    "rounded": regression(X, 0.1 * X[:, 0] + 0.3),
    "a large offset": regression(X, 0.1 * X[:, 0] + 1e8),
    "a prior that vanishes at 0": regression(X, np.full(30, 3.0), Prior("log_normal", (0.0, 1.0))),
    "flat weights": regression(X, np.full(30, 0.1), weights=Prior("flat")),
    "importance sampling": regression(X, np.full(30, 3.0), weights=Prior("student_t", (3.0, 0.0, 1.0))),
    "robust": regression(X, 0.1 * X[:, 0] + 0.3, name="robust"),
    "a constant group": two_groups(np.full(20, 0.3), RNG.normal(size=20)),
    "a group of zeros": two_groups(RNG.normal(size=20), np.zeros(20)),
    "constant groups": intercepts(0.1 * STEPS),
    "groups and a slope": intercepts(0.1 * STEPS + 0.3 * X[:, 0]),
}


@pytest.mark.parametrize("case", CASES)
def test_there_is_no_reference_and_the_reason_is_the_residuals(case):
    with pytest.raises(NoReference, match="are fitted without residual, so they say nothing of sigma") as refusal:
        family(CASES[case].family).reference(CASES[case])
    assert "too few" not in str(refusal.value)


def test_the_group_is_named():
    for case, words in (
        ("a constant group", "observations of group 1"),
        ("a group of zeros", "observations of group 2"),
    ):
        with pytest.raises(NoReference, match=words):
            family("two_groups").reference(CASES[case])


@pytest.mark.parametrize(
    "data",
    [
        regression(X, np.full(30, 3.0), Prior("known", (1.0,))),
        regression(X, np.zeros(30), Prior("uniform", (0.5, 5.0))),  # a prior that keeps sigma from 0
        regression(X, 3.0 + 1e-9 * RNG.normal(size=30)),  # little noise is noise
        regression(RNG.normal(size=(10, 20)), RNG.normal(size=10)),  # twenty columns fit whatever ten rows say
    ],
    ids=["known sigma", "sigma of 0.5 or more", "little noise", "more features than rows"],
)
def test_other_data_have_one(data):
    posterior = family("linear").reference(data)
    assert all((sd > 0).all() for sd in map(np.asarray, posterior.sd.values()))
    if "sigma" in data.names:
        assert posterior.mean["sigma"] > 1e-10
