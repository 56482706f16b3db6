"""Frameworks in environments of their own: which interpreter fits them, what is said of it, and how one is made."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy

from bench.catalog import environments
from bench.catalog.backends import forget
from bench.catalog.frameworks import framework, named, versions_of
from bench.cli import installing, signals
from bench.measure import host
from tests.conftest import FAKES

BACKEND = '''"""Least squares."""
import tiny_package
from bench.types import Fit
KIND = "point"
def build(data, budget, options, place): return None
def fit(program, data, seed, clock):
    with clock("sample"):
        return tiny_package.solve(data)
def draw(state): return Fit("point", state, stats={"gradients": 1, "objective": "least_squares"})
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where environments lie in a test; what was read of other ones is forgotten."""
    monkeypatch.setenv("BENCH_ENVS", str(tmp_path / "envs"))
    forget()
    yield tmp_path / "envs"
    forget()


def made_by_hand(folder, name, packages=(np, scipy), python="3.99.1"):
    """An environment with links to packages of this one; its interpreter is this one under another prefix."""
    place = folder / name
    site = place / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    site.mkdir(parents=True)
    (place / "bin").mkdir()
    (place / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    (place / "pyvenv.cfg").write_text(
        f"home = {Path(sys.executable).resolve().parent}\ninclude-system-site-packages = false\n"
    )
    for package in packages:
        (site / package.__name__).symlink_to(Path(package.__file__).parent)
        libraries = Path(package.__file__).parents[1] / f"{package.__name__}.libs"
        if libraries.is_dir():
            (site / libraries.name).symlink_to(libraries)
        (info,) = importlib.metadata.distributions(name=package.__name__)
        (site / Path(str(info._path)).name).symlink_to(info._path)
    (place / environments.READY).write_text(json.dumps({"python": python, "digest": "d"}))
    return place


def test_a_framework_and_a_version_of_it_are_fitted_in_their_own_environments(folder, bench, tmp_path):
    place = made_by_hand(folder, "fake")
    made_by_hand(folder, "fake@2.0", python="3.98.1")
    forget()
    for extra in ((), ("--fresh",)):
        name = "r" + "".join(extra)
        contenders = ("fake.exact", "fake@2.0.exact", "fake@9.exact", "numpy.gd[steps=20]")
        chosen = [word for one in contenders for word in ("-b", one)]
        done = bench("run", "-s", "correlated-rho95", *chosen, "--reps", "1", "--no-score", "--name", name, *extra)
        assert done.code == 3, done.err
        assert "fake@9 is not installed; bench install fake@9" in done.err
        records = [json.loads(f.read_text()) for f in (tmp_path / "results" / name / "fits").glob("*/record.json")]
        made = sorted((r["environment"], r["status"]) for r in records)
        assert made == [("", "ok"), ("", "unavailable"), ("fake", "ok"), ("fake@2.0", "ok")]
    table = bench("install", "--list").out
    assert "fake@2.0" in table and "python 3.98.1" in table
    versions = json.loads((tmp_path / "results" / "r" / "run.json").read_text())["versions"]
    assert versions["fake/python"] == "3.99.1" and versions["fake/numpy"] == np.__version__ == versions["numpy"]
    assert versions["fake@2.0/python"] == "3.98.1"
    assert environments.interpreter("fake") == str(place / "bin" / "python")
    assert environments.interpreter("numpy") == sys.executable


def test_what_an_environment_lacks_is_missing_although_it_is_here(folder):
    made_by_hand(folder, "fake", packages=(scipy,))
    assert framework(FAKES / "fake").missing == ("numpy",)
    (folder / "fake" / environments.READY).unlink()
    forget()
    assert framework(FAKES / "fake").missing == () and environments.environment("fake") is None


def test_an_environment_with_a_damaged_statement_is_none(folder):
    place = made_by_hand(folder, "fake")
    for damage in ("", "[]", "{}", '{"python": ""}'):
        (place / environments.READY).write_text(damage)
        forget()
        assert environments.environment("fake") is None


def test_a_change_in_another_environment_is_seen(folder):
    made_by_hand(folder, "numpy")
    assert host.versions()["numpy/numpy"] == np.__version__
    assert "numpy/numpy" in framework(Path(__file__).parents[2] / "backends" / "numpy").versions


SOLVE = """
def solve(d):
    import numpy as np
    x = np.column_stack([d.arrays['x'], np.ones(len(d.arrays['y']))])
    w = np.linalg.lstsq(x, d.arrays['y'], rcond=None)[0]
    found = {'weights': w[:-1], 'bias': w[-1], 'sigma': 1.0}
    return {name: np.asarray(found[name])[None, None] for name in d.names}
"""


def wheel(folder, name="tiny-package", code=SOLVE, version="1.5"):
    """A package of one module, by default one that solves least squares, installable without an index."""
    module = name.replace("-", "_")
    file, info = folder / f"{module}-{version}-py3-none-any.whl", f"{module}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{module}.py", f"__version__ = '{version}'\n{code}")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return file


