"""Long runs as a reference: what is refused, what draws are worth, and that stated errors are honest."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from bench.catalog.scenarios import load, scenario
from bench.data import dataset
from bench.errors import NoReference, UsageError
from bench.reference import stored
from bench.reference.cache import reference
from bench.score import certified
from bench.score.certified import Sampled
from tests import in_process
from tests.conftest import FAKES, ROOT
from tests.measure.inprocess import InProcess

PARTS = ["a", "b"]


def chains(seed, shape=(10, 2000, 2), rho=0.0):
    """Stationary autoregressive chains of mean 0 and variance 1."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    draws = noise.copy()
    for i in range(1, shape[1] if rho else 0):
        draws[:, i] = rho * draws[:, i - 1] + np.sqrt(1 - rho**2) * noise[:, i]
    return draws


def test_two_samplers_that_agree_are_a_reference_and_hardly_ever_refused():
    for seed in range(40):
        both = [Sampled(str(i), chains(2 * seed + i, shape=(4, 1000, 2))) for i in range(2)]
        assert certified.faults(both, PARTS) == []  # at 1 in 10 000 each; the seeds are fixed


def changed(draws, name):
    match name:
        case "bias":
            draws[..., 1] += 0.1
        case "narrow":
            draws[..., 0] *= 0.9
        case "stuck":
            draws[3] = draws[3, :1]
        case "apart":
            draws[:5] += 0.5
        case "square":
            draws[:5] *= 1.3
        case "infinite":
            draws[0, 0, 0] = np.inf
        case "short":
            return draws[:, :90]
        case "few":
            return draws[:3]
    return draws


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bias", r"one and two are .* standard errors apart in b, of 4\.2 that"),
        ("narrow", "apart in the square of a"),
        ("stuck", "two: R-hat of"),
        ("apart", "two: R-hat of"),
        ("square", "two: R-hat of the square of"),
        ("infinite", "two: some draws are not finite"),
        ("short", "two: 10 chains of 90 draws"),
        ("few", "two: 3 chains"),
    ],
)
def test_each_fault_is_named(name, words):
    both = [Sampled("one", chains(1)), Sampled("two", changed(chains(2), name))]
    import re

    assert any(re.search(words, fault) for fault in certified.faults(both, PARTS)), certified.faults(both, PARTS)


def test_slow_chains_divergences_and_low_energy_fractions_are_named():
    slow, draws = chains(3, rho=0.995), chains(4)
    assert any(
        "effective draws" in f or "R-hat" in f for f in certified.faults([Sampled("s", slow)], PARTS, alone=True)
    )
    one = Sampled("one", draws, diverging=np.eye(10, 2000, dtype=bool)[:, :] & (np.arange(2000) < 2))
    (fault,) = certified.faults([one], PARTS, alone=True)
    assert fault.startswith("one: 2 transitions diverged: smaller steps")
    # of an autoregressive energy the fraction is 2(1 − rho): 0.1 at 0.95
    two = Sampled("two", draws, energy=chains(5, rho=0.95)[..., 0])
    (fault,) = certified.faults([two], PARTS, alone=True)
    assert "E-BFMI of a chain is 0.1" in fault or "E-BFMI of a chain is 0.0" in fault
    for alone in ([Sampled("one", draws)], [Sampled("one", draws), Sampled("one[step=2]", chains(6))]):
        assert certified.faults(alone, PARTS) == [
            "two independent samplers are needed, so that each is held against another"
        ]


