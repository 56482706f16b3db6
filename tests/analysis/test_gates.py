"""Every gate: what fails it is shown with the number, flagged and not ranked, in every format."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from bench.analysis.agreement import ALPHA, bounds
from bench.analysis.diagnostics import Diagnostic
from bench.analysis.sections import Report, report, sections
from bench.analysis.tables import RunTables
from bench.present import markdown
from bench.present.html import report as html
from bench.present.terminal import summary
from bench.score.agreement import agreement
from bench.stats.effective import ess, split
from bench.types import Array
from bench.words.sentence import plain
from tests.present.conftest import Fake

NUTS = Fake("numpyro.nuts", "mcmc", 0.12, 0.002, seed=2)
OTHER = Fake("pyro.nuts", "mcmc", 9.5, 0.0025, seed=3)
SVI = Fake("pyro.svi", "vi", 0.05, 0.002, seed=4)

FAILING: dict[str, tuple[Fake, dict[str, Any], str]] = {
    "r_hat": (NUTS, {"r_hat": 1.012}, "R-hat 1.012"),
    "ess": (NUTS, {"ess": 399.0}, "bulk ESS 399, 400 needed"),
    "ess per chain": (NUTS, {"ess": 799.0, "chains": 8}, "bulk ESS 799, 800 needed"),
    "nested r_hat": (NUTS, {"gates": {"r_hat_nested": 1.012}, "chains": 64}, "nested R-hat 1.012"),
    "ess of many": (NUTS, {"ess": 399.0, "gates": {"r_hat_nested": 1.001}, "chains": 64}, "bulk ESS 399, 400 needed"),
    "tail ess": (NUTS, {"gates": {"ess_tail": 300.0}}, "tail ESS 300, 400 needed"),
    "divergences": (NUTS, {"divergences": 2.0}, "120 of 60,000 draws diverged, more than 1 in 1,000"),
    "e_bfmi": (NUTS, {"gates": {"e_bfmi": 0.29}}, "E-BFMI 0.29"),
    "stuck": (NUTS, {"gates": {"stuck_parameters": 1.0}}, "1 parameters with a chain that never moves"),
    "off": (NUTS, {"z_bias": 2.0}, "answer off: Σz²"),
    "too close": (NUTS, {"z_scale": 0.3}, "Monte-Carlo errors too large"),
    "k_hat": (SVI, {"gates": {"k_hat": 0.71}}, "k-hat 0.71, below 0.7 needed, 90 % intervals that hold 39 % of"),
    "no log q": (SVI, {"gates": {"k_hat": None}}, "no k-hat: the density of q is not stated"),
    "lost": (SVI, {"gates": {"k_hat": None, "log_ratios_lost": 3.0}}, "3 draws of q on a bound of the support"),
}


def printed(found: Report) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(summary(found))
    return capture.get()


def every_format(found: Report) -> tuple[str, str, str]:
    """The page, the Markdown without backslashes, and what a terminal shows."""
    return html.render(found), markdown.render(found).replace("\\", ""), printed(found)


@pytest.mark.parametrize("gate", FAILING)
def test_what_fails_a_gate_is_shown_and_not_ranked(make: Callable[..., RunTables], undrawn: None, gate: str) -> None:
    healthy, changed, reason = FAILING[gate]
    found = report(make((dataclasses.replace(healthy, **changed), OTHER)))
    section = found.sections[0]
    row = next(r for r in section.rows if r.label == healthy.backend)
    assert row.state == "not converged" and reason in row.reason
    assert not row.to_target
    assert all(answer.leader == "pyro.nuts" for answer in section.verdict.answers.values())
    assert all(healthy.backend not in answer.best_group for answer in section.verdict.answers.values())
    assert any(healthy.backend in plain(line) and "did not converge" in plain(line) for line in section.verdict.why_not)
    for text in every_format(found):
        assert "not converged" in text and reason in text


def test_a_healthy_cell_of_each_kind_passes_every_gate(make: Callable[..., RunTables]) -> None:
    found = sections(make((NUTS, SVI)))[0]
    assert {r.label: (r.state, r.reason) for r in found.rows} == {"numpyro.nuts": ("met", ""), "pyro.svi": ("met", "")}


@pytest.mark.parametrize(("k_hat", "state"), [(0.699, "met"), (0.7, "not converged")])
def test_k_hat_is_judged_by_its_median(make: Callable[..., RunTables], k_hat: float, state: str) -> None:
    assert sections(make((dataclasses.replace(SVI, gates={"k_hat": k_hat}),)))[0].rows[0].state == state


def test_an_error_below_that_of_the_reference_is_not_certified(make: Callable[..., RunTables], undrawn: None) -> None:
    rough = dataclasses.replace(NUTS, gates={"reference_draws": 200.0})
    found = report(make((rough, OTHER)))
    assert found.sections[0].rows[0].b2_max == pytest.approx(0.002, rel=0.3)  # a mean of 15 chi-squares over 20
    for text in every_format(found):
        assert "< 0.0050" in text.replace("&lt;", "<")
    useless = sections(make((dataclasses.replace(NUTS, gates={"reference_draws": 99.0}),)))[0].rows[0]
    assert useless.state == "unchecked" and "worth 99 draws" in useless.reason


def test_without_a_reference_nothing_is_ranked(make: Callable[..., RunTables]) -> None:
    tables = make((NUTS,))
    rest = tables.metrics[~tables.metrics["metric"].isin(["b2", "b2_avg", "z", "z_effective", "z_effective_tail"])]
    row = sections(dataclasses.replace(tables, metrics=rest))[0].rows[0]
    assert (row.state, row.reason) == ("unchecked", "no reference posterior to be judged by")


def weighted(eigenvalues: Array, n: int, rng: np.random.Generator) -> Array:
    """n draws of Σz² for z ~ N(0, R), R with these eigenvalues."""
    total = np.zeros(n)
    for value, many in zip(*np.unique(eigenvalues, return_counts=True), strict=True):
        total += value * rng.chisquare(many, n)
    return total


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("size", [1, 5, 20])
@pytest.mark.parametrize("reps", [2, 15])
def test_bounds_hold_what_agreement_gives(rho: float, size: int, reps: int) -> None:
    eigenvalues = np.append(np.full(size - 1, 1.0 - rho), 1.0 + rho * (size - 1))
    low, high = bounds(*(reps * float((eigenvalues**power).sum()) for power in (1, 2, 3)), ALPHA)
    total = weighted(np.tile(eigenvalues, reps), 400_000, np.random.default_rng(size))
    # 20 false alarms are nominal on a side, sd 4.5; three moments are no whole distribution, hence another factor 2.
    assert np.sum(total > high) < 2 * 20 + 4 * 9 and np.sum(total < low) < 20 + 4 * 4.5
    assert np.sum(total > high) >= 2  # not so wide that nothing is ever flagged


def fits(n: int, size: int, rho: float, *, draws: int = 250, bias: float = 0.0) -> Array:
    """(fit, 4): Σz², size, tr R², tr R³ of fits of 4 chains of exact draws of a correlated normal, `bias` in MCSE."""
    rng, found = np.random.default_rng([size, draws]), []
    root = np.linalg.cholesky(np.full((size, size), rho) + (1.0 - rho) * np.eye(size))
    for _ in range(n):
        x = rng.standard_normal((4, draws, size)) @ root.T
        effective = ess(split(np.ascontiguousarray(np.moveaxis(x, -1, 0))))
        z = x.mean(axis=(0, 1)) / (x.std(axis=(0, 1), ddof=1) / np.sqrt(effective)) + bias
        nu, tail = agreement(x)
        second = size**2 / nu
        found.append((float((z**2).sum()), size, second, second**1.5 / tail**0.5))
    return np.array(found)


def alarms(found: Array, reps: int, trials: int) -> float:
    """Share of cells, made of fits drawn at random, outside their bounds."""
    rng, flagged = np.random.default_rng(0), 0
    for _ in range(trials):
        total, *cumulants = found[rng.integers(len(found), size=reps)].sum(axis=0)
        low, high = bounds(*cumulants)
        flagged += not low <= total <= high
    return flagged / trials


@pytest.mark.parametrize(("size", "rho", "reps", "bias"), [(4, 0.95, 5, 4.0), (20, 0.5, 2, 4.0), (20, 0.0, 15, 1.0)])
def test_healthy_fits_pass_and_a_bias_of_few_errors_is_caught(size: int, rho: float, reps: int, bias: float) -> None:
    # 300 fits recombined: the rate is 1e-4 to 5e-4 (see the slow test): one of 2000 cells on average, rarely 8.
    assert alarms(fits(300, size, rho), reps, 2000) < 0.004
    # Along the main direction the bias is 4 sd in a rep, 80 and 32 noncentral on χ²₅ and χ²₂ with bounds near 28 and
    # 20; of 300 independent z each Monte-Carlo error doubles Σz², which may vary by a third.
    assert alarms(fits(100, size, rho, bias=bias), reps, 200) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("size", "rho"), [(1, 0.0), (5, 0.5), (20, 0.0), (20, 0.5), (20, 0.95)])
def test_false_alarms_of_healthy_cells_are_near_nominal(size: int, rho: float) -> None:
    healthy = fits(2000, size, rho)
    for reps in (2, 5, 15):
        # ALPHA is 1e-4; the errors in z are estimates and cells share fits, which is worth a factor of 10 here.
        assert alarms(healthy, reps, 20_000) <= 10 * ALPHA, reps


def test_correlation_of_errors_is_not_that_of_draws() -> None:
    """A slow direction common to all scalars rules the errors of their means, though the draws hardly show it."""
    rng, size, draws = np.random.default_rng(7), 10, 2500
    slow = rng.standard_normal((4, draws))
    for t in range(1, draws):
        slow[:, t] = 0.95 * slow[:, t - 1] + np.sqrt(1 - 0.95**2) * slow[:, t]
    x = rng.standard_normal((4, draws, size)) + 0.4 * slow[..., None]
    # Variance of the mean: 1/S of the fast part, 0.16·(1.95/0.05)/S of the slow one: correlation 0.86, not 0.14.
    rho = 6.24 / 7.24
    truth = size**2 / (size + size * (size - 1) * rho**2)
    # Batches of 50 hold a fifth less of the slow variance; 200 of them leave 10 % of noise.
    assert agreement(x).effective == pytest.approx(truth, rel=0.25)
    assert size**2 / (np.corrcoef(x.reshape(-1, size).T) ** 2).sum() > 5 * truth


@pytest.mark.parametrize("size", [1, 3, 200])
def test_independent_scalars_all_count(size: int) -> None:
    x = np.random.default_rng(size).standard_normal((4, 1000, size))
    found = agreement(x)
    # More scalars than batches (200 against 124): noise in their correlations must not pass for agreement.
    assert found.effective == pytest.approx(size, rel=0.06) and found.tail == pytest.approx(size, rel=0.15)


def test_equal_scalars_count_once() -> None:
    x = np.random.default_rng(0).standard_normal((4, 1000, 1)) * np.ones(7)
    found = agreement(x)
    assert found.effective == pytest.approx(1.0, rel=0.05) and found.tail == pytest.approx(1.0, rel=0.1)


def test_bounds_of_independent_z_are_those_of_chi_square() -> None:
    low, high = bounds(30.0, 30.0, 30.0, ALPHA)
    np.testing.assert_allclose([low, high], stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], 30), rtol=1e-9)


def judged(tables: RunTables, **values: float) -> RunTables:
    """With rows of judged functions of numpyro.nuts: `p_joint` and so on across reps, `p_joint_3` of rep 3."""
    (key,) = tables.fits.loc[tables.fits["backend"] == "numpyro.nuts", "cell"].unique()
    rows = []
    for name, value in values.items():
        metric, _, rep = name.rpartition("_") if name[-1].isdigit() else (name, "", None)
        part = "correlation of weights[0] and weights[1]"
        row = {"cell": key, "rep": rep and float(rep), "metric": metric, "part": part, "value": value}
        rows.append({"run": "canned-1", "scenario": "s0-exponential", "backend": "numpyro.nuts", **row})
    return dataclasses.replace(tables, metrics=pd.concat([tables.metrics, pd.DataFrame(rows)], ignore_index=True))


def test_a_wrong_joint_distribution_is_named_with_its_numbers(make: Callable[..., RunTables]) -> None:
    known = {"judged_estimate": 0.02, "judged_reference": -0.91, "judged_error": 0.0104}
    off = judged(make((NUTS, OTHER)), p_joint=1e-9, **known)
    (row,) = [r for r in sections(off)[0].rows if r.label == "numpyro.nuts"]
    assert (row.state, row.reason) == (
        "not converged",
        "joint off: correlation of weights[0] and weights[1] 0.020, reference −0.910 (Monte-Carlo error 0.010)",
    )
    gate = gates_of(off, "numpyro.nuts")["joint against the reference"]
    assert (gate.key, gate.value, gate.limit) == ("agreement", "p 1.0e-9", "> 1.25e-5")
    fine = judged(make((NUTS, OTHER)), p_joint=2e-5, p_joint_3=0.5, **known)
    assert (
        sections(fine)[0].rows[0].state == "met" and gates_of(fine, "numpyro.nuts")["joint against the reference"].holds
    )


@pytest.mark.parametrize(("p", "holds"), [(1.3e-6, True), (1.2e-6, False)])
def test_a_single_rep_counts_with_how_many_there_are(make: Callable[..., RunTables], p: float, holds: bool) -> None:
    reps = {f"p_spread_{rep}": 1.0 for rep in range(10)} | {"p_spread_7": p}
    gate = gates_of(judged(make((NUTS,)), p_spread=1.0, **reps), "numpyro.nuts")["spread against the reference"]
    assert gate.holds == holds
    assert holds or gate.sentence.startswith("spread off in rep 7: correlation of weights[0] and weights[1], p 1.2e-5")


def gates_of(tables: RunTables, label: str) -> dict[str, Diagnostic]:
    return {g.name: g for _, row in report(tables).rows if row.label == label for g in row.diagnostics}


def in_one_rep(tables: RunTables, metric: str, value: float) -> RunTables:
    changed = tables.metrics.copy()
    changed.loc[(changed["metric"] == metric) & (changed["rep"] == 3), "value"] = value
    return dataclasses.replace(tables, metrics=changed)


@pytest.mark.parametrize(("one", "holds"), [(1.03, True), (1.06, False)])
def test_r_hat_is_shown_as_what_its_limits_are_about(
    make: Callable[..., RunTables], undrawn: None, one: float, holds: bool
) -> None:
    """One rep of 15 is higher: the median stays held against 1.01, the largest against 1.05."""
    tables = in_one_rep(make((NUTS, OTHER)), "r_hat", one)
    gates = gates_of(tables, "numpyro.nuts")
    median, largest = gates["R-hat, median over reps"], gates["R-hat, largest"]
    assert (median.value, median.limit, median.holds) == ("1.001", "< 1.01", True)
    assert (largest.value, largest.limit, largest.holds) == (f"{one:.3f}", "< 1.05", holds)
    page = html.render(report(tables)).replace("&lt;", "<")
    assert "R-hat, median over reps: 1.001 (needed: < 1.01)" in page
    assert f"R-hat, largest: {one:.3f} (needed: < 1.05)" in page
    assert ("R-hat 1.060" in page) != holds


@pytest.mark.parametrize(
    ("in_one", "value", "state"),
    [(0.0, "0 of 60,000 draws", "met"), (0.25, "1 of 60,000 draws", "met"), (15.0, "60 of 60,000 draws", "met"),
     (15.25, "61 of 60,000 draws", "not converged")],
)  # fmt: skip
def test_divergences_are_counted_over_all_reps_and_few_are_a_warning(
    make: Callable[..., RunTables], in_one: float, value: str, state: str
) -> None:
    """15 reps of 4,000 draws, all divergences in one of them; 1 in 1,000 of all is the most that is few."""
    tables = in_one_rep(make((NUTS, OTHER)), "divergences", in_one)
    row = next(row for _, row in report(tables).rows if row.label == "numpyro.nuts")
    gate = next(g for g in row.diagnostics if g.key == "divergences")
    assert (gate.value, gate.holds, row.state) == (value, state == "met", state)
    warned = f"{value} diverged, and the answer agrees with the reference" if 0 < in_one < 15.25 else ""
    assert row.warning == warned


FEW = dataclasses.replace(NUTS, divergences=0.5)
"""30 of 60,000 draws diverge."""


@pytest.mark.parametrize("changed", [{"z_bias": 2.0}, {"r_hat": 1.012}, {"gates": {"z_effective": None}}])
def test_few_divergences_object_where_nothing_shows_that_they_did_no_harm(
    make: Callable[..., RunTables], changed: dict[str, Any]
) -> None:
    row = report(make((dataclasses.replace(FEW, **changed), OTHER))).rows[-1][1]
    assert row.label == "numpyro.nuts" and row.state == "not converged"
    assert "30 of 60,000 draws diverged" in row.reason and not row.warning


def test_a_run_without_the_number_of_draws_states_a_rate(make: Callable[..., RunTables]) -> None:
    tables = make((FEW, OTHER))
    bare = dataclasses.replace(tables, metrics=tables.metrics[tables.metrics["metric"] != "draws"])
    assert report(bare).rows[0][1].warning.startswith("0.500 in 1,000 draws diverged")


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"divergences": 0.5}, "30 of 60,000 draws diverged, and the answer agrees with the reference"),
     ({"gates": {"treedepth_hits": 5.0}},
      "300 of 60,000 draws stopped at the largest tree depth: it costs time, not validity")],
)  # fmt: skip
def test_what_is_ranked_with_a_warning_says_so_everywhere(
    make: Callable[..., RunTables], undrawn: None, changed: dict[str, Any], words: str
) -> None:
    found = report(make((dataclasses.replace(NUTS, **changed), OTHER)))
    row = found.rows[0][1]
    assert (row.label, row.state, row.warning) == ("numpyro.nuts", "met", words)
    page, listed, shown = every_format(found)
    for text in (page, listed, shown):
        assert f"is ranked with a warning: {words}." in re.sub(r"</?strong>|<wbr>|\*\*|`", "", text)
    for text in (page, listed):
        assert "met target, with a warning" in text


def test_what_a_row_objects_to_is_what_its_reason_says(make: Callable[..., RunTables]) -> None:
    """No gate is lost or made up between the data and the sentence, whatever fails together."""
    many = dataclasses.replace(
        NUTS, r_hat=1.2, ess=50.0, divergences=3.0, gates={"e_bfmi": 0.1, "stuck_parameters": 1.0}
    )
    for fake in (many, *(dataclasses.replace(healthy, **changed) for healthy, changed, _ in FAILING.values())):
        row = next(r for _, r in report(make((fake,))).rows if r.label == fake.backend)
        failing = [g.sentence for g in row.diagnostics if not g.holds and g.key != "error"]
        assert row.reason == "; ".join(dict.fromkeys(failing))


def test_options_and_what_varies_are_values(make: Callable[..., RunTables]) -> None:
    fake = dataclasses.replace(
        SVI, options={"guide": "normal", "steps": 3000, "lr": 0.05, "hidden": [8, 8], "jit": True}
    )
    tables = make((fake,))
    written = "guide=normal,steps=3000,lr=0.05,hidden=[[8, 8]],jit=true"
    for options in (tables.fits["options"], written):
        (row,) = sections(dataclasses.replace(tables, fits=tables.fits.assign(options=options)))[0].rows
        expected = {**fake.options, "hidden": row.options["hidden"]}
        assert row.backend == "pyro.svi" and row.framework == "pyro" and row.options == expected
        assert row.variant == {} and row.run == ""
