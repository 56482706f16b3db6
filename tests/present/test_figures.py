"""Figures as they are drawn: named, well-formed, escaped, the same bytes, no text upon another, small."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from importlib.resources import files
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bench.analysis.contender import QUESTIONS
from bench.analysis.seconds import times
from bench.analysis.sections import sections
from bench.analysis.tables import RunTables
from bench.calibration import bands
from bench.calibration.quantities import ALPHA, BAND_ALPHA, Quantity, Ranked
from bench.comparison.measures import MEASURES
from bench.comparison.series import Change, Point, Series
from bench.present import figures
from bench.present.figures import Figure, spec
from bench.present.figures.calibrated import difference
from bench.present.palette import COLOURS, DARK, GRID, INK, MUTED
from bench.words import format as fmt
from tests.present.conftest import FAKES, Fake

SECONDS = MEASURES["seconds_total"]

Make = Callable[..., RunTables]
HOSTILE = "x.nuts[a=<script>alert(1)</script>&\"']"
SVG = "{http://www.w3.org/2000/svg}"


def swept(make: Make) -> RunTables:
    """Four sizes, of which one backend grows faster than the other; and memory and phases to draw."""
    runs = []
    for n in (100, 1000, 10_000):
        fakes = (Fake("a.nuts", "mcmc", 0.03 * n / 100, 0.002, seed=1), Fake("b.nuts", "mcmc", 0.2, 0.003, seed=2))
        runs.append(make((*fakes, *FAKES[3:6]), scenarios=(f"s4-linear[n_obs={n}]",)))
    fits, metrics, curves = (pd.concat([getattr(r, t) for r in runs]) for t in ("fits", "metrics", "curves"))
    fits = fits.assign(peak_rss_bytes=3e8 + 1e6 * fits["rep"], seconds_sample=fits["seconds_total"])
    return RunTables(runs[0].run, fits, with_parameters(metrics), curves)


def with_parameters(metrics: pd.DataFrame) -> pd.DataFrame:
    """The same, with errors of each parameter, one of them far out."""
    rows = []
    for _, first in metrics.drop_duplicates("cell").iterrows():
        key = {k: first[k] for k in ("run", "cell", "scenario", "backend")}
        for i, part in enumerate(("weights[0]", "weights[1]", "bias", "sigma")):
            values = {"mean_error_sd": 0.2 * i, "sd_ratio_log": -0.1, "sd": 0.9, "recovery_error": 0.3}
            if part == "sigma" and first["backend"] == "pyro.svi":
                values["mean_error_sd"] = -40.0
            rows += [{**key, "rep": 0, "metric": m, "part": part, "value": v} for m, v in values.items()]
    return pd.concat([metrics, pd.DataFrame(rows)], ignore_index=True)


def ranked() -> Ranked:
    rng, n, draws = np.random.default_rng(0), 100, 63
    ranks = {f"weights[{i}]": rng.integers(0, draws + 1, n).astype(float) for i in range(7)}
    ranks["sigma"] = np.zeros(n)
    quantities = tuple(
        Quantity(name, r, bands.p_value(r, draws), "too narrow" if name == "sigma" else "", (), 1.0, 1.0)
        for name, r in ranks.items()
    )
    outer = bands.band(n, draws, ALPHA / len(ranks))
    return Ranked(quantities, draws, True, 0, bands.band(n, draws, BAND_ALPHA), outer, ())


def series(levels: list[float], *steps: tuple[int, float, float]) -> Series:
    points = tuple(
        Point(f"r{i}", f"2026-01-{1 + i:02d}T00:00:00Z", f"{i:07x}", False, v, v - 0.1, v + 0.1, 5, "ok")
        for i, v in enumerate(levels)
    )
    changes = tuple(Change(*step, worse=True, material=True, causes=()) for step in steps)
    return Series("c", "s4", "a.nuts", "ci", "", points, changes)


def history() -> Figure:
    made = figures.history_figure(series([1.0 + (i >= 12) for i in range(20)], (12, 1.0, 2.0)), SECONDS)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def made(make: Make) -> list[Figure]:
    """Every figure there is."""
    run = swept(make)
    found = sections(run)
    style = figures.styles(found)
    of_sections = [f for section in found[:1] for f in figures.of_section(section, style)]
    of_run = figures.of_run(found, style, run, calibrations={"s4 × a.nuts": ranked()})
    return [*of_sections, *of_run, history()]


@pytest.fixture(scope="module")
def svgs(made: list[Figure]) -> dict[str, str]:
    return figures.draw(made)


def test_all_kinds_are_made_in_order(made: list[Figure]):
    kinds = [f.kind for f in made]
    assert kinds[0] == "ratios"
    assert set(kinds) == {
        "ratios", "error-seconds-warm", "error-seconds-cold", "error-gradients", "pareto-seconds", "pareto-memory",
        "phases", "parameters", "seeds", "solved", "profile", "samplers", "scaling-n-obs", "calibration",
        "history",
    }  # fmt: skip
    assert len({f.key for f in made}) == len(made)
    assert all(re.fullmatch(r"[a-z0-9-]+", f.key) and f.title and f.caption and f.table for f in made)


def test_drawn_figures_are_named_images_without_scripts(made: list[Figure], svgs: dict[str, str]):
    for figure in made:
        root = ElementTree.fromstring(svgs[figure.key])
        assert (root.get("role"), root.get("aria-label"), root[0].text) == ("img", figure.title, figure.title)
        assert root[0].tag == f"{SVG}title" and root.get("viewBox") and root.get("height") is None
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= {"svg", "title", "g", "path", "line", "text", "tspan", "rect", "defs", "clipPath"}
        assert not re.search(r"https?://(?!www\.w3\.org)|href|<style", svgs[figure.key])


def test_every_figure_is_small(svgs: dict[str, str]):
    for key, svg in svgs.items():
        assert len(re.findall(r"<(?:path|rect|line|text)\b", svg)) <= 300, key
        assert len(svg) < 50_000, key


def test_every_colour_has_one_for_dark_pages(svgs: dict[str, str]):
    css = (files("bench.present.html") / "templates" / "figures.css.j2").read_text()
    assert set(DARK) == {INK, MUTED, GRID, *COLOURS}
    for light, dark in DARK.items():
        for attribute in ("fill", "stroke"):
            assert f'[{attribute}="{light}"] {{ {attribute}:{dark} }}' in css
    for key, svg in svgs.items():
        used = set(re.findall(r'(?:fill|stroke)="(?!none|transparent)([^"]+)"', svg))
        assert used <= set(DARK), key


def test_light_and_dark_colours_are_seen(svgs: dict[str, str]):
    """Contrast of WCAG 2: marks 3:1 on white and 4.5:1 on the dark page, text 4.5:1 on both."""
    for light, dark in DARK.items():
        if light == GRID:
            continue
        assert contrast(light, "#ffffff") >= (4.5 if light in (INK, MUTED) else 3.0), light
        assert contrast(dark, "#14171c") >= 4.5, dark


def contrast(one: str, other: str) -> float:
    """Of WCAG 2.2."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted(luminance(c) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_text_is_large_enough_and_none_lies_upon_another(svgs: dict[str, str]):
    for key, svg in svgs.items():
        boxes = list(texts(ElementTree.fromstring(svg), (0.0, 0.0)))
        assert boxes and min(b.size for b in boxes) >= 11, key
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                assert not a.meets(b), f"{key}: {a.text!r} and {b.text!r}"


