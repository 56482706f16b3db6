"""What a scenario is in words, against its file."""

from __future__ import annotations

import pytest

from bench.catalog.described import in_words
from bench.catalog.scenarios import load, scenario


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("s0-uniform", {}, "linear, 2 features, 50 rows"),
        ("correlated-rho95", {"n_obs": 30_000}, "linear, 2 features (correlation 0.95), 30,000 rows"),
        ("ill-conditioned", {}, "linear, 10 features (condition number 10,000), 200 rows"),
        ("s3-best", {}, "two groups, 40 rows"),
        ("varying-intercept", {}, "linear, 2 features, 12 groups, 112 rows"),
        ("varying-intercept-poisson", {}, "poisson, 2 features, 8 groups, 88 rows"),
        ("s1-known-noise", {}, "linear, 1 feature, 100 rows"),
    ],
)
def test_model_and_sizes(name: str, overrides: dict[str, int], words: str):
    assert in_words(scenario(name, overrides)) == words


def test_a_data_file_that_cannot_be_read_has_no_words(tmp_path):
    (tmp_path / "own.csv").write_text("x0,y\n" + "\n".join(f"{i},{i % 3}" for i in range(7)))
    (tmp_path / "own.toml").write_text(
        'family = "linear"\n[data]\nfile = "own.csv"\n'
        '[priors]\nweights = "flat"\nbias = "flat"\nsigma = {half_normal = 1}\n'
    )
    made = load(tmp_path / "own.toml")
    assert in_words(made) == "linear, 1 feature, 7 rows"
    (tmp_path / "own.csv").write_text("x0,y\n1,what\n")
    assert in_words(made) == ""
