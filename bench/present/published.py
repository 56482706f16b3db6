"""Published runs as a site: an index in Markdown and HTML, and a page per scenario and backend with its history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from bench.analysis.combined import cpu_words
from bench.analysis.contender import HOW, QUESTIONS
from bench.analysis.sections import Report, Row, Section
from bench.comparison.measures import MEASURES
from bench.comparison.series import Series
from bench.present import figures, gfm, provenance
from bench.present.cells import status_words
from bench.present.figures import Figure
from bench.present.matrix import Shade, shade
from bench.present.templates import environment
from bench.store.manifest import Run
from bench.words import format as fmt
from bench.words.clean import clean
from bench.words.sentence import plain

KEPT = "The draws are not kept here: the command in each `run.json` makes them again."


class Published(NamedTuple):
    """A run of the index; `folder` is its place in it."""

    folder: str
    about: str
    fits: str
    machine: str
    versions: str
    date: str


KINDS = {"mcmc": "sampler", "vi": "variational inference", "point": "point estimate", "exact": "reference"}
MOST_DRAWN = 20
"""Histories drawn on a page."""
NAMED = ("torch", "pyro-ppl", "numpyro", "jax", "blackjax", "nutpie", "pymc", "httpstan")
"""Packages whose versions the list of runs names."""


def published(folder: str, run: Run, about: str) -> Published:
    """The entry of a run that lies in a folder of that name; `about` says what it compares."""
    scenarios, backends = {c.scenario_label for c in run.cells}, {c.backend for c in run.cells}
    amount = f"{fmt.count(len(scenarios), 'scenario')} × {fmt.count(len(backends), 'backend')}"
    suite = (run.options or {}).get("suite")
    named = f"suite {suite}: {amount}" if suite else amount
    used = {name.rpartition("/")[2]: version for name, version in reversed(run.versions.items())}
    return Published(
        folder,
        about or named,
        str(sum(c.reps * c.rounds for c in run.cells)),
        ", ".join(filter(None, [run.host.cpu or "a machine that the run does not name", cpu_words(run.host)])),
        ", ".join(f"{name} {used[name]}" for name in NAMED if name in used),
        (run.started or "")[:10],
    )


def markdown(runs: Sequence[Published]) -> str:
    """README.md of the folder."""
    rows = [
        [
            f"[{gfm.escape(r.folder)}]({r.folder}/report.md)",
            *map(gfm.escape, (r.about, r.fits, r.machine, r.versions, r.date)),
            f"[report.html]({r.folder}/report.html)",
        ]
        for r in runs
    ]
    head = ["run", "what it compares", "fits", "machine", "versions", "date", "report"]
    return "\n".join(["# Published runs", "", *gfm.table(head, rows, "llrllll"), "", KEPT, ""])


MEASURE = MEASURES["seconds_total"]
"""What the figures of a history show: the seconds of warm fits."""


class Fitted(NamedTuple):
    """What one backend did on one scenario in one run: a row of the pages of both."""

    run: Published
    section: Section
    row: Row
    shades: tuple[Shade, ...]

    @property
    def status(self) -> str:
        """What became of it, and why."""
        reason = clean(self.row.reason or self.row.warning).splitlines()
        return status_words(self.row) + (f": {reason[0]}" if reason else "")


class Part(NamedTuple):
    """The rows of one variant of a scenario, such as a size, by date: its label, what it is, where a link finds it."""

    name: str
    title: str
    beside: str
    anchor: str
    rows: tuple[Fitted, ...]


class Page(NamedTuple):
    """The page of a scenario, all its variants, or of a backend, which is one part: its file, name and title."""

    file: str
    name: str
    title: str
    beside: str
    parts: tuple[Part, ...]

    @property
    def at(self) -> dict[str, str]:
        """{label of a part: its address in the site}."""
        return {part.name: quote(self.file) + (part.anchor and f"#{quote(part.anchor)}") for part in self.parts}


def site(runs: Sequence[tuple[Published, Report]], histories: Sequence[Series]) -> dict[str, str]:
    """{file: its text}: README.md, index.html, a page per scenario and per backend and the style sheet of all of them.

    The same runs, the same bytes.

    `histories` are the seconds of cells over these runs; those of several runs are drawn.
    """
    fitted = [
        Fitted(run, section, row, tuple(shade(section, row, question) for question in QUESTIONS))
        for run, shown in sorted(runs, key=lambda one: (one[0].date, one[0].folder))
        for section, row in shown.rows
    ]
    scenarios = _pages("scenarios", fitted, lambda one: one.section.scenario, _entitled)
    backends = _pages("backends", fitted, lambda one: one.row.backend, _of_kind)
    files = {"README.md": markdown([run for run, _ in runs])}
    pictures = _histories(histories)
    templates = environment()
    shared = {"how": HOW, "targeted": provenance.TARGETED, "plain": plain}
    for kind, other, listed, others in (
        ("scenario", "backend", scenarios, backends), ("backend", "scenario", backends, scenarios)
    ):  # fmt: skip
        at = {label: place for page in others for label, place in page.at.items()}
        for page in listed:
            drawn = [one for one in pictures if page.name in (_bare(one[0].scenario), _bare(one[0].backend))]
            files[page.file] = templates.get_template("published_page.html.j2").render(
                page=page, kind=kind, other=other, at=at, drawn=drawn[:MOST_DRAWN], **shared
            )
    index = {"runs": [run for run, _ in runs], "kept": KEPT.replace("`", "")}
    listing = templates.get_template("published.html.j2")
    files["index.html"] = listing.render(scenarios=scenarios, backends=backends, **index)
    files["style.css"] = templates.get_template("published.css.j2").render()
    return files


def _entitled(one: Fitted) -> tuple[str, str]:
    """What a scenario is, with the name of its file beside it."""
    what, name = one.section.about.what, one.section.scenario
    return (what, name) if what else (name, "")


def _of_kind(one: Fitted) -> tuple[str, str]:
    return one.row.backend, KINDS[one.row.kind]


def _bare(label: str) -> str:
    return label.partition("[")[0]


def _pages(
    folder: str,
    fitted: Sequence[Fitted],
    label: Callable[[Fitted], str],
    entitled: Callable[[Fitted], tuple[str, str]],
) -> list[Page]:
    """A page per name, whose file no other has; labels that differ in brackets only are parts of one page."""
    by_name: dict[str, dict[str, list[Fitted]]] = {}
    for one in fitted:
        by_name.setdefault(_bare(label(one)), {}).setdefault(label(one), []).append(one)
    pages, taken = [], set[str]()
    for name in sorted(by_name, key=_natural):
        stem = re.sub(r"[^\w.=,]+", "-", name).strip("-.") or "page"
        while stem.lower() in taken:
            stem += "-"
        taken.add(stem.lower())
        parts = []
        for whole in sorted(by_name[name], key=_natural):
            rows = sorted(by_name[name][whole], key=lambda one: (_natural(one.section.title), _natural(one.row.label)))
            parts.append(
                Part(whole, *entitled(rows[-1]), "_".join(whole[len(name) :].strip("[]").split()), tuple(rows))
            )
        pages.append(Page(f"{folder}/{stem}.html", name, *_over(name, parts), tuple(parts)))
    return pages


def _over(name: str, parts: Sequence[Part]) -> tuple[str, str]:
    """The title of a page: that of its only part, or what all variants have in common, and how many there are."""
    if len(parts) == 1:
        return parts[0].title, parts[0].beside
    pieces = zip(*(part.title.split(", ") for part in parts if part.beside), strict=False)
    common = [piece for piece, *_ in takewhile(lambda those: len(set(those)) == 1, pieces)]
    variants = fmt.count(len(parts), "variant")
    return (", ".join(common), f"{name}, {variants}") if common else (name, variants)


def _natural(text: str) -> list[tuple[int, str]]:
    """Orders the numbers in names by their size."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", text)]


def _histories(found: Iterable[Series]) -> list[tuple[Series, Figure, Markup]]:
    """The drawings of the series with several points."""
    made = [(one, figures.history_figure(one, MEASURE)) for one in found if len(one.measured) > 1]
    shown = [(one, figure) for one, figure in made if figure is not None]
    svgs = figures.draw([figure for _, figure in shown]) if shown else {}
    return [(one, figure, Markup(svgs[figure.key])) for one, figure in shown]  # noqa: S704  # Vega escapes what it draws
