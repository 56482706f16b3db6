"""Fits of several machines: no absolute number mixes them, and ratios do not care how fast each is."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import hosts
from bench.analysis.contender import MANY
from bench.analysis.sections import sections
from bench.analysis.tables import RunTables, split
from bench.comparison.rows import Request
from bench.comparison.verdicts import compare
from bench.present import provenance
from bench.score.catalog import METRICS
from bench.store.manifest import Host
from bench.words.sentence import plain
from tests.analysis.test_sections import NUTS, OTHER

SLOW = 7.0
"""How many times as long everything takes on the other machine."""


def on_two(tables: RunTables, *, odd: str = "host-b") -> RunTables:
    """The run as if its even rounds were made on host-a, and its odd ones on a machine that is slower."""
    fits, metrics = tables.fits.copy(), tables.metrics.copy()
    away = fits["round"] % 2 == 1
    fits["host"] = np.where(away, odd, "host-a")
    timed = [c for c in fits if c.startswith("seconds_") and c != "seconds_until_end"]
    fits.loc[away, timed] *= SLOW
    keys = set(zip(fits[away].cell, fits[away].rep, strict=True))
    theirs = np.array([(c, r) in keys for c, r in zip(metrics.cell, metrics.rep, strict=True)])
    for unit, factor in (("s", SLOW), ("1/s", 1.0 / SLOW)):
        rows = theirs & metrics.metric.isin([n for n, m in METRICS.items() if m.unit == unit])
        metrics.loc[rows, "value"] *= factor
    run = replace_hosts(tables.run, "host-a", odd)
    return hosts.apart(replace(tables, run=run, fits=fits, metrics=metrics))


def replace_hosts(run, *names):
    run = copy.copy(run)
    run.hosts = {name: Host(cpu=f"cpu of {name}") for name in names}
    return run


def test_what_was_made_on_one_machine_is_as_it_was(make):
    tables = make((NUTS, OTHER))
    assert hosts.apart(tables) is tables
    one = replace(tables, fits=tables.fits.assign(host="host-a"))
    assert hosts.apart(one) is one and not hosts.sentence(one)


def test_ratios_are_those_of_equally_fast_machines_and_seconds_those_of_one(make):
    tables = make((NUTS, OTHER))
    mixed = on_two(tables)
    before, after = sections(tables)[0], sections(mixed)[0]
    for question, answer in before.verdict.answers.items():
        other = after.verdict.answers[question]
        assert (answer.state, answer.leader) == (other.state, other.leader)
        assert [r.value for r in answer.ratios.values()] == pytest.approx([r.value for r in other.ratios.values()])
        assert [r.rounds for r in answer.ratios.values()] == [r.rounds for r in other.ratios.values()]
    even = {c: t for c, t in split(replace(tables, fits=tables.fits[tables.fits["round"] % 2 == 0])).items()}
    for row in after.rows:
        alone = even[row.cell]
        assert row.warm == pytest.approx(float(alone.warm.seconds_total.median()))
        assert row.cold == pytest.approx(alone.phase("seconds_total", cold=True))
        per_rep = [v for rep, _, v in alone.by_rep("time_to_accuracy") if rep in set(alone.warm.rep)]
        if per_rep:
            assert row.to_target[MANY] == pytest.approx(np.median(per_rep))
    assert "rounds on 2 machines" in plain(after.verdict.how_sure)
    assert any("on host-b (cpu of host-b)" in line for line in provenance.warnings(mixed))


def test_a_contender_that_was_elsewhere_than_its_rivals_in_a_round_is_not_paired_in_it(make):
    tables = make((NUTS, OTHER, replace(NUTS, backend="third.nuts", seed=5)))
    fits = tables.fits.assign(host="host-a")
    strange = (fits["backend"] == OTHER.backend) & (fits["round"] == 2)
    fits.loc[strange, "host"] = "host-b"
    fits.loc[strange, "seconds_total"] *= 1000.0
    found = sections(hosts.apart(replace(tables, fits=fits)))[0].verdict.answers[MANY]
    rounds = tables.fits["round"].nunique()
    assert found.ratios[OTHER.backend].rounds == rounds - 1
    assert found.ratios[OTHER.backend].value < 500.0


def test_two_runs_whose_seconds_are_of_different_machines_are_not_compared_in_time(make):
    tables = make((NUTS, OTHER))
    for b, verdicts in ((on_two(tables), False), (on_two(tables, odd="host-c"), True)):
        rows = compare(on_two(tables), b, Request(metrics=("seconds_total", "b2_max"))).rows
        timed = {row.verdict for row in rows if row.metric == "seconds_total"}
        assert ("other-machine" in timed) == verdicts
        assert "other-machine" not in {row.verdict for row in rows if row.metric == "b2_max"}
    moved = on_two(tables)
    swapped = moved.fits.assign(host=moved.fits["host"].map({"host-a": "host-b", "host-b": "host-a"}))
    rows = compare(moved, replace(moved, fits=swapped), Request(metrics=("seconds_total",))).rows
    rows = [row for row in rows if row.metric == "seconds_total"]
    assert {row.verdict for row in rows} == {"other-machine"} and "host-a → host-b" in rows[0].reason
