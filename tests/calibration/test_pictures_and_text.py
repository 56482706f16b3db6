"""What a picture and a report of verdicts made by hand must contain."""

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console
from scipy.special import ndtr, ndtri

from bench.calibration.bands import counts
from bench.calibration.quantities import rank_all
from bench.calibration.ranks import LOG_LIKELIHOOD
from bench.calibration.verdict import judge
from bench.present import calibration_text
from bench.present.calibration import Calibration
from bench.present.html import calibration as calibration_html
from bench.present.plots import canvas, ecdf
from bench.store.manifest import calibration_of, plain, run_of
from tests.calibration.test_verdict import ENTRY, trials

U = (np.arange(200) + 0.5) / 200
NARROW = ndtr(2.0 * ndtri(U))


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


@pytest.mark.needs("matplotlib")
def test_a_panel_shows_the_difference_of_the_ecdf_within_both_bands():
    ranked = rank_all(trials(np.column_stack([U, NARROW])))
    figure = canvas.styled(lambda: ecdf.draw(ranked, "title"))
    calm, narrow = (a for a in figure.axes if a.get_visible())
    curve = lines(calm, "stays inside")[0]
    at = np.arange(257) / 256
    below = np.concatenate([[0], counts(ranked.quantities[0].ranks, 255), [200]]) / 200
    np.testing.assert_allclose(curve.get_xdata(), at)
    np.testing.assert_allclose(curve.get_ydata(), below - at)
    assert lines(narrow, "leaves it") and not lines(narrow, "stays inside")
    assert narrow.get_title(loc="left") == f"{LOG_LIKELIHOOD}: too narrow"
    edges = np.array([line.get_ydata() for line in calm.lines if line.get_linestyle() == "--"])
    np.testing.assert_allclose(edges[1][1:-1], ranked.outer.upper / 200 - at[1:-1])
    np.testing.assert_allclose(edges[:, [0, -1]], 0.0)
    outside = lines(narrow, "leaves it")[0].get_ydata()
    assert (outside[1:-1] > edges[1][1:-1]).any() and not (curve.get_ydata() > edges[1] + 1e-12).any()


@pytest.mark.needs("matplotlib")
def test_the_worst_of_many_quantities_are_shown_and_the_others_counted():
    rng = np.random.default_rng(0)
    names = [*(f"q{i}" for i in range(19)), LOG_LIKELIHOOD]
    values = rng.uniform(size=(200, 20))
    values[:, 15] = rng.permutation(NARROW)
    figure = canvas.styled(lambda: ecdf.draw(rank_all(trials(values, names=names)), "title"))
    assert len(figure.axes) == ecdf.LIMIT
    assert figure.axes[0].get_title(loc="left").startswith("q15: too narrow")
    assert "8 quantities with larger p-values are left out" in figure.legends[0].get_title().get_text()


@pytest.fixture
def report():
    hostile = replace(ENTRY, id="bad", backend="x<script>")
    verdicts = [
        judge(ENTRY, 200, trials(U), ("", "")),
        judge(hostile, 200, trials(NARROW[np.random.default_rng(0).permutation(200)])[:150], ("", "")),
        judge(replace(ENTRY, id="p"), 200, [], ("unsupported", "a point | has no spread")),
    ]
    about = {"s": {"description": "a & b", "priors": {"a": "normal(0, 1)"}}}
    facts = {"id": "c", "command": "python -m bench", "cells": [plain(ENTRY)], "scenarios": about}
    run = calibration_of(run_of(facts), 200, {})
    return Calibration(run, verdicts, {"c0ffee": "<svg/>"})


def test_html_is_whole_and_inert(report):
    page = calibration_html.render(report)
    assert "x&lt;script&gt;" in page and "<script" not in page
    assert "Calibrated as far as 200 data sets can tell" in page
    assert page.count("<img") == 1 and page.count("<svg") == 0
    assert "miscalibrated in 2 of 2 quantities".capitalize() in page
    assert "50 of 200 data sets were not fitted" in page and "Interrupted: 50 of 600" in page
    assert page == calibration_html.render(report)


def test_markdown_and_terminal_have_a_row_per_backend(report):
    text = calibration_text.markdown(report)
    row = next(line for line in text.splitlines() if line.startswith("| b | calibrated"))
    assert row.count("|") == 11 and "200/200" in row and "0/2" in row and "50 (43–57)" in row
    assert "x&lt;script&gt;" in text and r"a point \| has no spread" in text
    console = Console(width=140)
    with console.capture() as captured:
        console.print(calibration_text.terminal(report))
    shown = captured.get()
    assert "150/200" in shown and "x<script>: miscalibrated in 2 of 2 quantities; too narrow" in shown