@dataclasses.dataclass(frozen=True)
class Box:
    """A level text's box, its width estimated from below: sans-serif letters are at least 0.45 em on average."""

    text: str
    size: float
    left: float
    bottom: float

    def meets(self, other: Box) -> bool:
        wide, wide2 = (0.45 * b.size * len(b.text) for b in (self, other))
        across = self.left < other.left + wide2 and other.left < self.left + wide
        return across and abs(self.bottom - other.bottom) < 0.75 * max(self.size, other.size)


def texts(element: ElementTree.Element, at: tuple[float, float]) -> list[Box]:
    """Boxes of all texts that are not turned."""
    transform = element.get("transform", "")
    for x, y in re.findall(r"translate\((-?[\d.]+),\s*(-?[\d.]+)\)", transform):
        at = (at[0] + float(x), at[1] + float(y))
    if element.tag != f"{SVG}text":
        return [box for child in element for box in texts(child, at)]
    if "rotate" in transform:
        return []
    text, size = "".join(element.itertext()), float(element.get("font-size", "0").removesuffix("px"))
    back = {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
    return [Box(text, size, at[0] - back * 0.45 * size * len(text), at[1])]


def test_tick_labels_are_the_numbers(svgs: dict[str, str]):
    """Places are rounded to tenths of a pixel, texts are not."""
    svg = next(v for k, v in svgs.items() if k.startswith("error-seconds-warm"))
    assert ">0.001<" in svg and ">0.00<" not in svg
    assert not re.search(r'transform="[^"]*\.\d{2}', svg)


def test_elements_of_a_backend_share_a_class(svgs: dict[str, str]):
    for kind in ("error-seconds-warm", "pareto-seconds", "ratios", "seeds"):
        svg = next(v for k, v in svgs.items() if k.startswith(kind))
        assert {"series-0", "series-1"} <= set(re.findall(r'class="([^"]+)"', svg))
        assert "aria-roledescription" not in svg
    root = ElementTree.fromstring(next(v for k, v in svgs.items() if k.startswith("error-seconds-warm")))
    tags = {e.tag.removeprefix(SVG) for e in root.iter() if e.get("class") == "series-0"}
    assert {"path", "text"} <= tags


def test_ids_are_the_figures_own(svgs: dict[str, str]):
    ids = [i for svg in svgs.values() for i in re.findall(r' id="([^"]+)"', svg)]
    assert ids and len(ids) == len(set(ids))
    for svg in svgs.values():
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) == set(re.findall(r' id="([^"]+)"', svg))


