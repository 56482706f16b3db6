"""What a section says of its cells: states, gates, definitions of the columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analysis.contender import MANY, ONCE, QUESTIONS
from bench.analysis.labels import label
from bench.analysis.seconds import times
from bench.analysis.sections import sections
from bench.analysis.tables import RunTables, split
from bench.words.sentence import plain
from tests.comparison.runs import with_facts
from tests.present.conftest import FAKES, Fake

NUTS = Fake("numpyro.nuts", "mcmc", 0.12, 0.002, seed=2)
OTHER = Fake("pyro.nuts", "mcmc", 9.5, 0.0025, seed=3)


def states(tables: RunTables) -> dict[str, str]:
    return {row.label: row.state for row in sections(tables)[0].rows}


def test_every_state(standard: RunTables):
    assert states(standard) == {
        "numpyro.nuts": "met", "pyro.nuts": "met", "pyro.svi[guide=normal]": "off target", "stan.nuts": "timeout",
        "blackjax.nuts": "unavailable", "sklearn.ols": "point", "torch.adam[objective=map]": "point",
        "torch.sgd": "failed", "exact.posterior": "reference",
    }  # fmt: skip


def test_fast_wrong_backend_is_named_and_not_chosen(standard: RunTables):
    found = sections(standard)[0].verdict
    assert found.state == "clear" and {a.leader for a in found.answers.values()} == {"numpyro.nuts"}
    assert any(plain(line).startswith("pyro.svi[guide=normal] takes 1.08 s for one fit and") for line in found.why_not)


def test_identical_twin_is_never_chosen(make: Callable[..., RunTables]):
    twin = dataclasses.replace(NUTS, backend="numpyro.twin", seed=12)
    found = sections(make((NUTS, twin)))[0].verdict
    assert found.state in ("equivalent", "no difference shown")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"r_hat": 1.012}, "R-hat 1.012"),
        ({"ess": 399.0}, "bulk ESS 399"),
        ({"divergences": 2.0}, "120 of 60,000 draws diverged"),
    ],
)
def test_failed_diagnostics_are_flagged_and_not_ranked(
    make: Callable[..., RunTables], changed: dict[str, Any], reason: str
):
    section = sections(make((dataclasses.replace(NUTS, **changed), OTHER)))[0]
    row = next(r for r in section.rows if r.label == "numpyro.nuts")
    assert row.state == "not converged" and reason in row.reason
    assert section.verdict.state == "only one" and section.answer(MANY).leader == "pyro.nuts"


def test_diagnostics_just_inside_pass(make: Callable[..., RunTables]):
    assert states(make((dataclasses.replace(NUTS, r_hat=1.0099, ess=400.0),))) == {"numpyro.nuts": "met"}


def test_r_hat_gate_is_wider_with_many_parameters_but_not_for_one_bad_rep(make: Callable[..., RunTables]):
    tables = make((dataclasses.replace(NUTS, r_hat=1.012),))
    r_hat = tables.metrics[tables.metrics["metric"] == "r_hat"]
    more = [r_hat.assign(part=f"weights[{i}]") for i in range(10, 30)]
    wide = dataclasses.replace(tables, metrics=pd.concat([tables.metrics, *more]))
    assert states(wide) == {"numpyro.nuts": "met"}
    bad = wide.metrics.copy()
    bad.loc[(bad["metric"] == "r_hat") & (bad["rep"] == 3), "value"] = 1.06
    assert "R-hat 1.060" in sections(dataclasses.replace(wide, metrics=bad))[0].rows[0].reason


def test_part_of_reps_is_not_ranked_and_says_why(make: Callable[..., RunTables]):
    broken = dataclasses.replace(NUTS, bad_reps=3, reason="NaN gradient")
    row = sections(make((broken, OTHER)))[0].rows[-1]
    assert row.state == "part of reps"
    assert row.reason == "12 of 15 reps finished; 3× failed: NaN gradient"


def test_b2_max_is_the_maximum_of_means_not_the_mean_of_maxima(standard: RunTables):
    row = next(r for r in sections(standard)[0].rows if r.label == "numpyro.nuts")
    mine = standard.metrics[(standard.metrics["backend"] == "numpyro.nuts") & (standard.metrics["metric"] == "b2")]
    by_hand = max(mine[mine["part"] == p]["value"].mean() for p in mine["part"].unique())
    assert row.b2_max == pytest.approx(by_hand, rel=1e-12)
    assert row.b2_interval is not None and row.b2_interval[0] < by_hand < row.b2_interval[1]


def test_stored_across_rep_value_wins(standard: RunTables):
    cell = standard.fits.loc[standard.fits["backend"] == "numpyro.nuts", "cell"].iloc[0]
    extra = pd.DataFrame([{"cell": cell, "rep": np.nan, "metric": "b2_max", "part": None, "value": 0.25}])
    tables = dataclasses.replace(standard, metrics=pd.concat([standard.metrics, extra]))
    assert states(tables)["numpyro.nuts"] == "off target"


def test_cold_and_warm_are_separate(standard: RunTables):
    row = next(r for r in sections(standard)[0].rows if r.label == "numpyro.nuts")
    fits = standard.fits[standard.fits["backend"] == "numpyro.nuts"]
    assert row.warm == np.median(fits.loc[~fits["cold"], "seconds_total"])
    assert row.cold == np.median(fits.loc[fits["cold"], "seconds_total"])
    assert row.once == np.median((fits["seconds_total"] + fits["seconds_import"]).dropna()) == row.cold + 1.0
    assert row.whole == {ONCE: row.once, MANY: row.warm}
    assert row.compile == 4.4


def test_times_to_the_target_or_of_the_whole_fit(make: Callable[..., RunTables]):
    known = sections(make((NUTS, OTHER)))[0]
    unknown = sections(make((NUTS, OTHER), per_rep_times=False))[0]
    assert "to the target" in plain(known.verdict.sentence) and not known.finish
    assert "for a whole fit, which ends within the target" in plain(unknown.verdict.sentence)
    assert unknown.finish == {ONCE, MANY}
    row, again = known.rows[0], unknown.rows[0]
    # The canned time to the target is 0.6 of the fit, and the import a second.
    whole = {q: np.median(list(times(again.tables, q, again.score, finish=True).values())) for q in QUESTIONS}
    assert row.to_target == pytest.approx({ONCE: 1.0 + 0.6 * (whole[ONCE] - 1.0), MANY: 0.6 * whole[MANY]})
    assert again.to_target == {} and unknown.seconds(again, MANY) == again.warm
    assert row.prorated and known.modelled(row, ONCE) and not unknown.modelled(again, ONCE)


def test_once_is_paired_by_round_with_the_import_before_it(make: Callable[..., RunTables]):
    tables = make((dataclasses.replace(NUTS, compile=4.0, importing=2.0), OTHER))
    section = sections(tables)[0]
    fits = tables.fits[tables.fits["cold"]].set_index(["backend", "round"])["seconds_total"]
    ours = {r: 2.0 + 4.0 + 0.6 * (fits["numpyro.nuts", r] - 4.0) for r in range(5)}
    theirs = {r: 1.0 + 0.6 * fits["pyro.nuts", r] for r in range(5)}
    by_hand = np.exp(np.mean([np.log(theirs[r] / ours[r]) for r in range(5)]))
    ratio = section.answer(ONCE).ratios["pyro.nuts"]
    assert ratio.value == pytest.approx(by_hand, rel=1e-9) and ratio.paired and ratio.rounds == 5


def test_a_round_whose_compile_was_reused_has_no_seconds_of_one_fit(make: Callable[..., RunTables]):
    tables = make((NUTS, OTHER))
    reused = (tables.fits["backend"] == "numpyro.nuts") & tables.fits["cold"] & (tables.fits["round"] > 0)
    section = sections(dataclasses.replace(tables, fits=tables.fits.assign(
        seconds_total=tables.fits["seconds_total"].where(~reused))))[0]  # fmt: skip
    assert set(times(section.rows[0].tables, ONCE, section.rows[0].score, finish=False)) == {0}
    assert (section.answer(ONCE).state, section.answer(MANY).state) == ("not enough", "clear")


def test_time_across_reps_is_spread_over_rounds_as_the_seconds_are(make: Callable[..., RunTables]):
    tables = make((NUTS, OTHER), per_rep_times=False)
    cells = tables.fits.drop_duplicates("cell").set_index("backend")["cell"]
    extra = [
        {"cell": cells[name], "rep": np.nan, "metric": f"time_to_accuracy{kind}", "part": "", "value": seconds}
        for name, seconds in (("numpyro.nuts", 0.05), ("pyro.nuts", 3.0)) for kind in ("", "_cold")
    ]  # fmt: skip
    section = sections(dataclasses.replace(tables, metrics=pd.concat([tables.metrics, pd.DataFrame(extra)])))[0]
    assert not section.finish
    # Rounds scatter by 2 %, so medians of them and of all reps agree within a few per cent.
    assert section.rows[0].to_target == pytest.approx({ONCE: 1.05, MANY: 0.05}, rel=0.05)
    cell = section.rows[1].tables
    whole, part = (times(cell, MANY, section.rows[1].score, finish=finish) for finish in (True, False))
    assert [part[r] / whole[r] for r in whole] == pytest.approx([3.0 / (section.rows[1].warm or 0)] * 5)
    assert section.answer(MANY).ratios["pyro.nuts"].value == pytest.approx(60, rel=0.1)


def test_tracks_never_share_a_table(standard: RunTables):
    both = standard.fits.copy()
    both.loc[both["backend"] == "pyro.nuts", "track"] = "defaults"
    found = sections(dataclasses.replace(standard, fits=both))
    assert [s.title for s in found] == [
        "s0-exponential (the same settings for all)", "s0-exponential (each framework's own defaults)"
    ]  # fmt: skip
    assert [r.label for r in found[1].rows] == ["pyro.nuts"]


def test_loaded_machine_is_not_trusted(make: Callable[..., RunTables]):
    assert sections(make((NUTS, OTHER), load=3.1))[0].verdict.state == "not trusted"
    assert sections(make((NUTS, OTHER), load=2.4))[0].verdict.state == "clear"


def test_what_varies_is_in_the_label(make: Callable[..., RunTables]):
    tables = make((NUTS,))
    named = {name: getattr(tables, name) for name in ("fits", "metrics", "curves")}
    frames = {name: pd.concat([frame, frame.assign(cell="other")]) for name, frame in named.items()}
    frames["fits"].loc[frames["fits"]["cell"] == "other", "dtype"] = "float32"
    found = sections(dataclasses.replace(tables, **frames))[0]
    assert sorted(r.label for r in found.rows) == ["numpyro.nuts float32", "numpyro.nuts float64"]


@pytest.mark.parametrize(
    ("options", "text"),
    [("", "a.b"), ("{}", "a.b"), (None, "a.b"), ('{"lr": 0.1, "guide": "delta"}', "a.b[lr=0.1,guide=delta]"),
     ('[["lr", 0.1]]', "a.b[lr=0.1]"), ("lr=0.1", "a.b[lr=0.1]"), ({"jit": True}, "a.b[jit=true]")],
)  # fmt: skip
def test_labels(options: object, text: str):
    assert label(pd.Series({"backend": "a.b", "options": options})) == text


def test_cells_keep_the_order_of_the_plan(standard: RunTables):
    assert [str(t.fits["backend"].iloc[0]) for t in split(standard).values()] == [f.backend for f in FAKES]


@pytest.mark.parametrize(
    ("share", "hit", "load", "says"),
    [
        (0.02, 1.0, 9.0, ""),  # measured and quiet, whatever the load average says
        (0.4, 1.0, 0.1, "others had up to 40 % of the CPUs' time during"),
        (0.4, 0.15, 0.1, ""),
        (None, 1.0, 9.0, "load average up to 9.0 on 4 CPUs during"),
        (None, 1.0, 0.1, ""),
    ],
)
def test_a_disturbed_machine_gives_no_verdict(standard: RunTables, share, hit, load, says):
    fits = standard.fits.copy()
    fits["load_average"] = load
    if share is not None:
        first = np.arange(len(fits)) < hit * len(fits)
        fits["disturbance"] = np.where(first, share, 0.0)
    tables = dataclasses.replace(with_facts(standard, host={"logical_cpus": 4}), fits=fits)
    sentence = plain(sections(tables)[0].verdict.sentence)
    assert (says in sentence) if says else "No verdict" not in sentence
