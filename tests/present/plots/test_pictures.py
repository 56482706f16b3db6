"""What each picture must contain, at the right place."""

import numpy as np
import pytest

from bench.errors import UsageError
from bench.present import plots
from bench.present.plots.canvas import signed
from bench.present.plots.forecast import DRAWS as MIXED
from bench.present.plots.forecast import forecast
from bench.present.plots.subject import Marginals, parts, worst_first
from bench.present.plots.trace import COLUMNS
from bench.present.plots.trace import thinned as thinned_chain
from bench.score.predictive import thinned
from tests.present.plots.conftest import CHAINS, DRAWS


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def panel(figure, name):
    """The axes that show one parameter."""
    return next(
        a for a in figure.axes if name in (a.get_ylabel(), a.get_xlabel().split(" (")[0].removeprefix("value of "))
    )


def notes(figure):
    return " ".join([figure.get_suptitle(), *(legend.get_title().get_text() for legend in figure.legends)])


@pytest.mark.needs("matplotlib")
def test_a_trace_shows_every_chain_whole_with_truth_and_exact_mean(fits):
    subject = fits("mcmc")
    figure = plots.draw("trace", [subject])
    axes = panel(figure, "weights[1]")
    chains = [lines(axes, f"chain {i}")[0] for i in range(CHAINS)]
    for i, chain in enumerate(chains):
        np.testing.assert_array_equal(chain.get_ydata(), subject.scored.fit.draws["weights"][i, :, 1])
    assert figure._repr_png_().startswith(b"\x89PNG"), "a notebook shows it without pyplot"
    assert len({chain.get_color() for chain in chains}) == CHAINS
    assert lines(axes, "truth")[0].get_ydata()[0] == -2.8
    assert lines(axes, "exact mean")[0].get_ydata()[0] == subject.scored.problem.reference.mean["weights"][1]
    assert len(figure.axes) == 2 * 4
    assert "4 chains of 250 draws" in notes(figure)
    assert "left out" not in notes(figure)


@pytest.mark.needs("matplotlib")
def test_the_trace_of_the_largest_r_hat_comes_first_and_a_stuck_scalar_before_it(fits):
    subject = fits("mcmc")
    subject.scored.fit.draws["bias"][0] += 100.0
    assert plots.draw("trace", [subject]).axes[0].get_ylabel() == "bias"
    stuck = fits("mcmc")
    stuck.scored.fit.draws["sigma"][:] = 1.0
    figure = plots.draw("trace", [stuck])
    assert figure.axes[0].get_ylabel() == "sigma"
    assert "sigma does not move" in notes(figure).replace("\n", " ")


@pytest.mark.needs("matplotlib")
def test_a_long_chain_is_thinned_to_the_extremes_of_its_bins_and_says_so(fits):
    chain = np.random.default_rng(0).normal(size=10 * COLUMNS + 7)
    at, values = thinned_chain(chain)
    assert len(at) <= 2 * COLUMNS
    assert {values.min(), values.max()} == {chain.min(), chain.max()}
    assert (np.diff(at) >= 0).all()
    np.testing.assert_array_equal(values, chain[at.astype(int)])
    figure = plots.draw("trace", [fits("mcmc", draws=3 * COLUMNS)])
    assert "lowest and highest of every 3" in figure.axes[-2].get_xlabel()


@pytest.mark.needs("matplotlib")
def test_divergences_stand_at_their_draws(fits):
    diverging = np.zeros((CHAINS, DRAWS), dtype=bool)
    diverging[2, 17] = diverging[3, 99] = True
    figure = plots.draw("trace", [fits("mcmc", stats={"diverging": diverging})])
    assert lines(figure.axes[0], "divergence")[0].get_xdata().tolist() == [17, 99]


