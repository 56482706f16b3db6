"""Small data sets of the family `grouped_regression`, of every law with and without an offset, scales known and not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.types import Dataset

OFFSET = {"offset": {"uniform": [-1, 1]}}
LAWS: Mapping[str, Mapping[str, Any]] = {
    "student_t": {"noise": 0.5, "priors.sigma": {"exponential": 1}, "priors.df": {"log_normal": [1.5, 0.7]}},
    "student_t[known]": {"noise": 0.5, "priors.sigma": {"known": 0.5}},
    "bernoulli": OFFSET,
    "bernoulli[probit]": {"link": "probit"},
    "binomial": {"trials": [1, 9]},
    "binomial[probit]": {"trials": [1, 9], "link": "probit", **OFFSET},
    "poisson": OFFSET,
    "negative_binomial": {"phi": 2.0, "priors.phi": {"log_normal": [1, 1.5]}},
    "gamma": {"shape": 2.0, "priors.shape": {"log_normal": [1, 1.5]}, **OFFSET},
}
"""What a scenario of each likelihood says beside the name of the likelihood."""


def make(case: str, *, centred: bool = False, rep: int = 0, **changes: Any) -> Dataset:
    """Four groups of one to nine rows, unless `changes` say otherwise."""
    said = {"likelihood": case.partition("[")[0], "parametrisation": "centred" if centred else "non-centred"}
    small = {"n_per_group": [1, 2, 5, 9], **LAWS[case]}
    return dataset(scenario("varying-intercept-poisson", {**said, **small, **changes}), seed=0, rep=rep)
