"""report.md: verdicts, one table per scenario, failures, environment."""

from __future__ import annotations

import re

from bench.reports.clean import clean
from bench.reports.columns import GROUP_TITLES, WORDS, columns, coverage_note
from bench.reports.matrix import overall
from bench.reports.provenance import command, context, environment, warnings
from bench.reports.sections import GROUPS, Row, Section, sections
from bench.reports.sentence import Sentence
from bench.reports.tables import RunTables

MARKS = {"": "", "b": "**", "i": "*"}


def render(tables: RunTables) -> str:
    """The run as GitHub-flavoured Markdown; the same tables give the same bytes."""
    found = sections(tables)
    lines = ["# Which backend", "", escape(context(tables)), ""]
    lines += [f"> {escape(warning)}" for warning in warnings(tables)] + [""]
    lines += [f"- {_sentence(s.verdict.sentence)}" for s in found]
    lines += [f"- {_sentence(overall(found))}"] if overall(found) else []
    for section in found:
        lines += ["", *_section(section)]
    lines += ["", *_failures(found), "", *_environment(tables)]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that Markdown and HTML leave alone, on one line."""
    text = " ".join(clean(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)


def _sentence(sentence: Sentence) -> str:
    return "".join(f"{MARKS[p.style]}{escape_part(p.text)}{MARKS[p.style]}" for p in sentence)


def escape_part(text: str) -> str:
    """`escape`, keeping the spaces that join the parts of a sentence."""
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{lead}{escape(text)}{trail}" if text.strip() else text


def _section(section: Section) -> list[str]:
    lines = [f"## {escape(section.title)}", ""]
    lines += [escape(str(section.about["description"])), ""] if section.about.get("description") else []
    lines += [f"Priors: {escape(section.priors)}.", ""] if section.priors else []
    lines += [f"> Note: {escape(str(note))}" for note in section.about.get("notes", ())]
    lines += [""] if section.about.get("notes") else []
    extra = [_sentence(s) for s in (*section.verdict.why_not, section.verdict.how_sure) if s]
    lines += [" ".join(extra), ""] if extra else []
    lines += _table(section)
    if section.notes:
        lines += ["", *(f"- `{_code(name)}`: {escape(note)}" for name, note in section.notes)]
    return [*lines, "", f"*{coverage_note(section)}*"] if coverage_note(section) else lines


def _table(section: Section) -> list[str]:
    shown = columns(section)
    lines = [
        "| " + " | ".join(["backend", *(escape(c.title) for c in shown)]) + " |",
        "|" + " --- |" * 2 + " ---: |" * (len(shown) - 1),
    ]
    for group in GROUPS:
        rows = section.group(group)
        if rows and group != "posterior":
            lines.append(f"| *{GROUP_TITLES[group]}* |" + " |" * len(shown))
        lines += ["| " + " | ".join([f"`{_code(row.label)}`", *_cells(section, row)]) + " |" for row in rows]
    return lines


def _cells(section: Section, row: Row) -> list[str]:
    cells = []
    for column in columns(section):
        cell = column.cell(row, section)
        joiner = ": " if column.key == "status" or cell.text == "n/a" else " "
        small = cell.small if joiner == ": " or not cell.small else f"({cell.small})"
        cells.append(escape(joiner.join(filter(None, [cell.text, small]))))
    return cells


def _failures(found: list[Section]) -> list[str]:
    rows = [(s, r) for s in found for r in s.rows if r.state not in ("met", "reference", "point")]
    if not rows:
        return ["## Failures and flags", "", "None: every fit finished and passed its diagnostics."]
    lines = ["## Failures and flags", "", "These rows stay in the tables and are not ranked.", ""]
    for section, row in rows:
        where = f"{escape(section.title)} × `{_code(row.label)}`"
        lines.append(f"- {where}: **{WORDS[row.state]}**: {escape(row.reason) or 'no reason was recorded'}")
        if log := row.log:
            lines[-1] += f" (log: `{_code(log[0])}`)"
    return lines


def _environment(tables: RunTables) -> list[str]:
    lines = ["## Environment", "", f"    {clean(command(tables)).replace(chr(10), ' ')}", "", "| | |", "| --- | --- |"]
    return lines + [f"| {escape(name)} | {escape(value)} |" for name, value in environment(tables)]


def _code(text: str) -> str:
    return clean(text).replace("`", "'").replace("|", "\\|").replace("\n", " ")
