"""The page in a real browser: quiet, offline, sortable, its state in the address, accessible, without scripts too."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.contender import HOW, MARGIN, ONCE
from bench.analysis.sections import report, sections
from bench.present.html import report as html
from bench.present.html import results
from bench.words import format as fmt
from tests.present.states import SCENARIOS, STATES, several

playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; Debian: apt-get install chromium")

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The address of a canned page; each is written once."""
    folder, made = tmp_path_factory.mktemp("pages"), dict[str, str]()
    runs = STATES | {"several": several, "paged": several}

    def address(name: str) -> str:
        if name not in made:
            file = folder / f"{name.replace(' ', '-')}.html"
            with pytest.MonkeyPatch.context() as patch:
                if name == "paged":  # as if there were too many rows
                    patch.setattr(results, "WHOLE", 20)
                    patch.setattr(results, "PAGE", 10)
                file.write_text(html.render(report(runs[name]())), encoding="utf-8")
            made[name] = file.as_uri()
        return made[name]

    return address


@pytest.fixture
def opened(browser: Any, pages: Callable[[str], str]) -> Iterator[Callable[..., Any]]:
    """Opens a canned page; at the end of the test none may have complained or asked the network for anything."""
    contexts, heard = [], list[str]()

    def open_(name: str, at: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": WIDE, "accept_downloads": True, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on(
            "request", lambda request: None if local(request.url) else heard.append(f"asked for {request.url[:99]}")
        )
        page.goto(pages(name) + at)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not heard


def local(url: str) -> bool:
    """The page itself, and pictures it makes of itself."""
    return (url.startswith("file:") and url.split("#")[0].endswith(".html")) or url.startswith(("data:", "blob:"))


def backends(page: Any) -> list[str]:
    return page.eval_on_selector_all(
        "#table tr[data-fit] th", "cells => cells.filter(c => c.checkVisibility()).map(c => c.textContent)"
    )


def address(page: Any) -> str:
    """Where the page says it is; `page.url` hears of it a moment later."""
    return page.evaluate("location.href")


def column(page: Any, key: str) -> list[float | None]:
    """Values of the shown rows that met the target."""
    return page.evaluate(
        """key => {
          const at = [...document.querySelectorAll("#table thead th")].findIndex(h => h.dataset.key === key);
          return [...document.querySelectorAll("#table tr.state-met")].filter(r => r.checkVisibility())
            .map(r => r.cells[at].dataset.v === undefined ? null : Number(r.cells[at].dataset.v));
        }""",
        key,
    )


ON_SCREEN = """() => [...document.querySelectorAll("main p, main li, main h2, main svg text")]
  .filter(n => n.checkVisibility() && n.getBoundingClientRect().bottom <= innerHeight)
  .map(n => n.textContent).join("\\n")"""


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("state", ["clear", "no difference shown", "trade-off", "only one", "none"])
def test_five_questions_are_answered_on_the_first_screen(opened: Callable[..., Any], state: str, size: dict[str, int]):
    """Which one, once and for many; how much faster than the next; how sure; on which problem; what of the fast one."""
    page = opened(state, viewport=size)
    section, said = sections(STATES[state]())[0], page.evaluate(ON_SCREEN)
    compared = [(HOW[q], a) for q, a in section.verdict.answers.items() if a.ratios]
    assert f"Data and model: {section.name}" in said and "50 rows" in section.name
    for how, answer in compared if size is WIDE else compared[:1]:
        ratio = answer.ratios[answer.rival]
        assert how.capitalize() in said and answer.leader in said and answer.rival in said
        assert f"{fmt.times(ratio.value)} ({fmt.interval(ratio.low, ratio.high)})" in said
        assert f"{ratio.faster} of {ratio.rounds} rounds" in said
        assert f"grey: within {MARGIN}×, too small to matter" in said
    if compared and size is NARROW:
        heads = page.locator(".front:visible .card .head").all_inner_texts()
        assert said.count(heads[1]) and page.locator(".in-short:visible").inner_text().endswith(heads[1])
    assert "as exact as 100 independent draws" in said
    if not compared:
        assert {"only one": "Only a.nuts met the target", "none": "a.nuts, the error of 20 draws"}[state] in said
        assert "target not met" in said or "alone met the target" in said
    if size is WIDE:
        assert "pyro.svi[guide=normal]" in said and "off target: the error of 2 draws" in said
        assert page.locator("#matrix h2").bounding_box()["y"] < size["height"], "the matrix begins"


