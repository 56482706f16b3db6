"""Markdown, HTML and terminal: complete, escaped, deterministic, offline."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import StringIO
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from rich.console import Console

from bench.analysis.sections import report, sections
from bench.analysis.tables import RunTables
from bench.present import markdown, terminal
from bench.present.cells import WORDS
from bench.present.html import report as html
from bench.present.provenance import warnings
from bench.words.sentence import plain
from tests.comparison.runs import with_facts
from tests.present.conftest import FAKES, Fake

EVIL = "boom <script>alert('1')</script> | `x` & \x1b[31m/home/someone/secret.py"
ABOUT = {
    "s0-exponential": {
        "description": "Fifty points & <two> features.",
        "notes": ["The model assumes sigma = 0.1; the data were made with 0.01."],
        "fixed_data": True,
        "priors": {"weights": "normal(0, 10)", "sigma": "exponential(2)"},
    }
}

made = functools.cache(report)
"""The report of some tables, made once: nothing changes it."""


@pytest.fixture(scope="module")
def tables(make: Callable[..., RunTables]) -> RunTables:
    evil = Fake("evil.<b>", "vi", status="crashed", reason=EVIL, options={"k": "</script>"})
    return make((*FAKES, evil), about=ABOUT)


@pytest.fixture(scope="module")
def page(tables: RunTables) -> str:
    return html.render(made(tables))


def printed(tables: RunTables) -> str:
    out = StringIO()
    Console(file=out, width=150).print(terminal.summary(made(tables)))
    return out.getvalue()


class Reader(HTMLParser):
    """Collects text, tags with attributes, and complains of tags that do not close and have to."""

    IMPLIED = ("td", "th", "tr", "thead", "tbody", "li", "dt", "dd")
    VOID = ("meta", "link", "br", "wbr", "img", "hr", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] != tag and self.open[-1] in self.IMPLIED:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


@functools.cache
def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    return reader


def test_every_planned_row_stands_in_every_format_with_status_and_reason(tables: RunTables, page: str):
    section = made(tables).sections[0]
    text, md, out = " ".join(read(page).text.split()), markdown.render(made(tables)), printed(tables)
    assert len(section.rows) == tables.fits["cell"].nunique()
    for row in section.rows:
        assert row.label in text
        line = next(line for line in md.splitlines() if line.startswith(f"| `{row.label}`"))
        assert WORDS[row.state] in line
        assert re.search(rf"{re.escape(row.label)}\s+{WORDS[row.state]}", out)
    for reason in ("loss became NaN at step 12: lr·λmax/2 = 1.32 exceeds 1", "blackjax is not installed", "over 120 s"):
        assert text.count(reason) >= 3, "in the table, in the section of the fit and among the failures"
        assert md.count(reason) == 2


def test_verdict_is_the_same_in_every_format(tables: RunTables, page: str):
    verdict = made(tables).sections[0].verdict
    sentence = plain(verdict.sentence)
    assert all(plain(answer.words) in read(page).text for answer in verdict.answers.values())
    assert sentence in markdown.render(made(tables)).replace("*", "").replace("\\", "")
    assert sentence.split("; ")[0] in printed(tables)


def test_what_comes_from_files_is_escaped(tables: RunTables, page: str):
    reader = read(page)
    assert sum(tag == "script" for tag, _ in reader.tags) == 4, (
        "the rows, the ratios, the series and the script, nothing of the tables"
    )
    assert not any(tag in ("b", "two") for tag, _ in reader.tags)
    assert "boom <script>alert('1')</script>" in reader.text
    md = markdown.render(made(tables))
    assert "<script" not in md
    assert "boom &lt;script&gt;alert('1')&lt;/script&gt; \\| \\`x\\`" in md
    for text in (page, md):
        assert "someone" not in text and "\x1b" not in text


def test_embedded_names_survive_and_cannot_close_their_element(tables: RunTables, page: str):
    found = dict(re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page, re.DOTALL))
    assert set(found) == {"ratios", "rest", "series"} and not any("<" in text for text in found.values())
    assert json.loads(found["rest"]) == {}, "every row stands in the page"
    assert set(json.loads(found["series"])) == {
        r.label for r in made(tables).sections[0].rows if r.reps and r.kind != "exact"
    }


def test_page_needs_no_network(page: str):
    reader = read(page)
    csp = next(a["content"] for t, a in reader.tags if t == "meta" and a.get("http-equiv"))
    assert csp is not None and csp.startswith("default-src 'none'")
    assert not [t for t, _ in reader.tags if t in ("link", "img", "iframe", "object", "image")]
    for _, attributes in reader.tags:
        assert attributes.get("src") is None
        assert re.match(r"#|fits/[\w/.-]+$|[\w-]+\.(csv|json|md)$", attributes.get("href") or "#"), attributes
    assert "@import" not in page and "url(http" not in page


def test_figures_are_named_svg_with_colours_of_their_own(page: str):
    figures = re.findall(r'<svg [^>]*class="figure".*?</svg>', page, re.DOTALL)
    assert len(figures) >= 3, "ratios, error against warm and against cold seconds"
    for figure in figures:
        root = ElementTree.fromstring(figure)
        assert root.get("role") == "img"
        title = root[0]
        assert title.tag.endswith("title") and title.text
    main = next(f for f in figures if "against warm seconds on s0-exponential</title>" in f)
    assert 'stroke="#0033ff"' in main and "target 0.01" in main
    assert all(name in main for name in ("numpyro.nuts", "pyro.svi[guide=normal]", "torch.adam[objective=map]"))


def test_same_tables_same_bytes(tables: RunTables, page: str):
    shuffled = dataclasses.replace(
        tables,
        metrics=tables.metrics.sample(frac=1, random_state=1),
        curves=tables.curves.sample(frac=1, random_state=2),
    )
    again = report(tables)
    assert html.render(again) == page
    assert markdown.render(again) == markdown.render(made(tables))
    assert plain(sections(shuffled)[0].verdict.sentence) == plain(made(tables).sections[0].verdict.sentence)


def test_a_report_that_is_ready_compiles_no_template(tables: RunTables, undrawn: None):
    html._environment.cache_clear()
    html.ready()
    compiled = {name for _, name in html._environment().cache}
    html.render(made(tables))
    assert {name for _, name in html._environment().cache} == compiled > {"report.html.j2"}


def test_notes_and_limits_are_said(tables: RunTables, page: str):
    for text in (read(page).text, markdown.render(made(tables)).replace("\\", "")):
        assert "The model assumes sigma = 0.1; the data were made with 0.01." in text
        assert "no coverage estimate" in text
        assert "Priors: weights ~ normal(0, 10), sigma ~ exponential(2)." in text
        assert "draws are independent by construction" in text
        assert "python -m bench run -b" in text


def test_numbers_keep_full_precision_beside_the_text(tables: RunTables, page: str):
    warm = made(tables).sections[0].rows[0].warm
    assert f'data-v="{warm!r}"' in page


def test_quick_suite_stays_short(make: Callable[..., RunTables]):
    quick = make(scenarios=("a", "b", "c", "d"), reps=2, rounds=1)
    text = markdown.render(report(quick))
    assert len(text.splitlines()) < 200
    assert text.count("No verdict") == 4
    assert any("no ranking below 5 fits" in w for w in warnings(quick))


def test_empty_metrics_and_curves_make_a_report(tables: RunTables):
    bare = dataclasses.replace(tables, metrics=tables.metrics.iloc[:0], curves=tables.curves.iloc[:0])
    text = markdown.render(made(bare))
    assert "No backend met" in text or "No verdict" in text
    assert "no R-hat could be computed" in text and "the density of q is not stated" in text
    assert 'data-name="error' not in html.render(made(bare)), "seconds are there, errors are not"


def test_frames_with_nullable_types_give_the_same_report(tables: RunTables):
    nullable = {name: getattr(tables, name).convert_dtypes() for name in ("fits", "metrics", "curves")}
    nullable["metrics"]["part"] = nullable["metrics"]["part"].replace("", pd.NA)
    assert markdown.render(report(dataclasses.replace(tables, **nullable))) == markdown.render(made(tables))


def test_an_infinite_error_is_shown_and_makes_no_bad_json(tables: RunTables):
    worse = tables.metrics.copy()
    worse.loc[(worse["backend"] == "pyro.svi") & worse["metric"].isin(["b2", "b2_avg"]), "value"] = float("inf")
    page = html.render(report(dataclasses.replace(tables, metrics=worse)))
    assert "b²_max ∞, target 0.01" in page and "Infinity" not in page


def test_notes_of_a_backend_are_shown_once(tables: RunTables, undrawn: None):
    noted = tables.fits.assign(notes="")
    noted.loc[noted["backend"] == "torch.adam", "notes"] = "sigma is plug-in · lr·λmax/2 = <0.66>"
    again = dataclasses.replace(tables, fits=noted)
    for text in (
        read(html.render(made(again))).text,
        markdown.render(made(again)).replace("&lt;", "<").replace("&gt;", ">"),
    ):
        assert text.count("sigma is plug-in") == 1 == text.count("lr·λmax/2 = <0.66>")


def test_frames_read_from_csv_give_the_same_report(tables: RunTables):
    def through_csv(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.read_csv(StringIO(frame.to_csv(index=False)))

    again: dict[str, Any] = {name: through_csv(getattr(tables, name)) for name in ("fits", "metrics", "curves")}
    assert markdown.render(report(dataclasses.replace(tables, **again))) == markdown.render(made(tables))


def test_the_report_shows_which_densities_were_verified(standard: RunTables, undrawn: None):
    entry = {
        "framework": "torch", "scenario": "a<b", "dtype": "float64", "verdict": "same", "reason": "",
        "value_error": 3.2e-13, "gradient_error": 1e-12, "gate": 1e-9,
    }  # fmt: skip
    wrong = {**entry, "framework": "pyro", "verdict": "wrong", "reason": "wrong target: off by 3.1e-02"}
    absent = {**entry, "framework": "numpyro", "verdict": "unavailable", "reason": "not installed", "value_error": None}
    page = html.render(report(with_facts(standard, verified=[entry, wrong, absent])))
    assert "3 densities, 1 with the same target" in page
    assert "a&lt;b" in page and "a<b" not in page
    assert "3e-13" in page and "wrong target: off by 3.1e-02" in page and "not installed" in page
    assert "Same target" not in html.render(made(standard))
