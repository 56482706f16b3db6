"""Answers that cannot be answers: what draws and statistics may be, and what becomes of those that are not."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from bench.catalog.scenarios import scenario
from bench.cell import BUDGETS
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.measure.runtime import Runtime, facts
from bench.measure.statistics import STATISTICS, kept
from bench.measure.validity import checkpoints, complaint
from bench.types import Checkpoint, Estimate, Fit
from tests.conftest import FAKES
from tests.measure.inprocess import InProcess
from tests.measure.test_faults import plug_in

BUDGET = BUDGETS["quick"]
SHAPE = (BUDGET.chains, BUDGET.draws)


@pytest.fixture(scope="module")
def data():
    return dataset(scenario("correlated-rho95"), seed=0, rep=0)


def draws(data, shape=SHAPE, **changed):
    rng = np.random.default_rng(0)
    return {p.name: rng.uniform(0.5, 1.0, (*shape, *p.shape)) for p in data.parameters} | changed


BIAS = np.ones(SHAPE)


@pytest.mark.parametrize(
    ("bias", "words"),
    [
        (BIAS + 5j, "bias has values of type complex128"),
        (BIAS > 0, "bias has values of type bool"),
        (BIAS.astype(object), "bias has values of type object"),
        (BIAS.astype(str), "bias has values of type <U"),
        (np.ma.masked_array(BIAS, BIAS < 0), "bias is a masked array"),
        ([[1.0], [2.0, 3.0]], "bias is no array of numbers"),
        (BIAS.T, "parameters differ in (chain, draw)"),
        (BIAS.astype(int), ""),
        (BIAS.astype(np.float16), ""),
    ],
)
def test_draws_are_real_numbers(data, bias, words):
    text = complaint(Fit("mcmc", draws(data, bias=bias)), data, "mcmc", BUDGET)
    assert text.startswith(words) and bool(text) == bool(words)


@pytest.mark.parametrize(
    ("kind", "shape", "thinning", "words"),
    [
        ("mcmc", SHAPE, 1, ""),
        ("mcmc", SHAPE[::-1], 1, "(chain, draw) is (500, 4); the budget asks for 4 chains of 500 draws"),
        ("exact", (4, 499), 1, "(chain, draw) is (4, 499)"),
        ("mcmc", (4, 166), 3, ""),
        ("mcmc", (4, 500), 3, "every 3th kept"),
        ("vi", (1, 4000), 1, ""),
        ("point", (1, 1), 1, ""),
        ("point", (1, 2), 1, "a point is one chain of one draw"),
    ],
)
def test_there_are_as_many_draws_as_the_budget_asks_for(data, kind, shape, thinning, words):
    fit = Fit(kind, draws(data, shape), stats={"thinning": thinning})
    text = complaint(fit, data, kind, BUDGET)
    assert words in text and bool(text) == bool(words)
    assert complaint(fit, data, kind) == ("" if kind != "point" else text)  # who knows no budget asks for none


def test_moments_are_a_mean_and_an_sd_of_each_shape(data):
    name, shape = data.parameters[0].name, data.parameters[0].shape

    def of(moments):
        return complaint(Fit("vi", draws(data), moments=moments), data, "vi", BUDGET)

    assert of({name: (np.zeros(shape), np.ones(shape))}) == ""
    assert "have shapes" in of({name: (np.zeros(7), np.ones(shape))})
    assert "have shapes" in of({"nobody": (np.zeros(shape), np.ones(shape))})
    assert "an sd is below 0" in of({name: (np.zeros(shape), -np.ones(shape))})
    assert "no pair" in of({name: np.zeros(3)})


def test_checkpoints_of_other_shapes_or_without_numbers_are_complained_of(data):
    good = {p.name: np.zeros(p.shape) for p in data.parameters}

    def of(*estimates):
        return checkpoints([Checkpoint(i, 0.1, 1.0, e) for i, e in enumerate(estimates)], data)

    assert of(Estimate(good)) == of(Estimate(good, good, 1.0)) == ""
    assert "other names" in of(Estimate({"x": np.zeros(1)}))
    assert "not finite" in of(Estimate({**good, "sigma": np.array(np.nan)}))
    assert "an sd where others" in of(Estimate(good), Estimate(good, good))
    assert "an objective where others" in of(Estimate(good), Estimate(good, None, 1.0))
    assert "no number (Decimal)" in of(Estimate(good, None, Decimal(1)))


class Scalar:
    """What looks like a tensor."""

    def __repr__(self):
        return "tensor(5.)"


ODD = {
    "gradients": [
        ("many", "'many' is no number of at least 0"),
        (float("nan"), "nan is no finite number"),
        (2**63, "9223372036854775808 has more than 63 bits"),
        (-1, "-1 is no number of at least 0"),
        (Scalar(), "tensor(5.) (Scalar) is no number, text"),
        (True, "True is no number of at least 0"),
        (np.ones(SHAPE), "one value of the whole fit is asked for"),
        (np.ones(4), "is no number of at least 0"),
    ],
    "gradients_warmup": [(11, "11 of 10 gradients")],
    "diverging": [(3, "one value per draw"), (np.full(SHAPE, 2), "2000 of 2000 values are no flags"),
                  (np.zeros((*SHAPE, 2), bool), "one value per draw"), (np.zeros(SHAPE, "U1"), "an array of <U1")],
    "num_steps": [(np.full(SHAPE, -1), "no whole numbers of at least 0, the first -1"),
                  (np.full(SHAPE, 0.5), "no whole numbers"), (np.ones(3), "shape (3,)")],
    "energy": [(np.full(SHAPE, np.nan), "no finite numbers, the first nan")],
    "objective": [(3, "3 is no text")],
    "plug_in": [((1,), "[1] is no list of names")],
    "thinning": [(0, "0 is no number of at least 1"), (1.5, "1.5 is no whole number")],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), [(name, *case) for name, cases in ODD.items() for case in cases])
def test_a_statistic_that_scoring_reads_is_as_declared(name, value, words):
    assert name in STATISTICS
    text = kept({"gradients": 10, name: value}, SHAPE).complaint
    assert text.startswith(f"statistic {name}: ") and words in text


def test_statistics_that_nobody_reads_are_kept_in_a_defined_form_or_left_out_with_a_note():
    odd = {"object": object(), "infinite": np.inf, "big": 10**400, 3: {1}, "draw": 1.0, "text": np.array(["a"] * 4)}
    fine = {
        "zero_d": np.array(0.5), "per_chain": np.arange(4), "per_draw": np.ones(SHAPE), "more": np.ones((*SHAPE, 2)),
        "flag": np.bool_(True), "nothing": None, "words": ("a", "b"), "log_q": np.full(SHAPE, -np.inf),
    }  # fmt: skip
    result = kept({**odd, **fine}, SHAPE)
    assert result.complaint == ""
    assert result.scalars == {
        "zero_d": 0.5, "per_chain": [0, 1, 2, 3], "flag": True, "nothing": None, "words": ["a", "b"],
    }  # fmt: skip
    assert set(result.arrays) == {"per_draw", "more", "log_q"}
    assert [note.partition(":")[0] for note in result.notes] == [f"statistic {name!r}" for name in odd]
    assert all(note.endswith("it is not kept") for note in result.notes)


def test_a_phase_that_does_not_exist_is_refused():
    clock = WallClock()
    with pytest.raises(ValueError, match="no phase 'import'; phases are build"), clock("import"):
        pass


def test_what_a_runtime_cannot_say_is_noted():
    def broken():
        raise OSError("gone")

    odd = Runtime(versions=lambda: {"a": 1}, peak_device_bytes=broken, threads=lambda: "two")  # type: ignore[arg-type,dict-item,return-value]
    said = facts(odd)
    assert said[:3] == (None, {}, None)
    assert [note.partition("(")[0] for note in said.notes] == [
        "runtime.peak_device_bytes", "runtime.versions", "runtime.threads",
    ]  # fmt: skip


CONTENDER = """
from dataclasses import dataclass, replace
import numpy as np
from backends.fake import exact
from bench.data import family
from bench.types import Fit
KIND = "mcmc"
@dataclass(frozen=True)
class Options:
    odd: str = "none"
