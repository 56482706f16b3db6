"""Folders that hold a model of the user's own: what they say, what is refused, and what a run keeps of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.catalog.kept import keep
from bench.catalog.scenarios import load, scenario
from bench.data import dataset, family
from bench.errors import NoReference, UsageError
from bench.plan import Choice, make
from bench.reference.cache import reference
from bench.selected import Scenarios
from tests.conftest import ROOT

EXAMPLES = ROOT / "docs" / "models"
TOML = """
[parameters]
rate = {lower = 0}
effect = {shape = ["groups", 2]}
[data]
file = "data.json"
integers = ["group"]
"""
DATA = {"groups": 3, "group": [0, 1, 2, 2], "y": [[1.0, 2], [3, 4], [5, 6], [7, 8]], "scale": 0.5}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.toml").write_text(TOML)
    (folder / "data.json").write_text(json.dumps(DATA))
    (folder / "torch.py").write_text("raise RuntimeError('run in the parent')\n")
    return folder


def test_a_folder_is_a_scenario_of_its_name_and_its_code_is_not_run(mine: Path) -> None:
    (chosen,) = Scenarios([f"{mine}/"])
    assert chosen.label == "mine"
    assert [one.label for one in Scenarios([str(mine / "model.toml")])] == ["mine"]
    data = dataset(chosen, seed=0, rep=0)
    assert [(p.name, p.shape, p.lower) for p in data.parameters] == [("rate", (), 0.0), ("effect", (3, 2), -np.inf)]
    assert {name: x.dtype.kind for name, x in data.arrays.items()} == {
        "groups": "i",
        "group": "i",
        "y": "f",
        "scale": "f",
    }
    assert data.source == str(mine)
    skeleton = data.skeleton()
    assert int(skeleton.arrays["groups"]) == 3 and not skeleton.arrays["y"].any() and not skeleton.arrays["group"].any()
    with pytest.raises(NoReference, match="bench reference"):
        reference(data)


def test_code_and_data_are_part_of_the_digest_and_of_what_a_run_keeps(mine: Path, tmp_path: Path) -> None:
    before = load(mine / "model.toml")
    keep(before, tmp_path / "run")
    kept = scenario("mine", along=tmp_path / "run")
    assert kept.digest == before.digest and kept.name == "mine"
    assert sorted(f.name for f in (tmp_path / "run/scenarios/mine").iterdir()) == [
        "data.json",
        "model.toml",
        "torch.py",
    ]
    (mine / "torch.py").write_text("# other\n")
    after = load(mine / "model.toml")
    assert after.digest != before.digest
    assert dataset(after, seed=0, rep=0).digest != dataset(before, seed=0, rep=0).digest


def test_columns_of_a_table_are_arrays_and_their_length_a_size(mine: Path) -> None:
    (mine / "data.csv").write_text("\ufeffx,y\n1,2.5\n2,3.5\n")
    (mine / "model.toml").write_text('[parameters]\nz = {shape = ["n"]}\n[data]\nfile = "data.csv"\n')
    data = dataset(load(mine / "model.toml"), seed=0, rep=0)
    assert data.parameter("z").shape == (2,)
    assert data.arrays["y"].tolist() == [2.5, 3.5]
    (mine / "data.csv").write_text("x,y\n1,2.5\n2,x\n")
    with pytest.raises(UsageError, match="line 3, column y: 'x' is no number"):
        load(mine / "model.toml")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("rate = {lower = 0}", "rate = {upper = 1}", "take the negative"),
        ("rate = {lower = 0}", "rate = {lower = 2, upper = 1}", r"parameters\.rate\.upper"),
        ("rate = {lower = 0}", "rate = {prior = 2}", r"parameters\.rate\.prior"),
        ("rate = {lower = 0}", '"a b" = {}', "name must be one of Python"),
        ('"groups"', '"scale"', "whole numbers in the data are groups"),
        ('"groups"', "-1", r"parameters\.effect\.shape"),
        ('"groups"', "1.5", "a list of sizes"),
        ('["group"]', '["y", "nothing"]', r"data\.integers = 'nothing'"),
        ('["group"]', '["scale"]', "no whole numbers"),
        ("data.json", "gone.json", r"data\.file"),
        ("[data]", "[holdout]\nn_obs = 3\n[data]", "holdout"),
        ("[data]", "[priors]\nrate = {normal = [0, 1]}\n[data]", "priors"),
        ("[parameters]", "[parameters]\n[other]", "other"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(mine: Path, old: str, new: str, why: str) -> None:
    assert old in TOML
    (mine / "model.toml").write_text(TOML.replace(old, new, 1))
    with pytest.raises(UsageError, match=why):
        load(mine / "model.toml")


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"y": [1, [2]]}', '{"y": "x"}', '{"y": NaN}', '{"a b": 1}', "{" * 5000]
)
def test_data_that_are_no_numbers_are_refused(mine: Path, content: str) -> None:
    (mine / "data.json").write_text(content)
    with pytest.raises(UsageError, match=r"model\.toml: data\.file"):
        load(mine / "model.toml")


def test_a_framework_without_a_file_is_unsupported_with_that_reason(mine: Path) -> None:
    planned = make(Choice([f"{mine}/"], ["torch.nuts", "pyro.nuts", "numpy.gd"]))
    assert {p.backend.name: p.unsupported() for p in planned.cells} == {
        "torch.nuts": "",
        "pyro.nuts": "the model mine has no pyro.py",
        "numpy.gd": "numpy.gd fits linear, not the family model",
    }


@pytest.mark.parametrize("name", sorted(folder.name for folder in EXAMPLES.iterdir()))
def test_every_example_is_a_scenario_in_four_languages(name: str, tmp_path: Path) -> None:
    data = dataset(load(EXAMPLES / name / "model.toml"), seed=0, rep=0)
    assert family(data.family).OPAQUE and data.dim >= 3
    assert {f.name for f in (EXAMPLES / name).glob("*.py")} == {"jax.py", "numpyro.py", "pyro.py", "torch.py"}


def test_loading_a_model_imports_no_framework(mine: Path) -> None:
    code = (
        f"import sys; from bench.selected import Scenarios; list(Scenarios(['{mine}/']))\n"
        "print(sorted({'torch', 'jax', 'pyro'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