@pytest.mark.parametrize(
    "options",
    [
        {"color_scheme": "light"},
        pytest.param({"color_scheme": "dark"}, marks=pytest.mark.slow),
        pytest.param({"color_scheme": "light", "viewport": NARROW}, marks=pytest.mark.slow),
        {"color_scheme": "light", "reduced_motion": "reduce", "print": True},
    ],
    ids=["light", "dark", "narrow", "print"],
)
def test_no_serious_barrier(opened: Callable[..., Any], options: dict[str, Any]):
    printed = options.pop("print", False)
    page = opened("clear", **options)
    if printed:
        page.emulate_media(media="print")
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = axe.Axe().run(page).response["violations"]
    bad = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]
    assert not bad


@pytest.mark.parametrize("name", ["clear", "several", "paged"])
def test_nothing_is_wider_than_a_phone(opened: Callable[..., Any], name: str):
    page = opened(name, "#s=all" if name != "clear" else "", viewport=NARROW)
    page.evaluate("for (const part of [...document.querySelectorAll('details')].slice(0, 30)) part.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_headers_sort_and_what_met_the_target_stays_on_top(opened: Callable[..., Any]):
    page = opened("several", "#s=all")
    head = page.locator("#table thead th[data-key=warm]")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rising = column(page, "warm")
    assert len(rising) == 2 * len(SCENARIOS) and rising == sorted(rising)
    states = page.eval_on_selector_all("#table tr[data-fit]", "rows => rows.map(row => row.className)")
    met = [state == "state-met" for state in states]
    assert met == sorted(met, reverse=True)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "warm") == rising[::-1]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert len(backends(page)) == len(sections(several())) * len(sections(several())[0].rows)


def test_filters_and_their_counts_agree_with_the_rows(opened: Callable[..., Any]):
    page = opened("several", "#s=all")
    every = len(backends(page))
    box = page.locator("#controls label", has_text="mcmc").first
    count = int(box.inner_text().split("(")[1].rstrip(")"))
    box.locator("input").check()
    assert len(backends(page)) == count < every
    assert page.locator("#controls .said").inner_text() == f"{count} of {every} rows"
    page.locator("#controls input[type=search]").fill("NUMPYRO")
    assert set(backends(page)) == {"numpyro.nuts"} and len(backends(page)) == len(SCENARIOS)
    page.get_by_role("button", name="Clear filters").click()
    assert len(backends(page)) == every


def test_what_was_chosen_survives_a_reload_and_comes_with_the_link(
    opened: Callable[..., Any], pages: Callable[[str], str]
):
    page = opened("several")
    page.locator("#controls select").select_option("s4-linear")
    page.locator("#controls label", has_text="mcmc").first.locator("input").check()
    page.locator("#table thead th[data-key=b2_max] button").click()
    page.locator("#cols-dia").check()
    before = backends(page), column(page, "b2_max"), address(page)
    assert "s=s4-linear" in address(page) and "kind=mcmc" in address(page) and "sort=b2_max" in address(page)
    page.reload()
    assert (backends(page), column(page, "b2_max"), address(page)) == before
    assert page.locator("#table thead th[data-key=r_hat]").is_visible()
    assert page.locator(".front:visible").get_attribute("data-scenario") == "s4-linear"
    again = opened("several", address(page).removeprefix(pages("several")))
    assert backends(again) == before[0]
    page.go_back()
    assert page.locator(".front:visible").get_attribute("data-scenario") == SCENARIOS[0]


