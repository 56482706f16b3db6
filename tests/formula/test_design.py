"""Designs of formulas against ones written out by hand, and what of formulas and data is refused."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from bench.data import dataset, family
from bench.errors import ScenarioError
from tests.formula.conftest import ROWS

TABLE = list(csv.DictReader(io.StringIO(ROWS)))
AGE, DOSE, DAYS, N, Y = (np.array([float(row[name]) for row in TABLE]) for name in ("age", "dose", "days", "n", "y"))
NORTH, WEST = (np.array([float(row["region"] == name) for row in TABLE]) for name in ("north", "west"))


def test_a_design_is_the_one_written_out_by_hand(made):
    made_of = made("y ~ age + log(dose) + C(region) + age:dose")
    data = dataset(made_of, seed=0, rep=0)
    labels = ["region[north]", "region[west]", "age", "log(dose)", "age:dose"]
    columns = dict(zip(labels, (NORTH, WEST, AGE, np.log(DOSE), AGE * DOSE), strict=True))
    assert sorted(data.parameter("weights").parts()) == sorted(labels)
    for label, column in zip(data.parameter("weights").parts(), data.arrays["x"].T, strict=True):
        np.testing.assert_allclose(column, columns[label], rtol=1e-15)
    np.testing.assert_array_equal(data.arrays["y"], Y)
    assert data.family == "linear"
    assert data.parameter("bias").parts() == ["Intercept"]
    assert made_of.design.levels == {"region": ("east", "north", "west")}


def test_arithmetic_inside_a_function_is_no_product_of_terms(made):
    wide = "y ~ " + " + ".join(["age", "dose", "days", "n"] + [f"I(age ** 2 * dose * days / {i})" for i in range(2, 9)])
    assert len(made(wide).design.labels["weights"]) == 11


def test_a_dot_is_every_other_column_and_quoted_names_may_have_spaces(made):
    rows = "the age,dose,y\n1,2,3\n2,2.5,1\n4,1,0\n"
    assert made("y ~ .", rows).design.labels["weights"] == ("the age", "dose")
    assert made("y ~ `the age`", rows).design.labels["weights"] == ("the age",)
    assert made("log(y + 1) ~ 0 + dose", rows).design.labels == {"weights": ("dose",)}


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ __import__('os').system('touch harm')",
        "y ~ I(open('harm', 'w'))",
        "y ~ I(np.save('harm', age))",
        "y ~ I(age.__class__)",
        "y ~ I((lambda: age)())",
        "y ~ I([a for a in age])",
        "y ~ poly(age, 1000000000)",
        "y ~ I(10 ** 10 ** 10)",
        "y ~ I(age ** 1000)",
        "y ~ C(age, contr.custom(open('harm', 'w')))",
        "y ~ offset(open('harm', 'w'))",
        "y ~ {open('harm', 'w')}",
        "eval('1') ~ age",
        "y ~ age | dose",
        "y ~ (dose | site)",
        "y ~ (1 | site) + (1 | region)",
        "y + age ~ dose",
        "y ~ age ~ dose",
        "y ~ (age + dose + days + n) ** 12",
        "y ~ " + " * ".join(["age", "dose", "days", "n"] * 5),
        "y ~ age +* dose",
        "y ~ age +",
        "y ~ ",
        "y ~ " + " + ".join(["age"] * 2000),
        "y",
        "~ age",
        "y ~ 1",
        "y ~ nothing",
    ],
)
def test_what_is_more_than_arithmetic_or_no_formula_is_refused_and_not_run(made, formula, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError, match=r"mine\.toml: "):
        made(formula)
    assert not (tmp_path / "harm").exists()


def test_gaps_are_named_by_line_and_column_or_their_rows_left_out_and_counted(made):
    rows = ROWS.replace("b,52,2.5", "b,NA,2.5").replace("c,74,3.0", "c,74,")
    with pytest.raises(ScenarioError, match=r"line 4, column age: no value \(2 rows"):
        made("y ~ age + dose", rows)
    kept = made("y ~ age + dose", rows, data={"missing": "drop"})
    np.testing.assert_array_equal(kept.design.arrays["y"], np.delete(Y, [2, 4]))
    assert kept.design.dropped == {"age": 1, "dose": 1}
    assert "2 of 8 rows were left out for gaps" in family("linear").notes(kept)[0]
    assert len(made("y ~ dose", rows.replace("c,74,", "c,74,1")).design.arrays["y"]) == 8  # a gap in no column of ours


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("age,y\n1,2\n3\n", "line 3 has 1 values, the first line 2 names"),
        ("age,y\n1,2\n3,4,5\n", "line 3 has 3 values, the first line 2 names"),
        ("age,y\n1,2,9\n3,4\n", "line 2 has 3 values"),
        ("age,y\n1,2\n\n3,4\n", "line 3 is blank"),
        ("age,y\n1,2\n2,3\n3,4\n4,x\n", "line 5, column y: 'x' is no number, as most"),
        ("age,y\n1,2\ninf,3\n", "line 3, column age: it must be finite"),
        ("age,y,age\n1,2,3\n", "two columns are named age"),
        ("age,,y\n1,2,3\n", "column 2 has no name"),
        ("age,y\n", "it has no rows"),
        ("", "it is empty"),
        (b"age,y\n1,\xff\n", "text in UTF-8"),
        ("age,y\n1,2\n1,3\n", "column age is the same in every row"),
        ("age,y\n,2\n,3\n", "column age has no values"),
        ("age,y\n0,2\n2,3\n", r"line 2, column log\(age\): it is not finite"),
    ],
)
def test_a_table_that_cannot_be_is_refused_by_line_and_column(made, rows, why):
    with pytest.raises(ScenarioError, match=why):
        made("y ~ log(age)" if "log" in why else "y ~ age", rows)


def test_the_ways_in_which_programs_write_tables_are_read(made):
    plain = made("y ~ age", "age,y\n1.5,2\n2.5,3\n4,1\n").design.arrays
    for rows in (
        "\ufeffage,y\n1.5,2\n2.5,3\n4,1\n\n",
        "age;y\r\n1,5;2\r\n2,5;3\r\n4;1\r\n",
        "age\ty\n1.5\t2\n2.5\t3\n4\t1\n",
        '"age","y"\n"1.5","2"\n2.5,3\n" 4",1\n',
    ):
        for name, values in made("y ~ age", rows).design.arrays.items():
            np.testing.assert_array_equal(values, plain[name])


def test_parquet_is_read(made, tmp_path):
    import pandas as pd

    pd.read_csv(io.StringIO(ROWS)).to_parquet(tmp_path / "rows.parquet")
    of_csv = made("y ~ age + C(region) + smoker").design
    of_parquet = made("y ~ age + C(region) + smoker", data={"file": "rows.parquet"}).design
    np.testing.assert_array_equal(of_csv.arrays["x"], of_parquet.arrays["x"])
    assert of_csv.labels == of_parquet.labels


def test_two_categories_of_the_observations_are_one_and_nought(made):
    yes = made("smoker ~ age", likelihood="bernoulli")
    np.testing.assert_array_equal(yes.design.arrays["y"], [row["smoker"] == "yes" for row in TABLE])
    assert "smoker is 1 where it is yes, 0 where it is no." in yes.design.notes
    flags = ROWS.replace("yes", "true").replace(",no,", ",False,")
    np.testing.assert_array_equal(
        made("smoker ~ age", flags, likelihood="bernoulli").design.arrays["y"], yes.design.arrays["y"]
    )
    with pytest.raises(ScenarioError, match="3 categories: east, north, west; only bernoulli"):
        made("region ~ age", likelihood="bernoulli")
    with pytest.raises(ScenarioError, match="y must be"):
        made("y ~ age", likelihood="poisson")


def test_an_offset_is_added_to_the_predictor(made):
    counts = made("n ~ age + offset(log(days))", likelihood="poisson")
    np.testing.assert_allclose(counts.design.arrays["offset"], np.log(DAYS), rtol=1e-15)
    named = made("n ~ age", likelihood="poisson", data={"offset": "dose"})
    np.testing.assert_array_equal(named.design.arrays["offset"], DOSE)
    gaussian = made("y ~ age + offset(dose)").design
    np.testing.assert_array_equal(gaussian.arrays["y"], Y - DOSE)
    assert "offset" not in gaussian.arrays
    assert "The offset was subtracted from the observations." in gaussian.notes


def test_a_row_stands_for_as_many_as_its_frequency_says(made):
    once, often = made("y ~ age"), made("y ~ age", data={"frequency": "n"})
    draws = {"weights": np.array([[0.03]]), "bias": np.array([1.0]), "sigma": np.array([0.7])}
    linear = family("linear")
    each = linear.log_likelihood(dataset(once, seed=0, rep=0), draws, once.design.arrays)
    total = linear.log_likelihood(dataset(often, seed=0, rep=0), draws, often.design.arrays).sum()
    assert total == pytest.approx((each * N).sum(), rel=1e-13)
    with pytest.raises(ScenarioError, match="line 2, column dose: frequency must be whole numbers"):
        made("y ~ age", data={"frequency": "dose"})


def test_trials_come_with_binomial_counts(made):
    binomial = made("n ~ age", likelihood="binomial", data={"trials": "days"})
    np.testing.assert_array_equal(binomial.design.arrays["trials"], DAYS)
    with pytest.raises(ScenarioError, match="trials"):
        made("y ~ age", data={"trials": "days"})


def test_an_intercept_may_vary_by_group(made):
    grouped = made("y ~ age + (1 | site)")
    data = dataset(grouped, seed=0, rep=0)
    assert data.family == "varying_intercept"
    assert data.parameter("a").parts() == ["site[a]", "site[b]", "site[c]"]
    assert data.parameter("mu").parts() == ["Intercept"]
    np.testing.assert_array_equal(data.arrays["group"], ["abc".index(row["site"]) for row in TABLE])
    np.testing.assert_array_equal(data.arrays["x"], AGE[:, None])
    assert dataset(made("y ~ (1 | site)"), seed=0, rep=0).names == ("mu", "tau", "a", "sigma")
    with pytest.raises(ScenarioError, match="trials, which varying_intercept regressions have not"):
        made("y ~ age + (1 | site)", data={"trials": "days"})


@pytest.mark.parametrize(
    ("likelihood", "formula", "more", "scales"),
    [
        ("student_t", "y ~ age + (1 | site)", {}, ("sigma",)),
        ("bernoulli", "smoker ~ age + (1 | site)", {"link": "probit"}, ()),
        ("binomial", "n ~ age + (1 | site)", {"data": {"trials": "days", "offset": "dose"}}, ()),
        ("poisson", "n ~ age + offset(log(days)) + (1 | site)", {"parametrisation": "centred"}, ()),
        ("negative_binomial", "n ~ age + (1 | site)", {"data": {"frequency": "n"}}, ("phi",)),
        ("gamma", "y ~ age + (1 | site)", {"holdout": {"share": 0.25}}, ("shape",)),
    ],
)
def test_an_intercept_may_vary_by_group_whatever_the_likelihood(made, likelihood, formula, more, scales):
    """Rows, link, offset, trials and scales are those of the flat regression."""
    grouped = dataset(made(formula, likelihood=likelihood, **more), seed=0, rep=0)
    plain = {key: value for key, value in more.items() if key != "parametrisation"}
    flat = dataset(made(formula.replace(" + (1 | site)", ""), likelihood=likelihood, **plain), seed=0, rep=0)
    assert (grouped.family, grouped.law, grouped.link) == ("grouped_regression", flat.family, flat.link)
    assert grouped.names == ("mu", "tau", "a", "weights", *scales)
    assert grouped.parameter("a").parts() == ["site[a]", "site[b]", "site[c]"]
    assert bool(grouped.coordinates) is ("parametrisation" not in more)
    for name in ("arrays", "holdout"):
        rows, expected = dict(getattr(grouped, name)), getattr(flat, name)
        assert (rows.pop("group", None) is None) is not bool(expected) and rows.keys() == expected.keys()
        for key, values in expected.items():
            np.testing.assert_array_equal(rows[key], values)
    assert {k: v for k, v in grouped.priors.items() if k not in ("mu", "tau")} == {
        k: v for k, v in flat.priors.items() if k != "bias"
    }
    assert grouped.priors["mu"] == flat.priors["bias"]


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"likelihood": "poisson", "link": "probit"}, "it must be one of log"),
        (
            {"likelihood": "poisson", "data": {"trials": "days"}},
            "trials, which grouped_regression regressions have not",
        ),
        ({"likelihood": "bernoulli"}, "y must be 0 or 1"),
        ({"likelihood": "poisson", "priors": {"sigma": {"exponential": 1}}}, r"priors\.sigma.*scales are weights, age"),
        ({"likelihood": "poisson", "n_groups": 3}, "n_groups"),
    ],
)
def test_what_a_likelihood_cannot_have_is_refused_beside_a_group_too(made, tables, why):
    with pytest.raises(ScenarioError, match=why):
        made("n ~ age + (1 | site)", **tables)


def test_rows_are_held_out_by_share_and_seed(made):
    held = made("y ~ age", holdout={"share": 0.25, "seed": 3})
    train, test = held.design.arrays["y"], held.design.holdout["y"]
    assert (len(train), len(test)) == (6, 2)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.sort(Y))
    again = made("y ~ age", holdout={"share": 0.25, "seed": 4})
    assert again.design.holdout["y"].tolist() != test.tolist() or again.digest != held.digest
    np.testing.assert_array_equal(dataset(held, seed=0, rep=1).holdout["y"], test)
    with pytest.raises(ScenarioError, match=r"holdout\.share"):
        made("y ~ age", holdout={"share": 0.01})


def test_columns_are_standardised_by_the_rows_that_are_fitted(made):
    scaled = made("y ~ age + C(region)", data={"standardise": True}, holdout={"share": 0.25})
    plain = made("y ~ age + C(region)", holdout={"share": 0.25})
    at = scaled.design.labels["weights"].index("age")
    age, fitted, held = (
        d[:, at] for d in (scaled.design.arrays["x"], plain.design.arrays["x"], plain.design.holdout["x"])
    )
    assert age.mean() == pytest.approx(0.0, abs=1e-12)
    assert age.std() == pytest.approx(1.0)
    np.testing.assert_allclose(scaled.design.holdout["x"][:, at], (held - fitted.mean()) / fitted.std(), rtol=1e-12)
    others = np.delete(scaled.design.arrays["x"], at, axis=1)
    np.testing.assert_array_equal(others, np.delete(plain.design.arrays["x"], at, axis=1))


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"data": {"missing": "ignore"}}, r"data\.missing"),
        ({"data": {"seed": 1}}, r"data\.seed = 1 is not allowed; beside a formula its keys"),
        ({"holdout": {"n_obs": 3}}, r"holdout\.n_obs"),
        ({"likelihood": "normal"}, "it must be one of gaussian, student_t"),
        ({"family": "linear"}, "leave family out"),
        ({"n_obs": 10}, "n_obs"),
        ({"data": {"file": "../rows.csv"}}, "in or below the folder"),
        ({"predict": {"x": [[1.0]]}}, "predict"),
        ({"link": "probit"}, "link"),
    ],
)
def test_a_key_that_cannot_be_is_refused(made, tables, why):
    with pytest.raises(ScenarioError, match=why):
        made("y ~ age", **tables)


def test_a_kept_design_that_is_damaged_is_made_anew(made, cache):
    from bench.catalog import designs

    first = made("y ~ age + dose").design
    names = [name for name, known in designs._made.items() if known is first]
    for damage in (b"", b"PK\x03\x04 no archive", (cache / "designs" / f"{names[0]}.npz").read_bytes()[:-40]):
        (cache / "designs" / f"{names[0]}.npz").write_bytes(damage)
        designs._made.clear()
        again = made("y ~ age + dose").design
        np.testing.assert_array_equal(again.arrays["x"], first.arrays["x"])
        assert (again.labels, again.terms, again.notes) == (first.labels, first.terms, first.notes)
    designs._made.clear()
    assert made("y ~ age + dose").design.terms == first.terms  # now from the cache