@pytest.mark.needs("matplotlib")
def test_a_posterior_has_the_exact_density_the_draws_and_the_truth(fits):
    subject = fits("mcmc", shift=0.5)
    figure = plots.draw("posterior", [subject])
    for part in parts(subject.scored.problem):
        axes = panel(figure, part.name)
        area = sum(bar.get_width() * bar.get_height() for bar in axes.patches)
        assert area == pytest.approx(1.0, abs=1e-12)  # a density of all draws; rounding of at most 60 sums
        curve = lines(axes, "exact posterior")[0].get_xydata()
        # drawn down to 1e-4 of its height, so all but about 1e-4 of its mass, on a grid of 0.02 sd
        assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(1.0, abs=1e-3)
        assert axes.get_title(loc="left").startswith("+0.")
    assert lines(panel(figure, "bias"), "truth")[0].get_xdata()[0] == 10.5
    assert "rep 3" in notes(figure)


@pytest.mark.needs("matplotlib")
def test_a_point_is_a_line_without_a_histogram(fits):
    subject = fits("point", shift=2.0)
    axes = panel(plots.draw("posterior", [subject]), "sigma")
    assert lines(axes, "estimate")[0].get_xdata()[0] == subject.scored.fit.draws["sigma"][0, 0]
    assert not axes.patches


def test_the_exact_density_is_the_slope_of_the_exact_distribution_function(problems):
    problem = problems("s0-uniform")
    marginals = Marginals(problem)
    for part in parts(problem):
        x, density = marginals.density(part)
        spacing = x[1] - x[0]
        inner = x[200:400]
        wide = np.array([np.broadcast_to(v, np.shape(problem.reference.mean[part.parameter])) for v in inner])
        h = 1e-4 * spacing
        cdf = problem.reference.cdf
        slope = ((cdf(part.parameter, wide + h) - cdf(part.parameter, wide - h)) / (2 * h)).reshape(200, -1)
        # the mean over a cell of 0.02 sd differs from the middle by 0.02²/24 of the curvature: 2e-5 of the peak
        np.testing.assert_allclose(density[200:400], slope[:, part.place], atol=5e-5 * density.max())


@pytest.mark.needs("matplotlib")
def test_only_the_worst_are_drawn_and_the_rest_counted(fits):
    subject = fits("mcmc", "wide-n1000-p100", draws=50)
    subject.scored.fit.draws["weights"][..., 77] += 5.0
    assert worst_first([subject])[0].name == "weights[77]"
    for kind, left in (("trace", "94 of 102"), ("posterior", "90 of 102"), ("forest", "78 of 102")):
        assert f"{left} are left out" in notes(plots.draw(kind, [subject])), kind


@pytest.mark.needs("matplotlib")
def test_a_forest_has_every_backend_below_the_exact_bar(fits):
    subjects = [fits("mcmc"), fits("vi", shift=1.0), fits("point")]
    figure = plots.draw("forest", subjects)
    axes = figure.axes[0]
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert sorted(names) == ["bias", "sigma", "weights[0]", "weights[1]"]
    row = names.index("sigma")
    exact = subjects[0].scored.problem.reference
    assert "exact posterior sds" in axes.get_xlabel()
    bar = next(p for c in axes.containers for p in c if abs(p.get_y() - row) < 0.5)
    quartiles = (exact.quantile("sigma", np.array([0.25, 0.75])) - exact.mean["sigma"]) / exact.sd["sigma"]
    np.testing.assert_allclose([bar.get_x(), bar.get_x() + bar.get_width()], quartiles, atol=1e-12)
    at = {s.backend: [m for m in lines(axes, s.backend) if abs(m.get_ydata()[0] - row) < 0.5] for s in subjects}
    assert all(len(found) == 1 for found in at.values())
    for subject in subjects:
        expected = (np.mean(subject.scored.fit.draws["sigma"]) - exact.mean["sigma"]) / exact.sd["sigma"]
        assert at[subject.backend][0].get_xdata()[0] == pytest.approx(float(expected), abs=1e-9)
    ticks = [t.get_xdata()[0] for t in lines(axes, "truth") if abs(np.mean(t.get_ydata()) - row) < 0.1]
    assert ticks == [pytest.approx(float((1.0 - exact.mean["sigma"]) / exact.sd["sigma"]), abs=1e-12)]