def build(data, budget, options, place):
    return budget, options.odd
def fit(program, data, seed, clock):
    draws = exact.fit((program[0], exact.Options()), data, seed, clock)
    if program[1] == "negative":
        clock.seconds["sample"] = -1.0
    moved = replace(data, arrays={**data.arrays, "x": 1.02 * data.arrays["x"]})
    z = family(data.family).unconstrain(data, draws)
    density = {name: family(data.family).log_density(d, z)[0] for name, d in (("right", data), ("scaled", moved))}
    return draws, program[1], density
def draw(state):
    draws, odd, density = state
    chains, count = draws["bias"].shape
    stats = {"gradients": 1000, "gradients_warmup": 500}
    if odd == "complex":
        draws["bias"] = draws["bias"] + 5j
    if odd == "no_fit":
        return draws
    extra = {
        "stats0d": {"step_size": np.array(0.1)}, "stats_per_chain": {"step_size": np.full(chains, 0.1)},
        "text": {"gradients": "many"}, "nan": {"gradients": np.nan}, "huge": {"gradients": 2**64},
        "flags": {"diverging": np.zeros(chains, bool)}, "strings": {"names": np.full((chains, count), "a")},
        "right": {"log_density": density["right"]}, "scaled": {"log_density": density["scaled"]},
    }.get(odd, {})
    return Fit("mcmc", draws, stats=stats | extra)