@pytest.fixture
def tiny(tmp_path, monkeypatch, folder, fakes):
    place = tmp_path / "backends" / "tiny"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text('"""Tiny."""\nPACKAGES = {"tiny_package": "tiny-package"}\n')
    (place / "solve.py").write_text(BACKEND)
    (place / "requirements.lock").write_text(f"tiny-package @ {wheel(tmp_path).as_uri()}\n")
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path / "backends"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    forget()
    return place


def test_an_environment_is_made_listed_used_and_removed(tiny, folder, bench):
    listed = bench("list", "backends").out
    assert "tiny.solve" in listed and "not installed: bench install tiny" in listed
    done = bench("install", "tiny")
    assert done.code == 0, done.err
    assert "tiny in " in done.out and "tiny-package 1.5): ready" in done.out and "-b 'tiny.*'" in done.out
    assert "ready already" in bench("install", "tiny").out
    assert "ready in" in bench("install", "--list").out and "tiny-package 1.5" in bench("install", "--list").out
    assert (folder / "tiny" / "code" / "bench").resolve() == environments.root() / "bench"
    assert (folder / "tiny" / "install.log").is_file() and not list(folder.glob("*.log"))
    site = environments.environment("tiny").path[0]
    for package in (np, scipy):  # which its lock would have
        Path(site, package.__name__).symlink_to(Path(package.__file__).parent)
        Path(site, f"{package.__name__}.libs").symlink_to(
            Path(package.__file__).parents[1] / f"{package.__name__}.libs"
        )
    done = bench("run", "-s", "s0-uniform", "-b", "tiny.solve", "--reps", "1", "--no-score", "--name", "t")
    assert done.code == 0, done.err
    assert "is gone" in bench("install", "tiny", "--remove").out and not list(folder.iterdir())
    assert bench("install", "tiny", "--remove").code == 2


def test_a_failed_installation_leaves_nothing_and_says_why(tiny, folder, bench, tmp_path):
    (tiny / "requirements.lock").write_text("there-is-no-such-package==1.0\n")
    done = bench("install", "tiny")
    assert done.code == 3
    for words in ("there-is-no-such-package", "--python PATH", str(folder / "tiny.log")):
        assert words in done.err
    assert [file.name for file in folder.iterdir()] == ["tiny.log"]


def test_what_cannot_be_imported_is_not_ready_and_older_companions_can_be_named(
    tiny, folder, bench, tmp_path, monkeypatch
):
    """A version that takes a companion which has lost what it needs, as older frameworks take the newest JAX."""
    packages = {"tiny-package": "import base_package; base_package.old", "base-package": "new = 1"}
    for name, code in packages.items():
        wheel(tmp_path, name, code)
    wheel(tmp_path, "base-package", "old = 1", version="0.9")
    (tiny / "__init__.py").write_text('PACKAGES = {"tiny_package": "tiny-package", "base_package": "base-package"}\n')
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(installing, "CHILD", ())
    forget()
    done = bench("install", "tiny@1.5")
    assert done.code == 3 and "has no attribute 'old'" in done.err
    assert "bench install tiny@1.5+base-package@VERSION" in " ".join(done.err.split())
    assert [file.name for file in folder.iterdir()] == ["tiny@1.5.log"]
    done = bench("install", "tiny@1.5+base-package@0.9")
    assert done.code == 0 and "tiny-package 1.5, base-package 0.9): ready" in " ".join(done.out.split()), done.err
    assert bench("info", "tiny@1.5+base-package@0.9.solve").code == 0


def test_an_environment_survives_a_failure_to_make_it_again(tiny, folder, bench):
    made_by_hand(folder, "tiny")
    (tiny / "requirements.lock").write_text("there-is-no-such-package==1.0\n")
    assert bench("install", "tiny").code == 3
    assert environments.environment("tiny") is not None
    assert sorted(file.name for file in folder.iterdir()) == ["tiny", "tiny.log"]