@pytest.mark.needs("matplotlib")
def test_a_backend_far_away_stands_at_the_edge_with_its_distance(fits):
    figure = plots.draw("forest", [fits("mcmc"), fits("vi", shift=40.0)])
    said = [t.get_text() for t in figure.axes[0].texts]
    assert len(said) == 4
    assert all(t.startswith(("+39", "+40")) for t in said)
    assert figure.axes[0].get_xlim()[1] < 10


@pytest.mark.needs("matplotlib")
def test_a_loss_ends_at_the_optimum_of_the_family(fits):
    subject = fits("point", shift=0.1)
    figure = plots.draw("loss", [subject])
    problem = subject.scored.problem
    least = problem.family.optimum(problem.data, "map")[1]
    steps, seconds = figure.axes[:2]
    assert lines(steps, "least value")[0].get_ydata()[0] == least
    assert lines(steps, "objective")[0].get_xdata().tolist() == [1, 2, 5, 10, 20, 25]
    assert lines(seconds, "objective")[0].get_xdata().tolist() == pytest.approx([0.01, 0.02, 0.05, 0.1, 0.2, 0.3])
    first = problem.family.objective(problem.data, "map", subject.scored.checkpoints[0].estimate.mean)
    assert lines(steps, "objective")[0].get_ydata()[0] == first
    gap = figure.axes[2]
    assert gap.get_yscale() == gap.get_xscale() == "log"
    assert gap.lines[0].get_ydata()[0] == first - least


@pytest.mark.needs("matplotlib")
def test_the_elbo_of_vi_is_drawn_over_minus_log_evidence(fits):
    subject = fits("vi")
    figure = plots.draw("loss", [subject])
    axes = figure.axes[0]
    assert lines(axes, "−log evidence")[0].get_ydata()[0] == -subject.scored.problem.reference.log_evidence
    assert axes.lines[0].get_ydata().tolist() == [c.estimate.objective for c in subject.scored.checkpoints]


@pytest.mark.needs("matplotlib")
def test_the_last_point_of_vi_is_the_answer_s_own_elbo(fits, problems):
    """q is the posterior: its divergence is 0, at the last step and not where the search was last looked at."""
    problem = problems("s0-uniform")
    draws = {k: v.reshape(-1, *v.shape[2:]) for k, v in fits("vi").scored.fit.draws.items()}
    z = problem.family.unconstrain(problem.data, draws)
    log_q = problem.family.log_density(problem.data, z)[0] - problem.reference.log_evidence
    figure = plots.draw("loss", [fits("vi", stats={"log_q": log_q.reshape(4, -1), "steps": 120})])
    line = figure.axes[0].lines[0]
    assert line.get_xdata().tolist() == [1, 10, 99, 120] and figure.axes[1].lines[0].get_xdata()[-1] == pytest.approx(
        0.3
    )
    # rounding of log densities of some 100 nats
    assert line.get_ydata()[-1] == pytest.approx(-problem.reference.log_evidence, abs=1e-9)
    assert "after 120 steps" in figure.get_suptitle().replace("\n", " ")
    assert "after 99 of 120 steps" in plots.draw("loss", [fits("vi", stats={"steps": 120})]).get_suptitle()


def test_predictive_intervals_are_those_of_the_closed_form(problems, fits):
    """Known sigma and normal priors: the predictive is normal, its variance a closed form."""
    problem = problems("s1-known-noise")
    data, x = problem.data, problem.data.holdout["x_outside"]
    design = np.column_stack([data.arrays["x"], np.ones(len(data.arrays["y"]))])
    precision = design.T @ design / 0.1**2 + np.eye(2) / 10.0**2
    mean = np.linalg.solve(precision, design.T @ data.arrays["y"] / 0.1**2)
    new = np.column_stack([x, np.ones(len(x))])
    sd = np.sqrt(np.einsum("ni,ij,nj->n", new, np.linalg.inv(precision), new) + 0.1**2)
    drawn = problem.reference.draw(4000, np.random.default_rng(2))
    found = forecast(problem, drawn, {"x": x, "y": data.holdout["y_outside"]})
    # 4000 draws: the mean is off by sd/63 and a 2.5 % quantile by 0.042 sd (one standard error): four of each
    np.testing.assert_allclose((found.mean - new @ mean) / sd, 0.0, atol=4 / np.sqrt(4000))
    np.testing.assert_allclose((found.low - new @ mean) / sd, -1.95996, atol=4 * 0.042)
    np.testing.assert_allclose((found.high - new @ mean) / sd, 1.95996, atol=4 * 0.042)
    point = {name: np.asarray(v)[None] for name, v in problem.reference.mean.items()}
    alone = forecast(problem, point, {"x": x, "y": data.holdout["y_outside"]})
    # a single normal: nothing but rounding is left
    np.testing.assert_allclose((alone.high - alone.low) / (2 * 1.959964 * 0.1), 1.0, rtol=1e-6)


