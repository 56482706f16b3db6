"""Scenario and backend files: every mistake names file, key, value and what is allowed."""

import ast
from pathlib import Path

import pytest

from bench.catalog.backends import backend
from bench.catalog.places import backend_files, scenario_files, suite_files
from bench.catalog.scenarios import load, scenario
from bench.catalog.suites import suite
from bench.data import dataset
from bench.errors import UsageError
from bench.plan import Choice, make

GOOD = """
family = "linear"
n_obs = 20
weights = [1.0, -1.0]
bias = 0.5
noise = 0.3
[priors]
weights = {normal = [0, 10]}
bias = "flat"
sigma = {exponential = 1}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def test_a_few_lines_make_a_scenario(tmp_path):
    s = load(write(tmp_path, GOOD))
    data = dataset(s, seed=0, rep=0)
    assert data.arrays["x"].shape == (20, 2)
    assert data.names == ("weights", "bias", "sigma")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n_obs = 20", "n_obs = -1", ["n_obs", "-1"]),
        ("n_obs = 20", "n_obs = 2.5", ["n_obs", "2.5"]),
        ("n_obs = 20", "n_obs = true", ["n_obs", "True"]),
        ("n_obs = 20", 'n_obs = "20"', ["n_obs", "'20'"]),
        ("n_obs = 20", "n_ob = 20", ["n_ob", "n_obs"]),
        ("noise = 0.3", "noise = 0", ["noise", "0"]),
        ("noise = 0.3", "noise = nan", ["noise", "nan"]),
        ("weights = [1.0, -1.0]\n", "weights = []\n", ["weights", "[]"]),
        ("weights = [1.0, -1.0]\n", "weights = [1.0, 'a']\n", ["weights", "'a'"]),
        ('family = "linear"', 'family = "liner"', ["family", "liner", "linear"]),
        ('family = "linear"', "", ["family", "linear"]),
        ("{exponential = 1}", "{exponential = -1}", ["priors.sigma", "rate must be above 0"]),
        ("{exponential = 1}", "{exponential = inf}", ["priors.sigma", "finite"]),
        ("{exponential = 1}", "{exponential = [1, 2]}", ["priors.sigma", "exponential takes 1"]),
        ("{exponential = 1}", "{normal = [0, 1]}", ["priors.sigma", "normal", "exponential"]),
        ("{exponential = 1}", "{uniform = [2, 1]}", ["priors.sigma", "low must be below high"]),
        ("{exponential = 1}", "{known = 0}", ["priors.sigma", "above 0"]),
        ("{exponential = 1}", '"flt"', ["priors.sigma", "flt"]),
        ("sigma = {exponential = 1}", "tau = {exponential = 1}", ["priors.tau", "weights, bias, sigma"]),
        ("{normal = [0, 10]}", "{normal = {loc = 0, sd = 1}}", ["priors.weights", "loc, scale"]),
        ("[priors]", "[sweep]\nn_obs = 5\n[priors]", ["sweep.n_obs", "a list"]),
        ("[priors]", "[sweep]\nfoo = [5]\n[priors]", ["sweep.foo"]),
        ("[priors]", "holdout = 3\n[priors]", ["holdout", "a table"]),
        ("[priors]", 'features = {design = "normal", constant_columns = [1.0]}\n[priors]', ["bias", "none"]),
        (
            "[priors]",
            'features = {design = "multivariate_normal", correlation = 1.5}\n[priors]',
            ["correlation", "1.5"],
        ),
        ("[priors]", 'features = "gaussian"\n[priors]', ["features", "gaussian", "normal"]),
        ("[priors]", '[data]\nfile = "data/none.csv"\n[priors]', ["data", "none.csv"]),
        ("[priors]", '[data]\nrecipe = "magic"\n[priors]', ["data", "magic"]),
        ("[priors]", "[start]\nsigma = -1\n[priors]", ["start.sigma", "-1"]),
        ("[priors]", "[holdout]\nn_obs = 0\n[priors]", ["holdout.n_obs", "0"]),
    ],
)
def test_a_mistake_names_file_key_value_and_what_is_allowed(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(UsageError) as error:
        load(write(tmp_path, GOOD.replace(old, new)))
    assert "mine.toml" in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_broken_toml_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"mine\.toml: not a TOML file"):
        load(write(tmp_path, "family = "))


def test_overrides_are_validated_like_the_file():
    assert scenario("correlated-rho95", {"n_obs": 33}).settings["n_obs"] == 33
    assert str(scenario("s0-uniform", {"priors.sigma": {"half_cauchy": 2}}).priors["sigma"]) == "half_cauchy(2)"
    with pytest.raises(UsageError, match="n_obs"):
        scenario("correlated-rho95", {"n_obs": 0})
    with pytest.raises(UsageError, match="n_obs"):
        scenario("s0-uniform", {"n_obs": 10})  # fixed data have the rows they have


def test_every_shipped_scenario_and_suite_is_valid():
    for name in scenario_files():
        s = scenario(name)
        assert s.description
        assert dataset(s, seed=1, rep=0).dim > 0
    for name in suite_files():
        assert suite(name).description
        assert make(Choice(suite=name)).fits > 0


def test_the_same_seed_gives_the_same_bytes_and_fixed_data_do_not_vary():
    fresh, fixed = scenario("correlated-rho95"), scenario("s0-uniform")
    assert dataset(fresh, seed=0, rep=0).digest == dataset(fresh, seed=0, rep=0).digest
    assert dataset(fresh, seed=0, rep=0).digest != dataset(fresh, seed=0, rep=1).digest
    assert dataset(fresh, seed=0, rep=0).digest != dataset(fresh, seed=1, rep=0).digest
    assert dataset(fixed, seed=0, rep=0).digest == dataset(fixed, seed=5, rep=3).digest


def test_every_backend_declares_itself_without_being_imported():
    import sys

    before, names = set(sys.modules), list(backend_files())
    assert {"exact.posterior", "numpy.gd", "sklearn.ols", "torch.sgd", "torch.adam", "pyro.svi", "numpyro.nuts"} <= set(
        names
    )
    for name in names:
        info = backend(name)
        assert info.kind in {"point", "vi", "mcmc", "exact"}
        assert info.summary
        assert all(o.help for o in info.options.values()), f"{name}: an option without a comment"
    assert not {name for name in set(sys.modules) - before if name.startswith("backends.")}


def test_backend_options_are_checked_without_importing_them():
    adam = backend("torch.adam")
    assert adam.validate({"lr": 1, "steps": 5}) == {"lr": 1.0, "steps": 5}
    for options, words in [
        ({"lr": "fast"}, "lr = 'fast' is not allowed; a value of float"),
        ({"rl": 0.1}, "unknown option of torch.adam 'rl'; did you mean lr"),
        ({"steps": 0}, "steps = 0 is not allowed"),
        ({"steps": True}, "steps = True is not allowed"),
        ({"space": "log"}, "one of"),
    ]:
        with pytest.raises(UsageError) as error:
            adam.validate(options)
        assert words in str(error.value)


@pytest.mark.parametrize("text", ["fits = 3", "[[fits]]\nscenario = 's4-linear'", "[[fits]]\nscenari = 'x'", "[[fits"])
def test_a_broken_suite_is_refused(tmp_path, monkeypatch, text):
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.toml").write_text(text)
    monkeypatch.setenv("BENCH_SCENARIOS", str(tmp_path))
    with pytest.raises(UsageError, match=r"mine\.toml"):
        suite("mine")


def test_a_backend_file_that_declares_nonsense_is_named(tmp_path, monkeypatch):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "__init__.py").write_text("PACKAGES = ()\n")
    (tmp_path / "odd" / "one.py").write_text("KIND = 'mcmc'\nclass Options:\n    a: list = []\n")
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path))
    with pytest.raises(UsageError, match=r"one\.py.*option type list"):
        backend("odd.one")


def test_a_scenario_feels_its_familys_folder_and_what_that_imports_and_no_other(tmp_path):
    from bench.families import sources

    texts = {
        "kind/one.py": "from scenarios.families.common import shared\nfrom scenarios.families.deep.down import x\n",
        "kind/sibling.py": "",
        "common/shared.py": "from scenarios.families.common import (\n    deeper,\n    shared,\n)\n",
        "common/deeper.py": "",
        "common/unused.py": "",
        "deep/down.py": "import numpy\n",
        "other/two.py": "from scenarios.families.common import shared\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    behind = [str(f.relative_to(tmp_path)) for f in sources(tmp_path / "kind" / "one.py")]
    assert behind == ["common/deeper.py", "common/shared.py", "deep/down.py", "kind/one.py", "kind/sibling.py"]


def test_what_is_behind_a_family_is_what_a_parser_finds_imported():
    """Sources are looked through by a pattern, for speed; Python's own parser is the truth."""
    from bench.families import OWN, families, family_file, sources

    for family in families():
        behind = sources(family_file(family))
        for file in behind:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scenarios.families"):
                    inside = (node.module or "").split(".")[2:]
                    needed = [inside] if len(inside) == 2 else [[*inside, alias.name] for alias in node.names]
                    assert {OWN.joinpath(*n[:-1], f"{n[-1]}.py") for n in needed} <= set(behind), (family, file)