def test_same_tables_same_bytes(make: Make, made: list[Figure], svgs: dict[str, str]):
    assert figures.draw(made[:4]) == {f.key: svgs[f.key] for f in made[:4]}
    run = swept(make)
    shuffled = RunTables(
        run.run,
        run.fits,
        run.metrics.sample(frac=1, random_state=1),
        run.curves.sample(frac=1, random_state=2),
    )
    found = sections(shuffled)
    again = figures.of_section(found[0], figures.styles(found))
    assert [f.spec for f in again] == [f.spec for f in made[: len(again)]]


def test_hostile_names_are_text(make: Make):
    tables = make((Fake(HOSTILE, "mcmc", 0.1, 0.002, seed=1), Fake("b.nuts", "mcmc", 0.4, 0.002)), scenarios=("<b>&",))
    found = sections(tables)
    drawn = figures.draw(figures.of_section(found[0], figures.styles(found)))
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)
        assert "<b>&" in (root[0].text or "") and "<script" not in svg
    assert any("<script>" in "".join(ElementTree.fromstring(svg).itertext()) for svg in drawn.values())


def test_what_is_left_out_is_said(make: Make):
    many = tuple(Fake(f"f{i % 3}.m{i}", "mcmc", 0.1 * (i + 1), 0.002, seed=i) for i in range(16))
    found = sections(make(many))
    made = {f.kind: f for f in figures.of_section(found[0], figures.styles(found))}
    assert "4 slower backends are not drawn" in made["ratios"].caption
    assert "4 backends of the table are not drawn" in made["error-seconds-warm"].caption
    assert spec.left_out(1, "slower backend").strip() == "1 slower backend is not drawn."
    drawn = figures.draw([made["error-seconds-warm"], made["ratios"]])
    assert "4 slower backends are not drawn." in drawn[made["ratios"].key]
    for key, svg in drawn.items():
        boxes = list(texts(ElementTree.fromstring(svg), (0.0, 0.0)))
        assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i]), key