@pytest.mark.parametrize("killed", [False, True])
def test_an_interrupted_installation_leaves_what_was_there(tiny, folder, bench, monkeypatch, killed):
    made_by_hand(folder, "tiny")

    def interrupted(*_):
        (folder / "tiny").mkdir()
        (folder / "tiny" / "half").touch()
        if killed:
            shutil.copytree(folder, folder.with_name("left"), symlinks=True)
        signals._handle(signal.SIGTERM, None)

    monkeypatch.setattr(installing, "_run", interrupted)
    done = bench("install", "tiny", "--again")
    assert done.code == 130 and "interrupted, and nothing of it is left" in done.err
    if killed:  # as a process leaves it that nobody asked
        shutil.rmtree(folder)
        folder.with_name("left").replace(folder)
        monkeypatch.setattr(installing, "_run", lambda *_: "no network")
        assert bench("install", "tiny", "--again").code == 3
    assert [file.name for file in folder.iterdir()] == ["tiny"]
    assert environments.environment("tiny") is not None and not (folder / "tiny" / "half").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "name a framework"),
        (("blakjax",), "unknown framework 'blakjax'"),
        (("numpy", "--python", "/nowhere/python"), "does not run, or is no Python"),
        (("--remove",), "name the frameworks"),
    ],
)
def test_wrong_input_is_one_sentence(folder, bench, args, words):
    done = bench("install", *args)
    assert done.code == 2 and words in done.err and not folder.exists()


def test_the_interpreter_must_suit(tiny, bench):
    (tiny / "__init__.py").write_text('PACKAGES = ("tiny_package",)\nPYTHON = ">=3.98"\n')
    forget()
    done = bench("install", "tiny", "--python", sys.executable)
    assert done.code == 2 and "tiny needs >=3.98" in done.err
    done = bench("install", "tiny")
    assert done.code == 2 and "tiny needs Python >=3.98, and none was found" in done.err
    (tiny / "__init__.py").write_text('PACKAGES = ("tiny_package",)\nPYTHON = "3.12"\n')
    forget()
    assert 'versions of Python such as ">=3.12"' in bench("info", "tiny.solve").out


@pytest.mark.parametrize(
    ("version", "wanted", "suits"),
    [
        ("3.12.1", ">=3.12", True),
        ("3.11.7", ">=3.12", False),
        ("3.13.0", ">=3.11,<3.13", False),
        ("3.12.9", ">=3.11, <3.13", True),
        ("3.10.1", "", False),
        ("3.11.0", "", True),
        ("", "", False),
    ],
)
def test_which_versions_suit(version, wanted, suits):
    assert installing._suits(version, wanted) is suits


def test_without_a_lock_it_installs_what_the_distribution_asks_for():
    (one,) = (f for name, f in installing.frameworks().items() if name == "sklearn")
    wanted = installing._requirements(one)
    assert [line.partition(">")[0] for line in wanted] == ["numpy", "scipy", "scikit-learn"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("numpyro@0.20", ["numpy", "scipy", "numpyro==0.20.*", "jax", "jaxlib"]),
        ("numpyro@0.20+jax@0.8", ["numpy", "scipy", "numpyro==0.20.*", "jax==0.8.*", "jaxlib"]),
        ("torch@2.9.0+cpu", ["numpy", "scipy", "torch==2.9.0+cpu"]),
        ("stan@4.13.0rc1", ["numpy", "scipy", "httpstan==4.13.0rc1"]),  # in spite of its lock
    ],
)
def test_of_a_version_that_one_is_installed(name, wanted):
    assert [line.partition(">")[0] for line in installing._requirements(named(name))] == wanted


@pytest.mark.parametrize("name", ["numpyro@", "numpyro@x/y", "numpyro@0.2 1", "numpyro@0.2+jax@", "numpyro@0.2@1"])
def test_a_version_that_is_none_is_refused(folder, bench, name):
    done = bench("install", name)
    assert done.code == 2 and f"{name}: a version reads like 0.21 or 0.21.1" in done.err


def test_versions_are_read_again_after_files_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(["1.0", "2.0"])
    monkeypatch.setattr(importlib.metadata, "version", lambda name: next(versions))
    forget()
    assert versions_of(["acme"]) == versions_of(["acme"]) == {"acme": "1.0"}
    forget()
    assert versions_of(["acme"]) == {"acme": "2.0"}
    forget()
