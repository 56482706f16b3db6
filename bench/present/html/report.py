"""report.html: one file, no network, complete without scripts."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

from bench.analysis.contender import HOW, QUESTIONS
from bench.analysis.sections import GROUPS, Report
from bench.present import cells, columns, provenance
from bench.present.html import fairness, results
from bench.present.html import fits as details
from bench.present.html.flags import MOST_FAILED, failed, flags
from bench.present.html.fronts import front
from bench.present.html.pictures import pictures
from bench.present.html.uncompared import summary, uncompared
from bench.present.matrix import based, overall, view
from bench.present.templates import environment
from bench.store.manifest import Combined
from bench.words import format as fmt
from bench.words.clean import clean
from bench.words.sentence import Sentence

if TYPE_CHECKING:
    from jinja2 import Environment

TAGS = {"": Markup("{}"), "b": Markup("<strong>{}</strong>"), "i": Markup("<em>{}</em>")}
MOST_BYTES = 5 * 2**20


class Thinned(NamedTuple):
    """How much detail a page holds: fits with tables, fits with a section at all, hidden columns of paged rows."""

    full: int
    brief: int
    hidden: bool


LEVELS = (Thinned(150, 1000, True), Thinned(40, 400, True), Thinned(0, 200, False))
"""The next is tried where a page is larger than `MOST_BYTES`."""


def ready() -> None:
    """Compile the templates, as the first page would."""
    from jinja2 import meta

    templates, left = _environment(), {"report.html.j2"}
    assert templates.loader is not None
    while left:
        name = left.pop()
        source, _, _ = templates.loader.get_source(templates, name)
        left |= {other for other in meta.find_referenced_templates(templates.parse(source)) if other}
        templates.get_template(name)


def render(report: Report) -> str:
    """The run as one self-contained HTML page; the same tables give the same bytes."""
    shared = _shared(report)
    template = _environment().get_template("report.html.j2")
    page = ""
    for level in LEVELS:
        page = template.render(**shared, **_detailed(report, shared, level))
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _shared(report: Report) -> dict[str, Any]:
    tables, sections = report.tables, report.sections
    table = results.results(report)
    return {
        "title": f"posterior-bench {clean(tables.run.id)}".strip(),
        "report": report,
        "tables": tables,
        "alone": not isinstance(tables.run, Combined),
        "provenance": provenance,
        "sections": sections,
        "fronts": [front(section, table, tables.run) for section in sections],
        "overall": overall(sections),
        "based": {q: by for q, by in based(sections).items() if by},
        "matrices": [view(sections, question) for question in QUESTIONS],
        "table": table,
        "page_size": results.PAGE,
        "filters": results.FILTERS,
        "cells": cells,
        "columns": columns,
        "how": HOW,
        "questions": QUESTIONS,
        "groups": GROUPS,
        "pictures": pictures(sections, tables),
        "flags": flags(sections),
        "failed": failed(table.entries),
        "most_failed": MOST_FAILED,
        "uncompared": uncompared(sections),
        "compared": summary(sections),
        "fairness": fairness,
    }


def _detailed(report: Report, shared: dict[str, Any], level: Thinned) -> dict[str, Any]:
    entries = shared["table"].entries
    return {
        "details": details.details(report.tables.run, entries, full=level.full, brief=level.brief),
        "thinned": list(_thinned(entries, level, complete=shared["table"].complete)),
        "ratios": results.as_json(shared["based"]),
        "rest": results.embedded(shared["table"], hidden=level.hidden),
        "series": results.as_json(shared["pictures"].series),
    }


def _thinned(entries: tuple[Any, ...], level: Thinned, *, complete: bool) -> Iterator[str]:
    if sentence := details.left_out(len(entries), full=level.full, brief=level.brief):
        yield sentence
    if not complete and not level.hidden:
        yield "Rows beyond the first page have no hidden columns; they are in the run's tables."


@functools.cache
def _environment() -> Environment:
    return environment(
        sentence=_sentence, exact=fmt.exact, clean=clean, backend=_backend, digits=results.digits, anchor=_anchor
    )


def _sentence(sentence: Sentence) -> Markup:
    return Markup("").join(TAGS[part.style].format(escape(clean(part.text))) for part in sentence)


def _backend(label: str) -> Markup:
    """A label that may break after a dot, an opening bracket or a comma, and nowhere else."""
    return Markup("<wbr>").join(escape(piece) for piece in re.split(r"(?<=[.,_])|(?=\[)", clean(label)) if piece)


def _anchor(text: str) -> str:
    """Fit for a class or an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
