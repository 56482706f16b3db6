"""report.html: one file, no network, complete without scripts."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from bench.reports import format as fmt
from bench.reports import provenance
from bench.reports.clean import clean
from bench.reports.columns import GROUP_TITLES, WORDS, columns, coverage_note
from bench.reports.figures import error_against_seconds, styles
from bench.reports.matrix import backends, footer, matrix, overall
from bench.reports.sections import GROUPS, Section, sections
from bench.reports.sentence import Sentence
from bench.reports.tables import RunTables

if TYPE_CHECKING:
    from jinja2 import Template

MAX_FIGURES = 12
TAGS = {"": Markup("{}"), "b": Markup("<strong>{}</strong>"), "i": Markup("<em>{}</em>")}
UNSAFE = "<>&\u2028\u2029"


def render(tables: RunTables) -> str:
    """The run as one self-contained HTML page; the same tables give the same bytes."""
    found = sections(tables)
    return _template().render(
        title=f"posterior-bench {clean(str(tables.run.get('id', '')))}".strip(),
        context=provenance.context(tables),
        warnings=provenance.warnings(tables),
        command=provenance.command(tables),
        environment=provenance.environment(tables),
        targets=provenance.targets(tables),
        sections=found,
        anchors={s.title: f"s{i}" for i, s in enumerate(found)},
        columns=columns,
        groups=GROUPS,
        group_titles=GROUP_TITLES,
        words=WORDS,
        backends=backends(found),
        matrix=matrix(found),
        footer=footer(found),
        overall=overall(found),
        figures=_figures(found),
        coverage_note=coverage_note,
        results=_embedded(found),
    )


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("bench.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_finalized,
    )  # fmt: skip
    env.filters |= {"sentence": _sentence, "exact": fmt.exact, "clean": clean, "backend": _backend}
    return env.get_template("report.html.j2")


def _finalized(value: Any) -> Any:
    """Whatever text the template shows, without what a reader's eye would obey; markup of our own as it is."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sentence(sentence: Sentence) -> Markup:
    return Markup("").join(TAGS[part.style].format(escape(clean(part.text))) for part in sentence)


def _backend(label: str) -> Markup:
    """A label that may break after a dot, an opening bracket or a comma, and nowhere else."""
    return Markup("<wbr>").join(escape(piece) for piece in re.split(r"(?<=[.,])|(?=\[)", clean(label)) if piece)


def _figures(found: list[Section]) -> dict[str, list[Markup]]:
    """SVGs per section, warm and cold; warm alone when both would exceed the page's limit, then the first sections."""
    style = styles(found)
    both = 2 * len(found) <= MAX_FIGURES
    drawn = {}
    for section in found[: MAX_FIGURES // 2 if both else MAX_FIGURES]:
        kinds = (False, True) if both else (False,)
        made = ((cold, error_against_seconds(section, style, cold=cold)) for cold in kinds)
        drawn[section.title] = [_accessible(svg, section, cold) for cold, svg in made if svg]
    return drawn


def _accessible(svg: str, section: Section, cold: bool) -> Markup:
    title = escape(f"Error b²_avg against {'cold' if cold else 'warm'} seconds on {section.title}; data in the table")
    opening, rest = svg.split(">", 1)
    opening = re.sub(r'(<svg )(.*?)width="([\d.]+)" height="[\d.]+"', r'\1role="img" \2width="\3"', opening, count=1)
    # Trusted markup: Vega escapes what it draws, and the title is escaped here.
    return Markup(f"{opening}><title>{title}</title>{rest}")  # noqa: S704


def _embedded(found: list[Section]) -> Markup:
    """The numbers of the tables as JSON that cannot end its script element."""
    text = json.dumps(list(_numbers(found)), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in UNSAFE:
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704


def _numbers(found: Iterable[Section]) -> Iterable[dict[str, Any]]:
    for section in found:
        for row in section.rows:
            values = {c.key: c.cell(row, section).value for c in columns(section) if c.key != "status"}
            # JSON has no infinities; the table says them in words.
            numbers = {k: v if v is not None and math.isfinite(v) else None for k, v in values.items()}
            yield {
                "scenario": section.scenario, "track": section.track, "backend": row.label, "kind": row.kind,
                "state": row.state, "reason": clean(row.reason), "reps": row.reps, "planned": row.planned, **numbers,
            }  # fmt: skip
