"""`bench.model`: what is written of a function, and what cannot be."""

from __future__ import annotations

import math
import statistics as told
from math import log as ln
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.catalog.scenarios import load
from bench.data import dataset

HALF = 0.5
BOX = [1.0]


def squared(x):
    return x * x


def density(data, params):
    """Uses a module, an imported function, a number and a function of this file."""
    inner = [squared(value) for value in data["y"]]
    return -HALF * math.fsum(inner) * params["rate"] + ln(2.0) + told.fmean([0.0])


def boxed(data, params):
    return BOX[0]


PARAMETERS = {"rate": {"lower": 0}, "effect": {"shape": ("n", 2)}}
DATA = {"y": np.array([1.0, 2.0, 3.0]), "n": 3, "group": [0, 1, 1], "flag": True}


@pytest.fixture
def write(tmp_path: Path):
    return lambda **more: bench.model(
        "mine", **{"parameters": PARAMETERS, "data": DATA, "integers": ("group",), "folder": tmp_path, **more}
    )


def test_a_function_is_written_with_all_that_it_uses(write) -> None:
    path = Path(write(torch=density, description="a model"))
    chosen = load(path)
    assert (chosen.name, chosen.description, chosen.family) == ("mine", "a model", "model")
    data = dataset(chosen, seed=0, rep=0)
    assert [p.shape for p in data.parameters] == [(), (3, 2)]
    assert data.arrays["y"].tolist() == [1.0, 2.0, 3.0] and data.arrays["group"].dtype.kind == "i"
    names: dict = {}
    exec(compile(path.with_name("torch.py").read_text(), "torch.py", "exec"), names)
    assert names["log_density"]({"y": [1.0, 2.0]}, {"rate": 3.0}) == -7.5 + math.log(2.0)


def test_a_source_is_written_as_it_stands_and_old_files_go(write) -> None:
    path = Path(write(torch=density, numpyro="def model(y, n, group, flag):\n    pass"))
    assert path.with_name("numpyro.py").read_text().endswith("pass\n")
    write(numpyro="def model(y, n, group, flag):\n    pass\n")
    assert not path.with_name("torch.py").exists()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"torch": lambda data, params: 0.0}, "no function of its own"),
        ({"torch": boxed}, r"it uses BOX = \[1\.0\] of the session; give its source"),
        ({"torch": math.log}, "no function of its own"),
        ({}, "needs one of numpyro, pyro, torch, jax, pymc, stan"),
        ({"stan": density}, "the program as a text"),
        ({"torch": density, "data": {"y": "text"}}, r"data\['y'\] = 'text' is not allowed; numbers"),
        ({"torch": density, "parameters": {"rate": {"lower": object()}}}, r"parameters\['rate'\]"),
        ({"torch": density, "parameters": {"rate": 3}}, r"parameters\['rate'\]"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_written(write, tmp_path: Path, more: dict, why: str) -> None:
    with pytest.raises(bench.UsageError, match=why):
        write(**more)
    assert not list(tmp_path.iterdir())


def test_a_stan_program_is_written_under_its_own_name(write) -> None:
    folder = Path(write(stan="model {}", pymc="def model(**data): ...")).parent
    assert (folder / "model.stan").read_text() == "model {}\n" and (folder / "pymc.py").is_file()
    write(torch=density)
    assert not (folder / "model.stan").exists() and not (folder / "pymc.py").exists()


def test_a_name_is_one_of_python(write) -> None:
    with pytest.raises(bench.UsageError, match=r"name='\.\./mine' is not allowed"):
        bench.model("../mine", parameters=PARAMETERS, data=DATA, torch=density)