def test_a_row_leads_to_its_fit_and_a_link_to_it_opens_it(opened: Callable[..., Any]):
    page = opened("several")
    page.locator("#table tbody a", has_text="pyro.nuts").nth(1).click()
    fit = page.locator("details.fit[open]")
    assert fit.count() == 1 and "pyro.nuts" in (fit.get_attribute("data-name") or "")
    assert "fit=s0-exponential%2Fpyro.nuts" in address(page)
    assert (
        fit.locator("pre.command").first.inner_text().startswith("python -m bench run -s s0-exponential -b pyro.nuts")
    )
    again = opened("several", "#fit=hard-funnel/pyro.svi[guide=normal]")
    assert again.locator("details.fit[open]").get_attribute("data-name") == "hard-funnel/pyro.svi[guide=normal]"


def test_the_shown_view_can_be_taken_away(opened: Callable[..., Any]):
    page = opened("several", "#s=s4-linear&kind=mcmc&sort=warm")
    texts = {}
    for name in ("Markdown", "CSV", "LaTeX", "JSON"):
        page.locator(".columns-menu + .tools select").select_option(name)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download", exact=True).click()
        texts[name] = Path(download.value.path()).read_text(encoding="utf-8")
    table = list(csv.reader(StringIO(texts["CSV"])))
    shown = backends(page)
    assert [line[0] for line in table[1:]] == shown == [row["backend"] for row in json.loads(texts["JSON"])]
    warm = [float(line[table[0].index("warm")]) for line in table[1:] if line[1] == "met target"]
    assert warm == column(page, "warm"), "numbers in full"
    assert texts["Markdown"].count("\n") == len(shown) + 2 and "| numpyro.nuts |" in texts["Markdown"]
    assert texts["LaTeX"].startswith("\\begin{tabular}{l") and "numpyro.nuts & " in texts["LaTeX"]
    marked = [row.get("target_prorated", False) for row in json.loads(texts["JSON"])]
    place = table[0].index("each further fit, to target detail")
    assert marked == ["prorated" in line[place] for line in table[1:]]
    assert any(marked) and "$\\approx$" in texts["LaTeX"]
    assert not set("×²–−≥≈µ") & set(texts["LaTeX"]) and "b$^2$\\_max" in texts["LaTeX"]


def test_figures_can_be_isolated_and_saved(opened: Callable[..., Any]):
    page = opened("clear")
    page.locator(".scenario .tools button", has_text="numpyro.nuts").first.click()
    dim = page.locator("svg.figure .dim").count()
    assert 0 < dim < page.locator("svg.figure [class^=series-]").count()
    page.reload()
    assert page.locator("svg.figure .dim").count() == dim, "with the link too"
    figure = page.locator(".scenario figure.picture").first
    figure.locator("summary").click()
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            figure.get_by_role("button", name=f"as {kind}").click()
        assert Path(download.value.path()).read_bytes().startswith(start)


def test_a_baseline_of_the_readers_turns_every_ratio_and_comes_with_the_link(opened: Callable[..., Any]):
    page = opened("clear")
    section = sections(STATES["clear"]())[0]
    before = page.locator(".matrix:visible").inner_text()
    page.locator("#bases select").select_option("pyro.nuts")
    ratio = section.verdict.answers[ONCE].ratios["pyro.nuts"]
    times, interval = fmt.times(1 / ratio.value), fmt.interval(1 / ratio.high, 1 / ratio.low)
    cell = page.locator(".matrix:visible td[data-b='numpyro.nuts']")
    assert cell.inner_text().split("\n") == [times, interval, "faster"], "the inverse of the ratio to the leader"
    based = page.locator(".card:visible .based li").first.inner_text()
    assert based == f"numpyro.nuts {times} as long as pyro.nuts ({interval}): faster"
    assert "base=pyro.nuts" in address(page) and not page.locator(".card .forest").first.is_visible()
    page.reload()
    assert cell.inner_text().startswith(times)
    page.locator("#bases select").select_option("")
    assert page.locator(".matrix:visible").inner_text() == before


def test_a_backend_under_the_pointer_or_the_focus_stands_out_everywhere(opened: Callable[..., Any]):
    page = opened("clear")
    page.locator(".matrix:visible td[data-b='numpyro.nuts']").hover()
    assert page.locator("#table tr.lit th").inner_text() == "numpyro.nuts"
    assert page.locator("svg.figure .dim").count() > 0
    page.locator("h1").hover()
    assert page.locator(".lit").count() == 0 and page.locator("svg.figure .dim").count() == 0
    page.locator("#table tbody a", has_text="pyro.nuts").nth(1).focus()
    assert page.locator(".matrix:visible td.lit").get_attribute("data-b") == "pyro.nuts"