@pytest.mark.needs("matplotlib")
def test_a_predictive_picture_shows_all_held_out_rows_inside_and_outside(fits):
    subject = fits("mcmc", "s1-known-noise")
    held = subject.scored.problem.data.holdout
    figure = plots.draw("predictive", [subject])
    assert len(figure.axes) == 4
    inside, outside = figure.axes[:2]
    drawn = lines(inside, "held-out observation")[0]
    assert sorted(drawn.get_ydata()) == pytest.approx(sorted(held["y"]), abs=1e-15)
    truth = lines(outside, "expected y under the truth, without noise")[0]
    np.testing.assert_array_equal(np.sort(truth.get_xdata()), np.sort(held["x_outside"][:, 0]))
    expected = forecast(subject.scored.problem, thinned(subject.scored, MIXED), {"x": held["x"], "y": held["y"]})
    kept = int(((held["y"] >= expected.low) & (held["y"] <= expected.high)).sum())
    assert f"hold {kept} of 100 held-out" in notes(figure).replace("\n", " ")


@pytest.mark.needs("matplotlib")
def test_several_features_are_drawn_against_the_predictive_mean(fits):
    figure = plots.draw("predictive", [fits("point")])
    assert "predictive mean" in figure.axes[-1].get_xlabel()
    assert "as if the parameters were known" in notes(figure)


@pytest.mark.needs("matplotlib")
def test_a_likelihood_that_is_no_density_of_y_is_refused(fits):
    class Binary:
        def discrete(self, data):
            return True

        def predict(self, data, draws, arrays):
            return np.full((1, len(arrays["y"])), 0.5)

    subject = fits("point")
    object.__setattr__(subject.scored.problem, "family", Binary())
    try:
        with pytest.raises(UsageError, match="no density that integrates to 1"):
            plots.draw("predictive", [subject])
    finally:
        from scenarios.families.regression.linear import FAMILY as linear

        object.__setattr__(subject.scored.problem, "family", linear)


@pytest.mark.needs("matplotlib")
@pytest.mark.parametrize("kind", ["trace", "posterior", "forest", "predictive"])
def test_pictures_without_a_reference_say_why_and_draw_no_exact_line(fits, kind):
    figure = plots.draw(kind, [fits("mcmc", reference=False)])
    assert not any(lines(axes, label) for axes in figure.axes for label in ("exact posterior", "exact mean"))
    if kind in {"posterior", "forest"}:
        assert "a stated reason" in notes(figure)


@pytest.mark.parametrize(
    ("kind", "of", "words"),
    [
        (
            "trace",
            "point",
            "for Markov chains, and this fit is of kind point; what does: posterior, forest, predictive, loss",
        ),
        ("trace", "vi", "kind vi"),
        ("loss", "mcmc", "for optimisers and VI, and this fit is of kind mcmc; what does: trace, posterior, forest"),
    ],
)
def test_a_kind_that_does_not_apply_says_which_do(fits, kind, of, words):
    with pytest.raises(UsageError, match=words):
        plots.draw(kind, [fits(of)])


def test_only_a_forest_takes_several_fits(fits):
    with pytest.raises(UsageError, match="one fit, not 2"):
        plots.draw("posterior", [fits("mcmc"), fits("vi")])


@pytest.mark.parametrize(
    ("value", "said"), [(-0.004, "0.00"), (-0.84, "−0.84"), (21.76, "+21.8"), (-190.2, "−190"), (0.5, "+0.50")]
)
def test_signed_numbers_are_short_and_honest(value, said):
    assert signed(value) == said
