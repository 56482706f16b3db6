"""A small database in posteriordb's layout: what is covered becomes scenarios whose posterior is the one meant."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bench.data import dataset, family
from bench.errors import UsageError
from bench.formula.make import load
from bench.importing import posteriordb
from bench.importing.covered import MODELS, REASONS
from bench.reference.cache import reference
from tests import in_process

RNG = np.random.default_rng(8)
N = 60
HS, IQ = RNG.integers(0, 2, N), np.round(RNG.normal(100, 15, N), 1)
SCORE = np.round(20 + 6 * HS + 0.6 * IQ + RNG.normal(0, 15, N), 1)
YEAR = np.round(np.linspace(-1, 1, 40), 4)
COUNTS = RNG.poisson(np.exp(3 + 0.5 * YEAR - 0.3 * YEAR**2))
DATA = {
    "kidiq": {"N": N, "kid_score": SCORE.tolist(), "mom_hs": HS.tolist(), "mom_iq": IQ.tolist()},
    "counts": {"n": 40, "C": COUNTS.tolist(), "year": YEAR.tolist()},
    "wells": {"N": N, "switched": (IQ + RNG.normal(0, 20, N) > 100).astype(int).tolist(), "dist": (IQ / 3).tolist()},
    "radon": {"N": N, "J": 4, "county_idx": (RNG.integers(0, 4, N) + 1).tolist(), "floor_measure": HS.tolist(),
              "log_radon": (SCORE / 100).tolist(), "log_uppm": (IQ / 100).tolist()},
    "schools": {"J": 3, "y": [28, 8, -3], "sigma": [15, 10, 16]},
    "series": {"K": 5, "T": 80, "y": RNG.normal(size=80).round(3).tolist()},
}  # fmt: skip
ENTRIES = {
    "kidiq-kidscore_interaction_z": ("kidscore_interaction_z", "kidiq"),
    "kidiq-kidscore_momhsiq": ("kidscore_momhsiq", "kidiq"),
    "counts-GLM_Poisson_model": ("GLM_Poisson_model", "counts"),
    "wells-wells_dist100_model": ("wells_dist100_model", "wells"),
    "radon-radon_hierarchical_intercept_centered": ("radon_hierarchical_intercept_centered", "radon"),
    "schools-eight_schools_noncentered": ("eight_schools_noncentered", "schools"),
    "series-arK": ("arK", "series"),
    "horseshoe": ("logistic_regression_rhs", "wells"),
    "other": ("lotka_volterra", "wells"),
}


def zipped(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(file.name.removesuffix(".zip"), json.dumps(content))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    root = tmp_path / "db" / "posterior_database"
    (root / "posteriors").mkdir(parents=True)
    for name, (model, data) in ENTRIES.items():
        about = {
            "model_name": model,
            "data_name": data,
            "reference_posterior_name": name if "momhsiq" in name else None,
        }
        (root / "posteriors" / f"{name}.json").write_text(json.dumps(about))
    for name, content in DATA.items():
        zipped(root / "data" / "data" / f"{name}.json.zip", content)
    return tmp_path / "db"


def imported(database: Path, *names: str) -> dict[str, posteriordb.Imported]:
    return {made.name: made for made in posteriordb.load_all(database, list(names), database / "to")}


def test_every_posterior_is_covered_or_says_why_not(database: Path) -> None:
    known = posteriordb.posteriors(database)
    assert {name for name, entry in known.items() if entry.why} == {"horseshoe", "other"}
    assert "horseshoe" in known["horseshoe"].why and "own-model" in known["other"].why
    assert not {model for models in REASONS.values() for model in models} & MODELS.keys()
    listed = in_process.run("import", "posteriordb", str(database), cwd=database)
    assert "7 of 9 posteriors are covered" in listed.out
    assert "horseshoe: horseshoe, a prior" in listed.out


def test_a_linear_model_has_the_design_and_the_log_density_that_stan_has(database: Path) -> None:
    """z = (x − mean)/(2 sd) with the sd of n − 1, flat priors: by hand, for the interaction model."""
    (made,) = imported(database, "kidiq-kidscore_interaction_z").values()
    data = dataset(load(made.file), seed=0, rep=0)
    hs, iq = ((v - v.mean()) / (2 * v.std(ddof=1)) for v in (HS, IQ))
    design = dict(zip(data.parameter("weights").parts(), data.arrays["x"].T, strict=True))
    for label, column in {"I(scale(mom_hs) / 2)": hs, "I(scale(mom_iq) / 2)": iq}.items():
        np.testing.assert_allclose(design[label], column, rtol=1e-10)
    np.testing.assert_allclose(design["I(scale(mom_hs) / 2):I(scale(mom_iq) / 2)"], hs * iq, rtol=1e-10)
    assert {name: prior.name for name, prior in data.priors.items()} == dict.fromkeys(
        ("weights", "bias", "sigma"), "flat"
    )
    assert made.reference == "posteriordb has no reference draws"


def test_reference_draws_are_held_against_an_exact_reference_and_are_not_to_replace_it(database: Path) -> None:
    """The draws are made here of the exact posterior, under posteriordb's names."""
    name = "kidiq-kidscore_momhsiq"
    (made,) = imported(database, name).values()
    data = dataset(load(made.file), seed=0, rep=0)
    exact = reference(data).draw(20_000, np.random.default_rng(0))
    columns = {"beta[1]": exact["bias"], "beta[2]": exact["weights"][:, 0], "beta[3]": exact["weights"][:, 1]}
    columns["sigma"] = exact["sigma"]
    assert data.parameter("weights").parts() == ["mom_hs", "mom_iq"]
    chains = [{k: v[i * 2000 : (i + 1) * 2000].tolist() for k, v in columns.items()} for i in range(10)]
    archive = database / "posterior_database/reference_posteriors/draws/draws" / f"{name}.json.zip"
    zipped(archive, chains)
    (again,) = imported(database, name).values()
    errors = float(again.reference.rpartition("at most ")[2].partition(" ")[0])
    assert errors < 4.5  # the largest of four means, each normal
    assert not load(again.file).reference
    zipped(archive, [{**chain, "beta[2]": [v + 1 for v in chain["beta[2]"]]} for chain in chains])
    (shifted,) = imported(database, name).values()
    assert float(shifted.reference.rpartition("at most ")[2].partition(" ")[0]) > 10
    zipped(archive, [{k: v for k, v in chain.items() if k != "sigma"} for chain in chains])
    (lacking,) = imported(database, name).values()
    assert lacking.reference == "its reference draws lack sigma"