@pytest.mark.parametrize("name", ["clear", "several"])
def test_a_phone_needs_few_screens_until_details_are_asked_for(opened: Callable[..., Any], name: str):
    page = opened(name, viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * NARROW["height"]
    assert not page.locator(".matrix").first.is_visible() and not page.locator("#table").is_visible()
    page.locator(".front:visible .others a").first.click()
    assert page.locator("details.fit[open]").is_visible(), "a link into a folded part opens it"
    sizes = "marks => marks.map(m => m.getBoundingClientRect().height).filter(h => h > 0)"
    assert min(page.eval_on_selector_all(".forest svg text", sizes)) > 11, "labels that can be read"


def test_many_rows_come_page_by_page(opened: Callable[..., Any]):
    page, whole = opened("paged", "#s=all"), opened("several", "#s=all")
    rows = page.locator("#table tbody:not(.hidden) tr")
    assert rows.count() == 10
    page.get_by_role("button", name="Next").click()
    assert "11–20 of 27" in page.locator("#pager").inner_text() and "page=1" in address(page)
    page.reload()
    assert "11–20 of 27" in page.locator("#pager").inner_text()
    for shown in (page, whole):
        shown.locator("#cols-eff").check()
        shown.locator("#table thead th[data-key=warm] button").click()
    first = column(page, "warm")
    assert len(first) == 6 and first == pytest.approx(column(whole, "warm"), rel=1e-5), "from the data as from the page"
    # The numbers of notes depend on the order of the rows, nothing else does.
    texts = "rows => rows.map(row => row.innerText.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, ''))"
    there = "#table tbody:not(.hidden) tr"
    assert page.eval_on_selector_all(there, texts) == whole.eval_on_selector_all(there, texts)[:10]
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    assert rows.count() == 7 and page.get_by_role("button", name="Next").is_disabled()


@pytest.mark.parametrize("name", ["clear", "several"])
def test_without_scripts_everything_is_there(opened: Callable[..., Any], pages: Callable[[str], str], name: str):
    page = opened(name, java_script_enabled=False)
    assert page.locator(".front:visible").count() == 1 and page.locator(".front:visible .card").count() == 2
    assert page.locator("#table tbody tr[data-fit]:visible").count() == len(
        [row for section in sections(several() if name == "several" else STATES[name]()) for row in section.rows]
    )
    assert page.locator(".scenario:visible").count() == (len(SCENARIOS) if name == "several" else 1)
    assert not page.locator("#controls").is_visible(), "nothing that would do nothing"
    page.locator("#cols-pha").check()
    assert page.locator("#table thead th.x-pha").first.is_visible()
    page.locator("details.fit summary").first.click()
    assert page.locator("details.fit pre.command").first.is_visible()
    if name == "several":
        page.locator(".picker a", has_text="hard-funnel").click()
        assert page.locator(".front:visible").get_attribute("data-scenario") == "hard-funnel"
        page.emulate_media(media="print")
        assert page.locator(".front:visible").count() == len(SCENARIOS) + 1, "paper shows every scenario"


def test_keys_reach_what_the_mouse_does(opened: Callable[..., Any]):
    page = opened("several")
    button = page.locator("#table thead th[data-key=cold] button")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("#table thead th[data-key=cold]").get_attribute("aria-sort") == "ascending"
    page.locator("#cols-eff").focus()
    page.keyboard.press("Space")
    assert "cols=efficiency" in address(page)
    outline = button.evaluate("(node) => { node.focus(); return getComputedStyle(node).outlineStyle }")
    assert outline != "none"


def test_printing_opens_what_is_folded(opened: Callable[..., Any]):
    page = opened("clear")
    folded = page.locator("details:not([open])").count()
    assert folded > 5
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded
    assert page.pdf(format="A4").startswith(b"%PDF")
