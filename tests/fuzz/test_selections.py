"""Selections, sweeps, options, expressions and sizes that nobody meant to type."""

from __future__ import annotations

import json
import math

from hypothesis import strategies as st

from bench.catalog.backends import backend
from bench.catalog.places import backend_files, scenario_files
from bench.cli import options
from bench.comparison import expressions
from bench.errors import UsageError
from bench.plan import Choice, make
from bench.selection import expand, parse, sweeps
from tests.fuzz.inputs import EXTREMES, SELECTORS, VALUES, WORDS, spliced
from tests.fuzz.properties import fuzzed, outcome

EXPRESSIONS = [
    "seconds_total>10%", "b2_avg>2x", "ess_per_second<20%", "elpd<4", "s4-linear/torch.*:seconds_total>20%", "missing",
    "missing@s4-*", "seconds_total@torch.adam[lr=0.1]>1.5x", "status",
]  # fmt: skip
SIGNS = st.sampled_from(
    [">", "<", "@", ":", "%", "x", "1e999", "9" * 400, "*a" * 30, " " * 300, "\n", "[", "0", "-1", "٣"]
)
SIZES = ["500M", "4G", "1.5GiB", "1073741824", "0", "1e9", "4 G", "10T"]


@fuzzed(spliced(SELECTORS), quick=100, slow=600)
def test_a_selector_is_read_and_swept_or_refused(text):
    chosen = outcome(parse, text)
    if isinstance(chosen, UsageError):
        return
    outcome(expand, chosen, scenario_files(), "scenario")
    found = outcome(lambda: sum(1 for _ in sweeps(chosen.values)))
    assert isinstance(found, UsageError) or found >= 1


@fuzzed(spliced(SELECTORS), spliced(SELECTORS), quick=40, slow=600)
def test_a_plan_is_made_or_refused(scenario, contender):
    made = outcome(make, Choice(scenarios=[scenario], backends=[contender]))
    if not isinstance(made, UsageError):
        json.dumps(made.description(), allow_nan=False)
        assert len({p.cell.id for p in made.cells}) == len(made.cells)


@fuzzed(
    st.sampled_from(sorted(backend_files())),
    st.dictionaries(st.sampled_from(["lr", "steps", "chains", "draws", "guide", "space", "aot", "warmup"]), VALUES),
    quick=60,
    slow=300,
)
def test_options_of_a_backend_are_checked(name, given):
    checked = outcome(backend(name).validate, given)
    if not isinstance(checked, UsageError):
        json.dumps(checked, allow_nan=False)
        assert all(not isinstance(v, float) or math.isfinite(v) for v in checked.values())


@fuzzed(spliced(EXPRESSIONS, SIGNS), quick=60, slow=400)
def test_an_expression_is_read_or_refused(text):
    read = outcome(expressions.parse, text)
    if isinstance(read, UsageError):
        return
    assert read.limit > 0
    assert math.isfinite(read.limit) or read.metric == "missing"
    read.covers("abc", "s4-linear[n_obs=3]" * 20, "torch.adam[lr=0.1]" * 20)
    assert read.metric == "missing" or read.limit > 0


@fuzzed(spliced(SIZES, st.sampled_from(["9" * 400, "G", "i", "B", ".", "-", "e", "0", "٣", "\n"])), quick=30, slow=300)
def test_a_size_is_read_or_refused(text):
    found = outcome(options.size, text)
    assert isinstance(found, UsageError) or 2**20 <= found <= 2**60
    assert not isinstance(found, UsageError) or "--memory" in str(found)


@fuzzed(
    st.fixed_dictionaries(
        {},
        optional={
            "reps": st.integers() | EXTREMES.filter(lambda v: isinstance(v, int)),
            "rounds": st.integers(-3, 10**7),
            "seed": st.integers(),
            "threads": st.integers(),
            "track": WORDS,
            "device": WORDS,
            "dtype": WORDS,
            "budget": WORDS,
            "suite": WORDS,
            "scenario": st.lists(WORDS, max_size=2),
        },
    ),
    quick=40,
    slow=300,
)
def test_numbers_and_words_of_a_run_are_checked(chosen):
    asked = outcome(options.choice, chosen)
    if not isinstance(asked, UsageError):
        made = outcome(make, asked)
        assert isinstance(made, UsageError) or made.fits <= 10**6


@fuzzed(st.floats() | st.sampled_from([1e308, 5e-324]), quick=20, slow=100)
def test_seconds_are_checked(value):
    found = outcome(options.positive, "timeout", value)
    assert isinstance(found, UsageError) or 0 < found <= 1e9