"""

ENDS = {
    "none": ("ok", ""),
    "stats0d": ("ok", ""),
    "stats_per_chain": ("ok", ""),
    "strings": ("ok", ""),
    "right": ("ok", ""),
    "scaled": ("invalid", "wrong target: the log density that the method states of its draws differs"),
    "complex": ("invalid", "unusable draws: bias has values of type complex128: real numbers are allowed"),
    "text": ("invalid", "unusable statistics: statistic gradients: 'many' is no number of at least 0"),
    "nan": ("invalid", "unusable statistics: statistic gradients: nan is no finite number"),
    "huge": ("invalid", "unusable statistics: statistic gradients: 18446744073709551616 has more than 63 bits"),
    "flags": ("invalid", "unusable statistics: statistic diverging: [False, False, False, False]; one value per draw"),
    "negative": ("invalid", "unusable seconds: phase sample took -1.0 s"),
    "no_fit": ("failed", "TypeError: draw() gave dict, not a Fit"),
}


def test_odd_answers_are_rows_that_name_them_and_cost_nobody_else_a_score(bench, tmp_path, monkeypatch):
    plug_in(tmp_path / "more", "odd", CONTENDER)
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}:{tmp_path / 'more'}")
    monkeypatch.setattr("bench.measure.local.Local", InProcess)
    contenders = [x for b in ("fake.exact", f"odd.one[odd=[{','.join(ENDS)}]]") for x in ("-b", b)]
    done = bench("run", "-s", "correlated-rho95", *contenders, "--reps", "1", "--name", "r")
    assert done.code == 3, done.err
    table = pd.read_csv(tmp_path / "results" / "r" / "fits.csv", keep_default_na=False)
    rows = {row.options.partition("=")[2]: row for row in table.itertuples()}
    for odd, (status, words) in ENDS.items():
        assert rows[odd].status == status and rows[odd].reason.startswith(words), (odd, rows[odd].reason)
    assert "statistic 'names': an array of <U1" in rows["strings"].notes
    metrics = pd.read_csv(tmp_path / "results" / "r" / "metrics.csv")
    assert metrics[metrics.metric == "b2_max"].cell.nunique() == 1 + sum(status == "ok" for status, _ in ENDS.values())
