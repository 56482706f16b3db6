"""References kept on disk: found by content, never trusted when damaged, never fatal."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import families
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.errors import NoReference
from bench.reference import cache as references
from scenarios.families.posteriors import importance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "references"


@pytest.fixture
def computed(monkeypatch):
    """How often a reference was computed."""
    calls, original = [], importance.posterior

    def counted(*args, **kwargs):
        calls.append(args[0].digest)
        return original(*args, **kwargs)

    monkeypatch.setattr(importance, "posterior", counted)
    return calls


@pytest.fixture
def data():
    return dataset(scenario("logistic", {"n_obs": 30, "weights": [1.0]}), seed=0, rep=0)


def test_a_second_time_nothing_is_computed_and_everything_is_the_same(data, computed, cache):
    first, again = references.reference(data), references.reference(data)
    assert len(computed) == 1 and len(list(cache.glob("*.npz"))) == 1 and len(list(cache.iterdir())) == 1
    for name in data.names:
        for field in ("mean", "sd", "centred_square_variance"):
            np.testing.assert_array_equal(getattr(first, field)[name], getattr(again, field)[name])
        p = np.array([0.1, 0.5, 0.99])
        np.testing.assert_array_equal(first.quantile(name, p), again.quantile(name, p))
        draws = [r.draw(100, np.random.default_rng(1))[name] for r in (first, again)]
        np.testing.assert_array_equal(*draws)
    for field in ("method", "log_evidence", "log_evidence_se", "n_effective"):
        assert getattr(first, field) == getattr(again, field)


def test_another_data_set_is_another_reference(data, computed):
    other = dataset(scenario("logistic", {"n_obs": 30, "weights": [1.0]}), seed=0, rep=1)
    assert references.reference(data).log_evidence != references.reference(other).log_evidence
    assert len(computed) == 2


@pytest.mark.parametrize("damage", [b"", b"no archive at all", "half", "foreign"])
def test_a_damaged_file_is_computed_again_and_replaced(data, computed, cache, damage):
    first = references.reference(data)
    (file,) = cache.glob("*.npz")
    if damage == "half":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "foreign":
        np.savez(file, **{"class": np.array("os:system")})
    else:
        file.write_bytes(damage)
    assert references.reference(data).log_evidence == first.log_evidence and len(computed) == 2
    references.reference(data)
    assert len(computed) == 2


def test_what_cannot_be_kept_is_computed_all_the_same(data, computed, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    assert np.isfinite(references.reference(data).log_evidence)


def test_a_dear_refusal_is_kept_with_its_reason(computed):
    # Data all of one class, at one point: the Cauchy's tail is the posterior's.
    changes = {"n_obs": 5, "weights": [50.0], "bias": 30.0, "features": "uniform", "priors.weights": {"cauchy": [0, 2]}}
    data = dataset(scenario("logistic", changes), seed=0, rep=0)
    reasons = []
    for _ in range(2):
        with pytest.raises(NoReference) as error:
            references.reference(data)
        reasons.append(str(error.value))
    assert len(computed) == 1 and reasons[0] == reasons[1]


def test_exact_references_are_not_kept(cache):
    exact = references.reference(dataset(scenario("tiny-noise"), seed=0, rep=0))
    assert exact.n_effective == np.inf and not cache.exists()


def test_data_built_by_hand_have_no_name_to_be_kept_under(data, cache):
    from dataclasses import replace

    references.reference(replace(data, digest=""))
    assert not cache.exists()


def test_a_changed_source_changes_the_key(data, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "scenarios" / "families", copy / "scenarios" / "families")
    (copy / "bench" / "stats").mkdir(parents=True)
    shutil.copy(ROOT / "bench" / "stats" / "pareto.py", copy / "bench" / "stats")

    def key():
        for cached in (families.family_files, families.sources, families.source_digest):
            cached.cache_clear()
        return references.key(data)

    here = key()
    monkeypatch.setattr(references, "root", lambda: copy)
    monkeypatch.setattr(families, "OWN", copy / "scenarios" / "families")
    seen = {here, key()}
    assert len(seen) == 1
    own = [f"scenarios/families/{name}.py" for name in ("regression/logistic", "posteriors/modes", "common/priors")]
    for name in (*own, "bench/stats/pareto.py"):
        with (copy / name).open("a") as stream:
            stream.write("\n")
        seen.add(key())
    assert len(seen) == 5
