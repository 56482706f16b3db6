"""Backends, scenarios and families that installed distributions offer by entry points."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.catalog import backends
from bench.catalog.backends import backend
from bench.catalog.places import owner, scenario_files
from bench.catalog.scenarios import scenario
from bench.errors import UsageError
from bench.verify import gate
from bench.verify.outcome import Pair
from tests import in_process
from tests.check.test_check import backend_file
from tests.conftest import ROOT
from tests.measure.inprocess import InProcess

MODELS = ("numpyro", "torch")


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution `acme-bench` on the path, with a contender, a family and two scenarios."""
    place = tmp_path / "site"
    folder = backend_file(tmp_path, "one", [('("linear",)', '("linear", "waiting")')])
    (place / "acme").mkdir(parents=True)
    (place / "acme" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    folder.parent.rename(place / "acme_contenders")
    (place / "acme_scenarios").mkdir()
    (place / "acme_scenarios" / "theirs.toml").write_bytes((ROOT / "scenarios" / "correlated-rho95.toml").read_bytes())
    shutil.copytree(Path(__file__).parent / "offered", place / "acme_families")
    (place / "acme_families" / "__init__.py").touch()
    (place / "acme_scenarios" / "times.toml").write_text(
        'family = "waiting"\nn_obs = 20\nrate = 0.5\n[priors]\nrate = {exponential = 1.0}\n'
    )
    information = place / "acme_bench-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bench\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[posterior_bench.backends]\nacme = acme_contenders\n[posterior_bench.scenarios]\nacme = acme_scenarios\n"
        "[posterior_bench.families]\nacme = acme_families\n"
    )
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", str(place))  # of children
    in_process.forget()
    yield place
    in_process.forget()


def test_they_are_in_the_catalog_and_say_where_they_come_from(acme: Path) -> None:
    assert scenario("theirs").family == "linear"
    assert owner(scenario_files()["theirs"]) == "acme-bench"
    assert owner(scenario_files()["s0-uniform"]) == ""
    assert backend("mine.one").file.parent.parent == acme / "acme_contenders"
    listed = in_process.run("list", "backends", cwd=acme)
    (line,) = [line for line in listed.out.splitlines() if "mine.one" in line]
    assert line.endswith("(from acme-bench)")
    assert "(from" not in next(line for line in listed.out.splitlines() if "numpy.gd" in line)


def test_a_package_that_is_not_there_is_said(acme: Path) -> None:
    entry_points = acme / "acme_bench-1.0.dist-info" / "entry_points.txt"
    for value in ("gone", "acme.inner"):
        entry_points.write_text(f"[posterior_bench.backends]\nacme = {value}\n")
        in_process.forget()
        backends.forget()
        with pytest.raises(
            UsageError, match=f"acme-bench offers backends in the package {value}, which cannot be found"
        ):
            backend("numpy.gd")


def test_a_family_is_fitted_in_a_child(acme: Path) -> None:
    listed = in_process.run("list", "families", cwd=acme)
    (line,) = [line for line in listed.out.splitlines() if "waiting" in line]
    assert line.split()[-4:] == ["numpyro,", "torch", "(from", "acme-bench)"]
    words = ("-b", "mine.one", "-b", "pyro.nuts", "--reps", "1", "--no-score", "--name", "r")
    assert in_process.run("run", "-s", "times", *words, cwd=acme).code == 3  # Pyro has no file there
    records = [json.loads(file.read_text()) for file in (acme / "results" / "r" / "fits").glob("*/record.json")]
    assert sorted(record["status"] for record in records) == ["ok", "unsupported"]


@pytest.mark.parametrize("framework", [pytest.param(name, marks=pytest.mark.needs(name)) for name in MODELS])
def test_the_files_beside_a_family_are_held_against_it(acme: Path, framework: str) -> None:
    def verified() -> str:
        in_process.forget()
        (outcome,) = gate.verify([Pair(framework, scenario("times"), "float64", "cpu")], str, executor=InProcess())
        return outcome.verdict

    assert verified() == "same"
    file = acme / "acme_families" / "waiting" / f"{framework}.py"
    file.write_text(file.read_text().replace("Exponential(rate", "Exponential(2 * rate"))
    assert verified() == "wrong"


def test_two_families_of_one_name_are_refused(acme: Path) -> None:
    folder = acme / "acme_families"
    (folder / "regression").mkdir()
    (folder / "regression" / "late.py").write_text("FAMILY = None\n")
    in_process.forget()
    with pytest.raises(UsageError, match="have the same name; rename one"):
        scenario("times")