def test_the_worth_of_draws_is_that_of_the_textbook():
    """An AR(1) chain is worth (1 − ρ)/(1 + ρ) of its draws for the mean, (1 − ρ²)/(1 + ρ²) for squares."""
    rho, n = 0.5, 20_000
    both = [Sampled("one", chains(6, rho=rho)), Sampled("two", chains(7, rho=rho))]
    state = certified.state(both, np.random.default_rng(0))
    # the smaller of two parameters' estimates, each with a relative error of some 3 % at 40 000 draws
    assert float(state["n_effective"]) == pytest.approx(2 * n * (1 - rho) / (1 + rho), rel=0.1)
    unequal = [Sampled("one", chains(8)), Sampled("two", chains(9, rho=0.9))]
    wanted = 1 / (0.25 / n + 0.25 / (n * 0.1 / 1.9))  # that of the slower, whose estimate errs by some 10 %
    assert float(certified.state(unequal, np.random.default_rng(0))["n_effective"]) == pytest.approx(wanted, rel=0.25)


def test_stated_errors_are_those_of_many_long_runs():
    """(mean − truth)/sd·√worth over 40 pairs of runs: its mean square is 1 within four of its standard errors."""
    z = []
    for seed in range(40):
        both = [Sampled(str(i), chains(1000 + 2 * seed + i, shape=(4, 500, 2), rho=0.6)) for i in range(2)]
        state = certified.state(both, np.random.default_rng(0))
        z.append(state["mean"] / state["sd"] * np.sqrt(float(state["n_effective"])))
    square = np.square(z).mean()
    # the worth is that of the worse parameter, so z is smaller than 1 by a little
    assert square == pytest.approx(1.0, abs=4 * np.sqrt(2 / np.size(z)))


def test_what_is_stored_is_found_by_its_data_and_judges(tmp_path):
    chosen = scenario("correlated-rho95")
    data = dataset(chosen, seed=0, rep=0)
    exact = reference(data)
    draws = exact.draw(40_000, np.random.default_rng(5))
    flat = np.concatenate([np.asarray(draws[p.name]).reshape(40_000, -1) for p in data.parameters], axis=1)
    file = tmp_path / "c.npz"
    stored.save(
        file, {data.digest: certified.state([Sampled("iid", flat.reshape(10, 4000, -1))], np.random.default_rng(0))}
    )
    stored.save(file, {"other": certified.state([Sampled("iid", chains(1))], np.random.default_rng(0))})
    found = reference(data, file)
    assert found.method.startswith("long run of iid (10 × 4000): worth ")
    for name in data.names:
        # five standard errors of a mean over 40 000 draws
        off = (np.asarray(found.mean[name]) - exact.mean[name]) / exact.sd[name]
        assert np.all(np.abs(off) < 5 / np.sqrt(found.n_effective))
    assert reference(dataset(chosen, seed=0, rep=1), file).method == exact.method
    assert {"other/mean", f"{data.digest}/mean"} <= set(stored.read(file))
    for damage in (b"", b"no archive", file.read_bytes()[:-30]):
        (tmp_path / "d.npz").write_bytes(damage)
        with pytest.raises(NoReference, match=r"d\.npz cannot be read"):
            reference(data, tmp_path / "d.npz")


@pytest.fixture
def own(tmp_path):
    shutil.copy(ROOT / "scenarios" / "correlated-rho95.toml", tmp_path / "mine.toml")
    return tmp_path


def certify(own, *args):
    with mock.patch("bench.measure.local.Local", InProcess):
        return in_process.run("reference", "mine.toml", *args, cwd=own, variables={"BENCH_BACKENDS": str(FAKES)})


