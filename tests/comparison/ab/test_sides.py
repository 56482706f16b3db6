"""Which two sides a command names, and what it refuses."""

import subprocess

import pytest

from bench.catalog.places import root
from bench.comparison import sides
from bench.errors import UsageError
from bench.plan import Choice

HERE = Choice(scenarios=["s4-linear", "s0-uniform"], backends=["numpy.gd"])


@pytest.fixture(scope="module")
def repository():
    """The project's repository; a source archive has none."""
    done = subprocess.run(["git", "-C", str(root()), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the project is not in a git repository here")
    return done.stdout.strip()


def test_two_option_sets_pair_up_scenario_by_scenario():
    a, b = sides.plans(("torch.adam[lr=0.05]", "torch.adam[lr=0.1]"), HERE)
    assert [p.cell.scenario for p in a.cells] == [p.cell.scenario for p in b.cells] == ["s4-linear", "s0-uniform"]
    assert {dict(p.cell.options)["lr"] for p in a.cells} == {0.05}
    assert {dict(p.cell.options)["lr"] for p in b.cells} == {0.1}


def test_two_revisions_have_one_plan():
    a, b = sides.plans(("main", "."), HERE)
    assert a is b and len(a.cells) == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("torch.adam", "torch.adem"), "unknown backend 'torch.adem'; did you mean torch.adam"),
        (("torch.adam", "torch.adam"), "same contender"),
        (("torch.adam[lr=[0.1,0.2]]", "torch.adam[lr=0.3]"), "do not pair up"),
        (("torch.adam[lr=fast]", "torch.adam"), "lr = 'fast' is not allowed"),
    ],
)
def test_what_cannot_be_compared_is_said(names, words):
    with pytest.raises(UsageError, match=words.replace("[", r"\[")):
        sides.plans(names, HERE)


def test_a_revision_is_written_out_as_it_was(repository, tmp_path):
    source = sides.checkout("HEAD", tmp_path)
    assert source.commit == repository
    assert source.code == tmp_path / repository
    kept = subprocess.run(
        ["git", "-C", str(root()), "show", "HEAD:bench/measure/clock.py"], capture_output=True, text=True, check=True
    )
    assert (source.code / "bench" / "measure" / "clock.py").read_text() == kept.stdout
    assert sides.checkout(repository[:12], tmp_path).code == source.code
    assert sides.checkout(".", tmp_path).code is None


@pytest.mark.parametrize("name", ["no-such-branch", "--upload-pack=x", "", "HEAD:README.md"])
def test_what_is_no_revision_is_refused(repository, tmp_path, name):
    with pytest.raises(UsageError, match="neither a backend nor a revision"):
        sides.checkout(name, tmp_path)


def test_a_revision_without_a_worker_is_too_old(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "README").write_text("no worker here")
    for args in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "first"],
    ):
        subprocess.run(["git", "-C", str(other), *args], check=True)
    monkeypatch.setattr(sides, "root", lambda: other)
    with pytest.raises(UsageError, match="older than what can be measured"):
        sides.checkout("HEAD", tmp_path / "out")
