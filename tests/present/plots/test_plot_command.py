"""`bench plot` as a user meets it, on one small run of the fakes."""

import sys
import xml.etree.ElementTree as ET
from unittest import mock

import pytest

from bench.cli import app
from bench.errors import UsageError
from bench.present import plots
from bench.present.plots import canvas
from tests import in_process
from tests.conftest import FAKES
from tests.measure.inprocess import InProcess

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A run of s0-uniform: exact and biased draws, and a contender that crashes."""
    path = tmp_path_factory.mktemp("plots")
    cells = ("-s", "s0-uniform", "-b", "fake.exact", "-b", "fake.exact[bias=1.0]", "-b", "fake.faulty[fault=exception]")
    words = (*cells, "--results", str(path), "--name", "one", "--no-score", "--json")
    with mock.patch("bench.measure.local.Local", InProcess):
        in_process.run("run", *words, cwd=path, variables={"BENCH_BACKENDS": str(FAKES)})
    assert (path / "one" / "run.json").is_file()
    return path


@pytest.fixture
def plot(results, capsys, monkeypatch):
    """Call the verb in this process."""
    monkeypatch.setenv("BENCH_BACKENDS", str(FAKES))

    def call(*args):
        app(["plot", "one", "--results", str(results), *args], standalone_mode=False)
        return capsys.readouterr()

    return call


@pytest.mark.needs("matplotlib")
def test_the_default_file_is_a_png_in_the_run_and_its_path_is_printed(plot, results):
    out = plot("-s", "s0-uniform", "-b", "fake.exact[bias=1.0]", "--kind", "trace").out
    file = results / "one" / "plots" / "s0-uniform-fake.exact-bias=1.0-trace.png"
    assert out.strip() == str(file)
    assert file.read_bytes().startswith(PNG)


@pytest.mark.needs("matplotlib")
def test_one_picture_per_fit_and_one_forest_of_all(plot, results):
    done = plot("-b", "fake.exact", "--kind", "posterior", "--rep", "1")
    assert [line.rsplit("/", 1)[1] for line in done.out.split()] == [
        "s0-uniform-fake.exact-rep1-posterior.png",
        "s0-uniform-fake.exact-bias=1.0-rep1-posterior.png",
    ]
    done = plot("--kind", "forest")
    assert done.out.strip() == str(results / "one" / "plots" / "s0-uniform-all-forest.png")
    assert (
        "left out: s0-uniform × fake.faulty[fault=exception] has no fit to draw: rep 0 ended failed"
        in done.err.replace("\n", " ")
    )


@pytest.mark.needs("matplotlib")
def test_svg_is_well_formed_titled_and_the_same_every_time(plot, tmp_path):
    files = [tmp_path / "deep" / "a.svg", tmp_path / "b.svg"]
    for file in files:
        plot("-b", "fake.exact[bias=1.0]", "--kind", "forest", "--out", str(file))
    assert files[0].read_bytes() == files[1].read_bytes()
    root = ET.fromstring(files[0].read_bytes())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"largest distance of a mean" in files[0].read_bytes()


@pytest.mark.needs("matplotlib")
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--kind", "pie"], "unknown kind of picture 'pie'; known: forest, loss, posterior, predictive, trace"),
        (["--kind", "trace", "-s", "s0-unifrm"], "unknown scenario of run one 's0-unifrm'; did you mean s0-uniform"),
        (["--kind", "trace", "-b", "fake.exct"], "did you mean fake.exact"),
        (["--kind", "trace", "-b", "fake.exact[bias=2.0]"], "known: fake.exact, fake.exact[bias=1.0], fake.faulty"),
        (["--kind", "trace", "-s", "s0-uniform", "-b", "fake.faulty"], "ended failed"),
        (["--kind", "trace", "-s", "s0-uniform", "-b", "fake.exact", "--rep", "9"], "has no rep 9; it has reps 0 to 1"),
        (
            ["--kind", "loss", "-s", "s0-uniform", "-b", "fake.exact[bias=1.0]"],
            "what does: trace, posterior, forest, predictive",
        ),
        (["--kind", "loss"], "what does: trace, posterior"),
        (["--kind", "trace", "--out", "x.pdf"], "x.pdf is not allowed; a name that ends in .png or .svg"),
        (["--kind", "trace", "--out", "x.png"], "--out names one file, but 2 pictures are asked for"),
        (["--kind", "forest", "--out", "/dev/null/x.png"], "cannot write /dev/null/x.png"),
    ],
)
def test_a_mistake_is_a_sentence_that_says_what_there_is(plot, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        plot(*args)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_unknown_run_lists_those_there_are(results):
    with pytest.raises(UsageError, match="known: one"):
        app(["plot", "two", "--results", str(results), "--kind", "trace"], standalone_mode=False)


def test_without_matplotlib_the_install_command_is_named(fits, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'posterior-bench\[arviz\]'"):
        plots.draw("posterior", [fits("mcmc")])


@pytest.mark.needs("matplotlib")
def test_drawing_leaves_no_style_set_and_needs_no_pyplot(fits, monkeypatch):
    import matplotlib

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it would now fail
    before = {key: matplotlib.rcParams[key] for key in canvas.STYLE}
    plots.draw("posterior", [fits("point")])
    assert {key: matplotlib.rcParams[key] for key in canvas.STYLE} == before