def test_two_long_runs_are_stored_and_the_scenario_is_judged_by_them(own):
    long = ("--chains", "10", "--draws", "2000", "--warmup", "1")
    done = certify(own, "-b", "fake.exact", "-b", "fake.twin", *long)
    assert done.code == 0, done.out + done.err
    assert "which agree: worth" in done.out and 'file = "mine.reference.npz"' in done.out
    with (own / "mine.toml").open("a") as stream:
        stream.write('\n[reference]\nfile = "mine.reference.npz"\n')
    assert load(own / "mine.toml").digest == replace(load(own / "mine.toml"), reference={}).digest
    with mock.patch("bench.measure.local.Local", InProcess):
        ran = in_process.run(
            "run", "mine.toml", "-b", "fake.exact", "--reps", "1", "--name", "r", cwd=own,
            variables={"BENCH_BACKENDS": str(FAKES)},
        )  # fmt: skip
    assert ran.code == 0, ran.err
    assert (own / "results" / "r" / "scenarios" / "mine" / "mine.reference.npz").is_file()
    import bench

    metrics = bench.load(own / "results" / "r").metrics
    (worth,) = metrics[metrics["metric"] == "reference_draws"]["value"]
    assert 10_000 < worth < 60_000
    stored.save(own / "mine.reference.npz", {})
    stale = load(own / "mine.toml", {"priors.weights": {"uniform": [-0.1, 0.1]}})
    with pytest.raises(NoReference, match=r"mine\.reference\.npz has none of these data: make it again"):
        certified.reference_of(stale, dataset(stale, seed=0, rep=0))
    assert "b2_max" in set(metrics["metric"])


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("-b", "fake.exact", "-b", "fake.twin[bias=0.3]"), 3, "standard errors apart in"),
        (("-b", "fake.exact", "-b", "fake.exact[sleep=0.0]"), 2, "two samplers at least, not one with other options"),
        (("-b", "fake.exact"), 2, "two samplers at least"),
        (("-b", "fake.exact", "-b", "exact.posterior"), 2, "exact.posterior: a reference is made by samplers"),
        (("-b", "fake.exact", "-b", "fake.faulty[fault=exception]"), 3, "fake.faulty ended failed"),
        (("--draws", "0"), 2, "draws"),
    ],
)
def test_what_is_no_reference_is_said_and_nothing_is_stored(own, args, code, words):
    done = certify(own, *args, *(() if "--draws" in args else ("--chains", "10", "--draws", "1500", "--warmup", "1")))
    assert done.code == code, done.out + done.err
    assert words in done.out + done.err
    assert not list(own.glob("*.npz"))


def test_draws_of_another_program_are_taken_where_they_keep_the_rules(own):
    data = dataset(load(own / "mine.toml"), seed=0, rep=0)
    draws = reference(data).draw(20_000, np.random.default_rng(1))
    arrays = {name: np.asarray(values).reshape(10, 2000, *np.shape(values)[1:]) for name, values in draws.items()}
    np.savez(own / "mine.npz", **arrays)
    done = certify(own, "--from", "mine.npz", "--json")
    assert done.code == 0, done.out + done.err
    assert json.loads(done.out)["worth"][0] > 10_000
    with (own / "mine.toml").open("a") as stream:
        stream.write('\n[reference]\ndraws = "mine.npz"\n')
    named = load(own / "mine.toml")
    assert certified.reference_of(named, data).method.startswith("long run of mine.npz (10 × 2000): worth ")
    np.savez(own / "mine.npz", **{name: values[:, :900] for name, values in arrays.items()})
    with pytest.raises(NoReference, match=r"its own draws are no reference: all draws are worth"):
        certified.reference_of(named, data)
    np.savez(own / "bad.npz", **{**arrays, "sigma": arrays["sigma"][:, :, None]})
    assert "sigma has shape (10, 2000, 1), but it must be (chain, draw), alike" in certify(own, "--from", "bad.npz").err
    (own / "worse.npz").write_bytes(b"no archive")
    assert certify(own, "--from", "worse.npz").code == 2


@pytest.mark.parametrize(
    "line",
    [
        'file = "gone.npz"',
        'file = "../mine.npz"',
        'file = "mine.toml"',
        "file = 3",
        'draws = "mine.npz"',
        'other = "x"',
    ],
)
def test_a_reference_table_that_cannot_be_is_refused(own, line):
    with (own / "mine.toml").open("a") as stream:
        stream.write(f"\n[reference]\n{line}\n")
    with pytest.raises(UsageError, match=r"mine\.toml: reference"):
        load(own / "mine.toml")
