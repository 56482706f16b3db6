"""What figures draw, against closed forms, brute force, textbook tables and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.analysis.labels import scenario_of
from bench.analysis.sections import Section, sections
from bench.analysis.tables import RunTables
from bench.present.figures import labels, parameter_forest, spec
from bench.present.figures.answers import NORMAL, parts
from bench.present.figures.pareto import front, over_rounds
from bench.present.figures.profile import profile, seconds_by_backend
from bench.present.figures.samplers import samplers_figure, yields
from bench.present.figures.scaling import scaling_figures
from bench.present.figures.seeds import dots
from bench.present.figures.solved import TARGETS, solved
from bench.present.figures.steps import ecdf
from bench.present.figures.style import styles
from bench.present.figures.sweeps import costs, points, seconds, sweeps
from bench.present.figures.ways import course, ways
from bench.stats import slopes
from bench.stats.settling import settled
from tests.present.conftest import FAKES, Fake

Make = Callable[..., RunTables]
PAIR = (Fake("a.nuts", "mcmc", 0.1, 0.002, seed=1), Fake("b.nuts", "mcmc", 0.4, 0.002, seed=2))


@pytest.fixture(scope="module")
def section(standard: RunTables) -> Section:
    return sections(standard)[0]


def test_ecdf_of_five_known_times_of_eight_asked():
    assert ecdf([1.0, 2.0, 2.0, 5.0, 9.0], 8) == [(1.0, 1 / 8), (2.0, 3 / 8), (5.0, 4 / 8), (9.0, 5 / 8)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ([0.5, 0.05, 0.009, 0.004], 3.0),
        ([0.5, 0.009, 0.05, 0.004], 4.0),  # it left the target again: the last crossing counts
        ([0.001, 0.001, 0.001, 0.001], 1.0),
        ([0.5, 0.05, 0.004, 0.01], math.inf),  # 0.01 is not below 0.01
        ([0.5, 0.05, 0.004, math.nan], math.inf),
    ],
)
def test_solved_from_the_second_on_after_which_it_stays(error: list[float], expected: float):
    first = settled(np.array(error), 0.01)
    assert (math.inf if first is None else [1.0, 2.0, 3.0, 4.0][first]) == expected


def test_solved_counts_failures_and_leaves_out_what_does_not_apply(make: Make):
    tables = make(FAKES, scenarios=("one", "two"))
    found = solved(sections(tables), warm=True)
    warm = 2 * 10 * len(TARGETS)  # two scenarios, five rounds of two warm reps
    assert set(found) == {"numpyro.nuts", "pyro.nuts", "pyro.svi[guide=normal]", "stan.nuts"}  # no point, no exact
    assert {one.total for one in found.values()} == {warm}
    assert len(found["numpyro.nuts"].times) == warm
    assert (found["stan.nuts"].share, found["stan.nuts"].ends) == (0.0, [])  # timed out: asked, never solved
    assert found["pyro.svi[guide=normal]"].share == 0.0  # its error of 0.2 is above every target
    first = min(found["numpyro.nuts"].times)
    curves = tables.curves[(tables.curves["backend"] == "numpyro.nuts") & (tables.curves["rep"] % 3 != 0)]
    assert first == curves.loc[curves["value"] < 0.1, "seconds"].min()


def test_unconverged_fits_solve_nothing(make: Make):
    tables = make((PAIR[0], Fake("b.nuts", "mcmc", 0.1, 0.002, r_hat=1.2, seed=2)))
    found = solved(sections(tables), warm=True)
    assert found["b.nuts"].times == [] and found["b.nuts"].total == found["a.nuts"].total > 0
    assert found["a.nuts"].share == 1.0


def test_profile_of_a_textbook_table():
    """Three solvers on four problems by hand: one fails a problem, one problem does not apply to a solver."""
    inf = math.inf
    times = {
        "a": {"p1": 1.0, "p2": 4.0, "p3": 3.0, "p4": inf},
        "b": {"p1": 2.0, "p2": 2.0, "p3": inf, "p4": 10.0},
        "c": {"p1": 3.0, "p2": 2.0, "p3": 9.0},
    }
    found = profile(times)
    assert found["a"] == [(1.0, 2 / 4), (2.0, 3 / 4)]
    assert found["b"] == [(1.0, 2 / 4), (2.0, 3 / 4)]
    assert found["c"] == [(1.0, 1 / 3), (3.0, 3 / 3)]


def test_profile_of_a_scenario_that_nobody_solved_counts_against_all():
    found = profile({"a": {"p": 1.0, "q": math.inf}, "b": {"p": 2.0, "q": math.inf}})
    assert found == {"a": [(1.0, 0.5)], "b": [(1.0, 0.0), (2.0, 0.5)]}


def test_profile_is_of_the_seconds_to_the_target_of_what_is_ranked(make: Make):
    found = seconds_by_backend(sections(make(FAKES)))
    assert set(found) == {"numpyro.nuts", "pyro.nuts", "pyro.svi[guide=normal]", "stan.nuts"}
    assert found["stan.nuts"] == {"s0-exponential": math.inf}
    assert found["numpyro.nuts"]["s0-exponential"] == pytest.approx(0.6 * 0.12, rel=0.05)  # as made, times noise


def test_slope_of_an_exact_power_law():
    points = [(n, 3.0 * n**1.5) for n in (10.0, 100.0, 1000.0)]
    line = slopes.slope(points)
    assert (line.slope, line.low, line.high) == pytest.approx((1.5, 1.5, 1.5), abs=1e-12)
    assert line.at(50.0) == pytest.approx(3.0 * 50.0**1.5, rel=1e-12)
    assert slopes.slope(points[:2]).high == math.inf  # two points leave nothing to tell the error by
    with pytest.raises(ValueError, match="two sizes"):
        slopes.slope([(10.0, 1.0), (10.0, 2.0)])


def test_slope_has_the_interval_of_another_library():
    rng = np.random.default_rng(0)
    x = np.repeat([10.0, 100.0, 1000.0, 1e4], 3)
    y = 0.1 * x**0.7 * np.exp(0.2 * rng.standard_normal(12))
    line, other = slopes.slope(list(zip(x, y, strict=True))), stats.linregress(np.log(x), np.log(y))
    reach = stats.t.ppf(0.975, 10) * other.stderr
    assert (line.slope, line.low, line.high) == pytest.approx(
        (other.slope, other.slope - reach, other.slope + reach), rel=1e-10
    )


def test_crossing_of_two_known_lines():
    sizes = (10.0, 100.0, 1000.0)
    found = slopes.crossing([(n, 1.0 * n**0.5) for n in sizes], [(n, 0.01 * n**1.5) for n in sizes])
    assert found is not None and found.interval is not None
    assert (found.size, *found.interval) == pytest.approx((100.0, 100.0, 100.0), rel=1e-9)  # n^0.5 = 0.01 n^1.5


def test_no_crossing_outside_the_sizes_or_of_parallels():
    sizes = (10.0, 100.0, 1000.0)
    one = [(n, n**0.5) for n in sizes]
    assert slopes.crossing(one, [(n, 1e-6 * n**1.5) for n in sizes]) is None  # would cross at a million
    assert slopes.crossing(one, [(n, 2.0 * n**0.5) for n in sizes]) is None
    with pytest.raises(ValueError, match="paired"):
        slopes.crossing(one, [(n, n) for n in (10.0, 100.0, 2000.0)])


def test_interval_of_a_crossing_covers_as_often_as_it_says():
    rng, held, n = np.random.default_rng(1), 0, 1000
    x = np.repeat([10.0, 100.0, 1000.0, 1e4], 3)
    for _ in range(n):
        one = x**0.3 * np.exp(0.2 * rng.standard_normal(12))
        other = 300.0**-0.7 * x * np.exp(0.2 * rng.standard_normal(12))  # they cross at 300
        found = slopes.crossing(list(zip(x, one, strict=True)), list(zip(x, other, strict=True)))
        assert found is not None and found.interval is not None
        held += found.interval[0] <= 300.0 <= found.interval[1]
    assert abs(held / n - 0.95) < 4 * math.sqrt(0.95 * 0.05 / n)  # four binomial standard errors


def test_crossing_that_noise_does_not_bound_says_so():
    sizes, noise = (10.0, 100.0, 1000.0), (0.5, -0.6, 0.2)  # a slope of −0.07 ± 0.3
    found = slopes.crossing([(n, 1.0) for n in sizes], [(n, math.exp(d)) for n, d in zip(sizes, noise, strict=True)])
    assert found is not None and found.interval is None


def test_front_is_that_of_brute_force():
    rng = np.random.default_rng(2)
    for _ in range(50):
        points = {f"b{i}": (float(rng.integers(1, 9)), float(rng.integers(1, 9))) for i in range(9)}
        dominated = {
            a
            for a, (cost, error) in points.items()
            for c, e in points.values()
            if c <= cost and e <= error and (c, e) != (cost, error)
        }
        assert set(front(points)) == set(points) - dominated


def test_interval_over_rounds_is_students():
    values, rounds = np.array([1.0, 1.2, 2.0, 2.2, 1.5, 1.5]), np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    logs = np.log([1.1, 2.1, 1.5])
    expected = stats.t.interval(0.95, 2, loc=logs.mean(), scale=stats.sem(logs))
    assert over_rounds(values, rounds, trim=True) == pytest.approx(np.exp(expected), rel=1e-10)
    assert over_rounds(values[:4], rounds[:4], trim=True) is None  # two rounds


@pytest.mark.parametrize(
    ("label", "name", "found"),
    [
        ("s4-linear", "s4-linear", {}),
        ("s4-linear[n_obs=100]", "s4-linear", {"n_obs": 100}),
        ("s4[n_obs=1e3,weights=[1.0, 2.0],noise=0.5]", "s4", {"n_obs": 1000.0, "weights": [1.0, 2.0], "noise": 0.5}),
        ("s4[features=correlated,n_obs=7]", "s4", {"features": "correlated", "n_obs": 7}),
    ],
)
def test_overrides_are_read_from_labels(label: str, name: str, found: dict[str, object]):
    assert scenario_of(label) == (name, found)


def test_sweeps_hold_what_differs_in_one_number(make: Make):
    names = ("a[n_obs=10]", "a[n_obs=100]", "a[n_obs=10,n_features=3]", "b[n_obs=10]", "a")
    found = sweeps(sections(make(PAIR, scenarios=names)))
    assert [(s.name, s.key, s.sizes) for s in found] == [("a", "n_obs", [10.0, 100.0])]
    times = points(found[0], seconds)
    assert set(times) == {"a.nuts", "b.nuts"} and len(times["a.nuts"]) == 10  # two sizes, five rounds


def test_sweeps_of_an_option_are_series_without_it(make: Make):
    cells = [(name, n) for name in ("a.nuts", "b.nuts") for n in (4, 16)]
    fakes = [Fake(name, "mcmc", 0.1, 0.002, seed=n, options={"chains": n}) for name, n in cells]
    found = sweeps(sections(make((*fakes, *PAIR), scenarios=("one",))))
    assert [(s.name, s.key, s.sizes) for s in found] == [("one", "chains", [4.0, 16.0])]
    assert found[0].style == {"a.nuts": "a.nuts[chains=4]", "b.nuts": "b.nuts[chains=4]"}


def test_a_gradient_stands_beside_what_memory_allows(make: Make):
    """Of a machine that reads the smaller data in 1 ms and the larger in 10 ms."""
    tables = make(PAIR, scenarios=("a[n_obs=10]", "a[n_obs=100]"))
    rows = []
    for _, fit in tables.fits[~tables.fits["cold"]].iterrows():
        key, reading = {k: fit[k] for k in ("run", "cell", "scenario", "backend", "rep")}, 1e-4 * _size(fit["scenario"])
        for metric, value in (("seconds_per_gradient", 4 * reading), ("roofline", 0.25)):
            rows.append({**key, "metric": metric, "part": "", "value": value})
    metrics = pd.concat([tables.metrics, pd.DataFrame(rows)], ignore_index=True)
    of = sections(RunTables(tables.run, tables.fits, metrics, tables.curves))
    cost = next(f for f in scaling_figures(of, styles(of)) if f.kind == "cost-n-obs")
    grey = next(layer for layer in cost.spec["layer"] if layer["mark"].get("strokeWidth") == 3)
    assert [(v["x"], v["y"]) for v in grey["data"]["values"]] == [(10.0, 0.001), (100.0, 0.01)]
    assert points(sweeps(of)[0], costs)["a.nuts"][0] == (10.0, pytest.approx(0.004))


def _size(scenario: str) -> float:
    return float(scenario_of(scenario)[1]["n_obs"])


def test_course_is_medians_and_quantiles_over_reps(standard: RunTables, section: Section):
    row = next(r for r in section.rows if r.label == "numpyro.nuts")
    way = course(row, ways(row), "warm")
    curves = standard.curves[(standard.curves["backend"] == "numpyro.nuts") & (standard.curves["rep"] % 3 != 0)]
    by_step = curves.groupby("step")
    assert way is not None and way.low is not None
    assert way.x == pytest.approx(by_step["seconds"].median().to_numpy())
    assert way.y == pytest.approx(by_step["value"].median().to_numpy())
    assert way.low == pytest.approx(by_step["value"].quantile(0.05).to_numpy())
    assert way.reps == []
    cold = course(row, ways(row), "cold")  # five cold reps: a band too
    assert cold is not None and cold.x[0] > 4.4  # its compile seconds come first


def test_fewer_than_five_reps_are_drawn_each(make: Make):
    row = sections(make(PAIR, rounds=2, reps=3))[0].rows[0]
    way = course(row, ways(row), "warm")
    assert way is not None and way.low is None and len(way.reps) == 4


def test_reps_that_stop_at_different_steps_keep_their_last_answer(make: Make):
    tables = make(PAIR[:1], rounds=1, reps=3)
    curves = tables.curves[~((tables.curves["rep"] == 1) & (tables.curves["step"] > 10))]
    row = sections(RunTables(tables.run, tables.fits, tables.metrics, curves))[0].rows[0]
    way = course(row, ways(row), "warm")
    last = {rep: curves[curves["rep"] == rep]["value"].to_numpy()[-1] for rep in (1, 2)}
    assert way is not None and len(way.x) == 25
    assert way.end[1] == pytest.approx((last[1] + last[2]) / 2)
    assert way.y[-1] == pytest.approx(way.end[1])


def test_parameters_come_back_from_what_is_stored(make: Make):
    tables = make(PAIR[:1], rounds=1, reps=2)
    key = {k: tables.metrics[k].iloc[0] for k in ("run", "cell", "scenario", "backend")}
    # the backend's N(2.0, 0.3²) against a reference N(1.5, 0.5²) with truth 1.0
    stored = {"mean_error_sd": 1.0, "sd_ratio_log": math.log(0.6), "sd": 0.3, "recovery_error": 1.0}
    rows = [{**key, "rep": 0, "metric": m, "part": "bias", "value": v} for m, v in stored.items()]
    one = parts(_rows(tables, rows), 0)[0]
    assert one.truth == pytest.approx(-1.0) and one.error == 1.0  # (1.0 − 1.5) / 0.5
    centre, edges = one.backends["a.nuts"]
    assert centre == 1.0 and edges == pytest.approx([1.0 + 0.6 * z for z in NORMAL])
    assert not one.exact
    levels = {"q05_sd": -0.1, "q25_sd": 0.5, "q75_sd": 1.4, "q95_sd": 2.6}
    both = levels | {f"reference_{k}": 2 * v for k, v in levels.items()}
    rows += [{**key, "rep": 0, "metric": m, "part": "bias", "value": v} for m, v in both.items()]
    one = parts(_rows(tables, rows), 0)[0]
    assert one.exact and one.backends["a.nuts"][1] == (-0.1, 0.5, 1.4, 2.6)
    assert one.reference == (-0.2, 1.0, 2.8, 5.2)


def _rows(tables: RunTables, more: list[dict[str, object]]) -> tuple:
    metrics = pd.concat([tables.metrics, pd.DataFrame(more)], ignore_index=True)
    return sections(RunTables(tables.run, tables.fits, metrics, tables.curves))[0].rows


def test_worst_parameters_come_first_and_the_others_are_counted(make: Make):
    tables = make(PAIR, rounds=1, reps=2)
    rows = []
    for _, first in tables.metrics.drop_duplicates("cell").iterrows():
        key = {k: first[k] for k in ("run", "cell", "scenario", "backend")}
        for i in range(30):
            for metric, value in (("mean_error_sd", i / 10), ("sd_ratio_log", 0.0)):
                rows.append({**key, "rep": 0, "metric": metric, "part": f"weights[{i}]", "value": value})
    metrics = pd.concat([tables.metrics, pd.DataFrame(rows)], ignore_index=True)
    section = sections(RunTables(tables.run, tables.fits, metrics, tables.curves))[0]
    figure = parameter_forest(section, {})
    assert figure is not None
    names = [
        v["text"] for layer in figure.spec["layer"] for v in layer["data"]["values"] if "weights" in v.get("text", "")
    ]
    assert names[0] == "weights[29]" and names == sorted(names, reverse=True)
    assert f"{30 - len(names)} parameters with a smaller error are not drawn" in figure.caption
    assert "mean ± 0.67 and 1.64 sd" in figure.caption


def test_every_warm_fit_is_a_dot(section: Section, standard: RunTables):
    row = next(r for r in section.rows if r.label == "pyro.nuts")
    fits = standard.fits[(standard.fits["backend"] == "pyro.nuts") & ~standard.fits["cold"]]
    assert sorted(t for _, t in dots(row, medians=False)) == sorted(fits["seconds_total"])
    assert dict(dots(row, medians=True)) == pytest.approx(fits.groupby("round")["seconds_total"].median().to_dict())


def test_labels_keep_their_distance_and_move_least():
    domain, height = (1e-3, 10.0), 270
    rng = np.random.default_rng(3)
    for n in (1, 2, 9, 14):
        ends = {f"b{i}": float(v) for i, v in enumerate(10 ** rng.uniform(-2.9, 0.9, n))}
        places = labels.spread(ends, domain, height)
        pixels = {k: height * math.log(v / domain[0]) / math.log(domain[1] / domain[0]) for k, v in places.items()}
        at = sorted(pixels.values())
        assert all(b - a >= labels.LINE - 1e-6 for a, b in itertools.pairwise(at))
        assert at[0] >= -1e-6 and at[-1] <= height + 1e-6
        assert sorted(ends, key=ends.__getitem__) == sorted(places, key=places.__getitem__)
    far = {"a": 0.01, "b": 1.0}
    assert labels.spread(far, domain, height) == pytest.approx(far)  # nothing to move
    near = labels.spread({"a": 0.1, "b": 0.1 * (1 + 1e-9)}, domain, height)
    assert math.sqrt(near["a"] * near["b"]) == pytest.approx(0.1, rel=1e-6)  # both give way alike
    ties = labels.spread({"best": 1.0, "next": 1.0, "last": 1.0}, (0.0, 1.0), 270, log=False)
    assert ties["best"] > ties["next"] > ties["last"]


@pytest.mark.parametrize("domain", [(1e-4, 1e6), (0.9, 30.0), (0.95, 1.4), (1.0, 1.06), (3.1, 3.9), (180.0, 640.0)])
def test_log_axes_have_ticks_inside_and_not_too_many(domain: tuple[float, float]):
    found = spec.ticks(domain)
    assert 2 <= len(found) <= 8 and found == sorted(set(found))
    assert all(domain[0] <= v <= domain[1] for v in found)


def test_thinned_curves_keep_their_ends():
    x = np.linspace(0.01, 100.0, 5000)
    kept = spec.thinned(x)
    assert len(kept) <= spec.POINTS and (kept[0], kept[-1]) == (0, 4999) and (np.diff(kept) > 0).all()
    steps = np.diff(np.log(x[kept]))[50:]
    assert steps.max() < 2.5 * np.median(steps)  # even on the log axis, where the data are dense enough
    assert spec.thinned(x[:200]).tolist() == list(range(200))


def test_a_sampler_yields_what_its_gradients_yield_over_their_seconds(make: Make):
    """Medians over reps of made-up yields; those that did not mix, and who is no sampler, are left out."""
    tables = make((*PAIR, *FAKES[3:6]), scenarios=("one", "two"))
    rows = []
    for _, first in tables.metrics.drop_duplicates("cell").iterrows():
        key = {k: first[k] for k in ("run", "cell", "scenario", "backend")}
        faster = 10.0 if first["backend"] == "b.nuts" else 1.0
        for rep in range(3):
            values = {
                "ess_per_second": faster * (90.0 + 10.0 * rep), "ess_per_second_cold": 3.0, "ess_per_gradient": 0.02,
                "seconds_per_gradient": 0.0002 / faster,
            }  # fmt: skip
            rows += [{**key, "rep": rep, "metric": m, "part": "", "value": v} for m, v in values.items()]
    kept = tables.metrics[~tables.metrics["metric"].isin(rows[0].keys() | {r["metric"] for r in rows})]
    tables = RunTables(tables.run, tables.fits, pd.concat([kept, pd.DataFrame(rows)]), tables.curves)
    found = sections(tables)
    fast, slow = yields(found[0])[:2]
    assert (fast.label, slow.label) == ("b.nuts", "a.nuts")
    assert (fast.warm, fast.cold, fast.gradient) == (1000.0, 3.0, 20.0)
    assert fast.gradient is not None and fast.cost is not None
    assert fast.warm == pytest.approx(fast.gradient / 1000.0 / fast.cost)
    samplers = {row.label for row in found[0].rows if row.kind == "mcmc" and row.state not in ("not converged",)}
    assert {one.label for one in yields(found[0])} <= samplers
    made = samplers_figure(found, styles(found))
    assert made is not None and len(made.spec["concat"]) == 2 * 3
    for panel in made.spec["concat"]:  # 150 pixels wide: more labels would lie upon one another
        assert 1 <= len(panel["layer"][0]["encoding"]["x"]["axis"]["values"]) <= 3
    assert samplers_figure([], {}) is None


def test_one_sampler_alone_is_not_drawn(make: Make):
    found = sections(make((PAIR[0],), scenarios=("one",)))
    assert samplers_figure(found, styles(found)) is None