def test_counts_choices_counties_and_series_are_scenarios_that_load(database: Path) -> None:
    made = imported(database, *[name for name in ENTRIES if name not in ("horseshoe", "other")])
    data = {name: dataset(load(one.file), seed=0, rep=0) for name, one in made.items()}
    poisson = data["counts-GLM_Poisson_model"]
    assert [(p.lower, p.upper) for p in poisson.parameters] == [(-10, 10), (-20, 20)]
    np.testing.assert_allclose(poisson.arrays["x"], np.column_stack([YEAR, YEAR**2, YEAR**3]), rtol=1e-12)
    np.testing.assert_allclose(data["wells-wells_dist100_model"].arrays["x"][:, 0], IQ / 300, rtol=1e-12)
    radon = data["radon-radon_hierarchical_intercept_centered"]
    assert radon.family == "varying_intercept" and not radon.coordinates
    assert radon.parameter("weights").parts() == ["log_uppm", "floor_measure"]
    y = np.array(DATA["series"]["y"])
    lagged = dict(zip(data["series-arK"].parameter("weights").parts(), data["series-arK"].arrays["x"].T, strict=True))
    np.testing.assert_array_equal(lagged["lag2"], y[3:-2])
    schools = data["schools-eight_schools_noncentered"]
    assert schools.family == "eight_schools" and schools.arrays["errors"].tolist() == [15, 10, 16]
    for one in data.values():
        assert np.isfinite(family(one.family).log_density(one, np.zeros(one.dim))[0])


def test_what_cannot_be_imported_is_said(database: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean .*arK"):
        imported(database, "series-ark")
    with pytest.raises(UsageError, match="horseshoe is not covered: horseshoe"):
        imported(database, "horseshoe")
    with pytest.raises(UsageError, match="is no checkout of posteriordb"):
        posteriordb.posteriors(tmp_path / "nothing")
    (database / "posterior_database/data/data/series.json.zip").write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"series\.json\.zip cannot be read"):
        imported(database, "series-arK")
    done = in_process.run(
        "import", "posteriordb", str(database), "kidiq-kidscore_momhsiq", "--to", "mine", cwd=database
    )
    assert done.code == 0, done.err
    assert (database / "mine" / "kidiq-kidscore_momhsiq.csv").is_file()
    assert in_process.run("import", "elsewhere", str(database), cwd=database).code == 2