def test_whose_average_is_below_a_target_that_it_missed_is_said_to_have_missed_it(make: Make):
    """b²_avg of these runs is half their b²_max, which is what the target asks."""
    pair = (Fake("a.nuts", "mcmc", 0.4, 0.002), Fake("b.laplace", "vi", 0.1, 0.015), Fake("c.svi", "vi", 0.1, 0.05))
    found = sections(make(pair))
    figure = next(f for f in figures.of_section(found[0], figures.styles(found)) if f.kind == "error-seconds-warm")
    texts = {row["text"] for layer in figure.spec["layer"] for row in layer["data"]["values"] if "text" in row}
    assert {"a.nuts", "b.laplace, off target", "c.svi", "target 0.01"} <= texts
    assert figures.solved_figure(found, figures.styles(found)).title.endswith("over 1 scenario")


def test_nothing_measured_nothing_drawn(make: Make):
    bad = make((Fake("a.nuts", "mcmc", status="crashed"), Fake("b.nuts", "mcmc", status="timeout")))
    run = RunTables(bad.run, bad.fits, make(FAKES).metrics.iloc[:0], bad.curves)
    found = sections(run)
    assert figures.of_section(found[0], {}) == [] and figures.of_run(found, {}, run) == []


def test_forest_says_the_leaders_seconds_and_the_ratios(make: Make):
    """Against the verdict's own numbers; an interval that goes on and on is cut off with an arrow."""
    tables = make((*FAKES[:3], Fake("wild.nuts", "mcmc", 0.5, 0.002, spread=6.0, seed=9)))
    section = sections(tables)[0]
    forests = figures.of_section(section, figures.styles([section]))[:2]
    for figure, question in zip(forests, QUESTIONS, strict=True):
        shown = [layer["data"]["values"] for layer in figure.spec["layer"]]
        rows = {row["row"]: row for row in next(v for v in shown if "top" in v[0] and len(v) == 3)}
        answer = section.answer(question)
        leader = next(r for r in section.rows if r.label == answer.leader)
        seconds = sorted(times(leader.tables, question, leader.score, finish=False).values())
        assert rows[leader.label]["x"] == 1.0
        assert rows[leader.label]["text"] == f"fastest, {fmt.seconds(seconds[2], about=True)}"
        for name, ratio in answer.ratios.items():
            assert rows[name]["x"] == ratio.value
    wild, tame = answer.ratios["wild.nuts"], answer.ratios["pyro.nuts"]
    assert (rows["pyro.nuts"]["low"], rows["pyro.nuts"]["high"]) == (tame.low, tame.high)
    assert rows["wild.nuts"]["low"] > wild.low or rows["wild.nuts"]["high"] < wild.high
    assert any("triangle" in str(row.get("shape")) for row in shown[-1])


def test_ecdf_difference_of_known_ranks():
    """All truths below every draw: the ECDF is 1 from the first cell on."""
    sigma = ranked().quantities[-1]
    at = np.arange(65) / 64
    assert difference(sigma, 63) == pytest.approx(np.where(at > 0, 1.0, 0.0) - at, abs=1e-12)


def test_history_shows_steps_along_one_line():
    made = figures.history_figure(series([1.0 + i for i in range(6)], (3, 1.0, 1.5)), SECONDS)
    assert made is not None
    rows = [layer["data"]["values"] for layer in made.spec["layer"] if layer["mark"]["type"] == "line"]
    assert [[v["x"] for v in r] for r in rows] == [[0, 1, 2, 3, 4, 5]]
    texts_ = [v["text"] for layer in made.spec["layer"] for v in layer["data"]["values"] if "text" in v]
    assert "1.50×" in texts_
    assert figures.history_figure(series([]), SECONDS) is None


def test_png_is_the_same_figure_on_white(made: list[Figure]):
    png = figures.png(made[0], scale=1)
    assert png.startswith(b"\x89PNG") and len(png) > 2000
