"""Backends and scenarios that installed distributions offer by entry points."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.catalog import backends
from bench.catalog.backends import backend
from bench.catalog.places import owner, scenario_files
from bench.catalog.scenarios import scenario
from bench.errors import UsageError
from tests import in_process
from tests.check.test_check import backend_file
from tests.conftest import ROOT


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution `acme-bench` on the path, with a contender and a scenario."""
    place = tmp_path / "site"
    folder = backend_file(tmp_path, "one", [])
    (place / "acme").mkdir(parents=True)
    (place / "acme" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    folder.parent.rename(place / "acme_contenders")
    (place / "acme_scenarios").mkdir()
    (place / "acme_scenarios" / "theirs.toml").write_bytes((ROOT / "scenarios" / "correlated-rho95.toml").read_bytes())
    information = place / "acme_bench-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bench\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[posterior_bench.backends]\nacme = acme_contenders\n[posterior_bench.scenarios]\nacme = acme_scenarios\n"
    )
    monkeypatch.syspath_prepend(str(place))
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
