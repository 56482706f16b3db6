"""What may be written after --fail-on and --threshold."""

import math

import pytest

from bench.comparison.expressions import check_cells, last, parse
from bench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "metric", "cells", "limit"),
    [
        ("seconds_total>10%", "seconds_total", "", math.log(1.1)),
        ("b2_avg>2x", "b2_avg", "", math.log(2)),
        ("b2_avg > 2.5 ×", "b2_avg", "", math.log(2.5)),
        ("ess_per_second<20%", "ess_per_second", "", -math.log(0.8)),
        ("ess_per_second<0.5x", "ess_per_second", "", math.log(2)),
        ("s4-linear/torch.*:seconds_total>20%", "seconds_total", "s4-linear/torch.*", math.log(1.2)),
        ("seconds_total@s4-*>1e1%", "seconds_total", "s4-*", math.log(1.1)),
        ("a[k=b:c]/d:seconds_total>10%", "seconds_total", "a[k=b:c]/d", math.log(1.1)),
        ("elpd<4", "elpd", "", 4.0),
        ("divergences>0.5", "divergences", "", 0.5),
        ("missing", "missing", "", math.inf),
        ("missing@s4-*", "missing", "s4-*", math.inf),
    ],
)
def test_what_is_allowed(text, metric, cells, limit):
    made = parse(text)
    assert (made.metric, made.cells) == (metric, cells)
    assert made.limit == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seconds_totl>10%", "did you mean seconds_total"),
        ("covered_90>10%", "known: b2_avg"),  # has no direction
        ("seconds_total", "says no limit; write seconds_total>10%"),
        ("seconds_total>10", "per cent or times? write seconds_total>10%"),
        ("seconds_total<10%", "better when lower; write seconds_total>10%"),
        ("ess_per_second>10%", "better when higher; write ess_per_second<10%"),
        ("seconds_total>0.5x", "must be above 1x"),
        ("seconds_total>0%", "must be above 1x"),
        ("ess_per_second<2x", "between 0x and 1x"),
        ("ess_per_second<100%", "between 0x and 1x"),
        ("elpd<10%", "compared as a difference, a number above 0 in nats; write elpd<1"),
        ("elpd>4", "better when higher"),
        ("missing>3", "stands alone"),
        ("status>1x", "always counts"),
        ("b2_avg>2x>3x", "cannot read"),
        ("a:b2_avg@c>2x", "cannot read"),
        ("b2_avg>two", "cannot read"),
        ("", "cannot read"),
    ],
)
def test_what_is_not_allowed_says_what_is(text, words):
    with pytest.raises(UsageError) as error:
        parse(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


CELL = ("0123abcd", "s4-linear[n_obs=10]", "torch.adam[lr=0.1]")


@pytest.mark.parametrize(
    ("glob", "covered"),
    [
        ("s4-linear*/torch.*", True),
        ("s4-linear[n_obs=10]", True),
        ("torch.adam[lr=0.1]", True),
        ("torch.adam[lr=0?1]", True),
        ("0123abcd", True),
        ("*", True),
        ("s4-linear", False),
        ("torch.adam", False),
        ("torch.adam[lrx]", False),  # brackets are part of a name, not a set of characters
        ("pyro.*", False),
    ],
)
def test_cells_are_named_by_id_scenario_backend_or_both(glob, covered):
    assert parse(f"{glob}:seconds_total>10%").covers(*CELL) == covered


def test_a_later_expression_overrides_an_earlier_one_where_it_applies():
    every, mine = parse("seconds_total>10%"), parse("torch.*:seconds_total>20%")
    assert last([every, mine], "seconds_total", *CELL) is mine
    assert last([every, mine], "seconds_total", "1", "s", "pyro.nuts") is every
    assert last([every, mine], "b2_avg", *CELL) is None


def test_a_glob_that_names_no_cell_is_a_mistake():
    with pytest.raises(UsageError, match=r"unknown cell 'torch.adm\*'; .*s4-linear"):
        check_cells([parse("torch.adm*:seconds_total>10%")], [CELL])
