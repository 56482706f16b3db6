"""Every metric is documented, and says why a kind of method does not have it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.score.catalog import METRICS
from bench.types import KINDS


def test_every_metric_is_documented_and_gives_reasons() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.definition.endswith(".") and metric.source, name
        for kind in KINDS:
            reason = metric.not_applicable(kind)
            assert bool(reason) == (kind not in metric.kinds), (name, kind)
            assert not reason or reason.startswith("n/a: "), (name, kind)


@pytest.mark.parametrize(
    ("metric", "kind", "words"),
    [
        ("ess_bulk", "vi", "independent by construction"),
        ("r_hat", "point", "no chains"),
        ("covered_90", "point", "no uncertainty"),
        ("optimality_gap", "vi", "only a point method"),
        ("seconds_per_gradient", "exact", "no gradients"),
        ("objective", "mcmc", "optimises nothing"),
        ("k_hat", "mcmc", "no density"),
        ("elbo", "exact", "the posterior itself"),
    ],
)
def test_reasons(metric: str, kind: str, words: str) -> None:
    assert words in METRICS[metric].not_applicable(kind)


def test_listing_metrics_imports_no_numpy() -> None:
    code = "import sys, bench.score.catalog; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
