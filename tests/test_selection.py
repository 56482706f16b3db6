"""What users write in brackets."""

import pytest

from bench.errors import UsageError
from bench.selection import expand, parse, sweeps


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("torch.adam", "torch.adam", {}),
        ("torch.adam[lr=0.1,steps=10]", "torch.adam", {"lr": 0.1, "steps": 10}),
        ("a[space=unconstrained]", "a", {"space": "unconstrained"}),
        ("a[aot=false]", "a", {"aot": False}),
        ("a[n_obs=[100,1000]]", "a", {"n_obs": [100, 1000]}),
        ("a[guide=[manual,delta]]", "a", {"guide": ["manual", "delta"]}),
        ("a[priors.sigma={known = 0.1}]", "a", {"priors.sigma": {"known": 0.1}}),
        ("a[weights=[[1.0, 2.0]]]", "a", {"weights": [[1.0, 2.0]]}),
        ("a[x=nan]", "a", {"x": "nan"}),
        ("a[x='p, q']", "a", {"x": "p, q"}),
        ("a[]", "a", {}),
    ],
)
def test_reads_names_and_values(text, name, values):
    assert parse(text) == (name, values)


@pytest.mark.parametrize(
    "text", ["", "a[", "a]b", "a[lr]", "a[=1]", "a[lr=]", "a[lr=1,lr=2]", "a[lr={]", "a[l r=1]", "a[x=1 2]"]
)
def test_refuses_what_it_cannot_read(text):
    with pytest.raises(UsageError, match=r"cannot read|given twice"):
        parse(text)


def test_lists_sweep_and_nested_lists_are_literal():
    assert list(sweeps({"n_obs": [10, 20], "noise": 1.0})) == [{"n_obs": 10, "noise": 1.0}, {"n_obs": 20, "noise": 1.0}]
    assert list(sweeps({"weights": [[1.0, 2.0]]})) == [{"weights": [1.0, 2.0]}]
    assert list(sweeps({})) == [{}]


def test_globs_expand_and_unknown_names_list_the_nearest():
    known = ["torch.adam", "torch.sgd", "numpy.gd"]
    assert expand(parse("torch.*"), known, "backend") == ["torch.adam", "torch.sgd"]
    with pytest.raises(UsageError, match=r"unknown backend 'torch.adm'; did you mean torch.adam"):
        expand(parse("torch.adm"), known, "backend")
    with pytest.raises(UsageError, match="unknown backend"):
        expand(parse("jax.*"), known, "backend")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("torch@2.11.adam", ["torch@2.11.adam"]),
        ("torch@2.11.0.post1.*[lr=0.1]", ["torch@2.11.0.post1.adam", "torch@2.11.0.post1.sgd"]),
        ("torch@2.11.adm", None),
        ("torch@.adam", None),
        ("torch@2", None),
    ],
)
def test_a_backend_may_say_a_version_of_its_framework(text, names):
    known = ["torch.adam", "torch.sgd"]
    if names:
        assert expand(parse(text), known, "backend") == names
    else:
        with pytest.raises(UsageError, match=f"unknown backend '{text}'; did you mean torch"):
            expand(parse(text), known, "backend")
    with pytest.raises(UsageError, match="unknown scenario"):
        expand(parse(text), known, "scenario")
