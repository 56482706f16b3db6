"""What a picture and a report of verdicts made by hand must contain."""

from xml.etree import ElementTree

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
from bench.present.figures import draw
from bench.present.figures.calibrated import calibration_figure
from bench.present.html import calibration as calibration_html
from bench.store.manifest import calibration_of, plain, run_of
from tests.calibration.test_verdict import ENTRY, trials

U = (np.arange(200) + 0.5) / 200
NARROW = ndtr(2.0 * ndtri(U))


def curves(panel):
    """Values of a panel's lines: both edges of the dashed band, then the ECDF difference; and where they are."""
    drawn = [layer["data"]["values"] for layer in panel["layer"] if layer["mark"]["type"] == "line"]
    return [np.array([[row["x"], row["y"]] for row in rows]).T for rows in drawn]


def test_a_panel_shows_the_difference_of_the_ecdf_within_both_bands():
    ranked = rank_all(trials(np.column_stack([U, NARROW])))
    narrow, calm = calibration_figure(ranked, "title", most=12).spec["concat"]
    low, high, curve = curves(calm)
    at = np.arange(257) / 256
    kept = np.searchsorted(at, curve[0])
    assert kept[0] == 0 and kept[-1] == 256 and len(kept) == 100
    below = np.concatenate([[0], counts(ranked.quantities[0].ranks, 255), [200]]) / 200
    np.testing.assert_allclose(curve, [at[kept], (below - at)[kept]], atol=1e-15)
    inner = kept[1:-1]
    np.testing.assert_allclose(high[1][1:-1], ranked.outer.upper[inner - 1] / 200 - at[inner])
    np.testing.assert_allclose(low[1][1:-1], ranked.outer.lower[inner - 1] / 200 - at[inner])
    np.testing.assert_allclose([low[1][[0, -1]], high[1][[0, -1]]], 0.0)
    band = calm["layer"][0]["data"]["values"]
    np.testing.assert_allclose([row["y2"] for row in band][1:-1], ranked.inner.upper[inner - 1] / 200 - at[inner])
    assert calm["title"]["text"][1].startswith("inside, p = ")
    assert narrow["title"]["text"] == [LOG_LIKELIHOOD, "too narrow"]
    assert not (curve[1] > high[1] + 1e-12).any()
    low, high, curve = curves(narrow)
    assert (curve[1][1:-1] > high[1][1:-1]).any()
    colours = [panel["layer"][-1]["mark"]["color"] for panel in (narrow, calm)]
    assert len(set(colours)) == 2


def test_the_worst_of_many_quantities_are_shown_and_the_others_counted():
    rng = np.random.default_rng(0)
    names = [*(f"q{i}" for i in range(19)), LOG_LIKELIHOOD]
    values = rng.uniform(size=(200, 20))
    values[:, 15] = rng.permutation(NARROW)
    figure = calibration_figure(rank_all(trials(values, names=names)), "title", most=12)
    assert len(figure.spec["concat"]) == 12
    assert figure.spec["concat"][0]["title"]["text"] == ["q15", "too narrow"]
    assert "8 quantities with a larger p-value are not drawn" in figure.caption


def test_a_picture_of_its_own_has_its_words_in_it():
    figure = calibration_figure(rank_all(trials(U)), "x<script>", most=12).alone("x<script>: " + 20 * "a sentence ")
    root = ElementTree.fromstring(draw([figure])[figure.key])
    texts = [text.strip() for text in root.itertext()]
    assert any(text.startswith("x<script>: a sentence") and len(text) <= 95 for text in texts[1:])
    assert any(text.startswith("200 data sets") for text in texts)


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
