"""A run that has been through pytest-benchmark's file is the run that was written."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from bench.comparison import document
from bench.comparison.rows import Request
from bench.comparison.verdicts import compare
from tests.comparison.gate.conftest import noisy, stored
from tests.comparison.runs import Cell, run

KEYS = ["cell", "rep", "metric"]


def test_fits_and_scores_come_back_to_the_last_bit():
    made = noisy(Cell(), Cell("numpyro.nuts", statuses={3: "crashed"}), seed=1)
    back = stored(made).tables
    for column in document.COLUMNS:
        pd.testing.assert_series_equal(back.fits[column], made.fits[column], check_names=False)
    first, second = (
        t.metrics[t.metrics["part"].fillna("") == ""].sort_values(KEYS)[[*KEYS, "value"]].reset_index(drop=True)
        for t in (back, made)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_a_comparison_of_files_is_the_comparison_of_the_runs():
    a, b = noisy(seed=1), noisy(Cell(seconds=1.6, between=0.14, within=0.08), seed=2)
    direct = compare(a, b, Request())
    through = compare(stored(a).tables, stored(b).tables, Request())
    assert through.rows == direct.rows and through.level == direct.level


def test_a_number_that_is_not_finite_is_a_word_in_strict_json():
    made = run(Cell(b2=float("inf")), seed=1)
    text = json.dumps(document.render(made, {}), allow_nan=False)
    assert '"inf"' in text
    back = stored(made).tables.metrics
    assert (back[back["metric"] == "b2_avg"]["value"] == float("inf")).all()


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([], "has no posterior_bench"),
        ({"benchmarks": []}, "has no posterior_bench"),
        ({"posterior_bench": {"schema": 99}}, "schema 99"),
        ({"posterior_bench": {"schema": 1}}, "damaged: KeyError"),
        ({"posterior_bench": {"schema": 1, "run": {}, "cells": {"c": {"fits": {"rep": [0], "cold": [1, 2]}}}}}, "cold"),
        ({"posterior_bench": {"schema": 1, "run": {}, "cells": {"c": {"fits": {"rep": "x"}}}}}, "damaged"),
    ],
)
def test_another_file_is_refused_with_a_sentence(held, said):
    with pytest.raises(ValueError, match=said):
        document.tables(held)
