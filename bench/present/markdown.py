"""report.md: verdicts, a table of choices, and under folds the matrix, every row, failures, environment."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.contender import HOW, MARGIN, QUESTIONS
from bench.analysis.sections import GROUPS, QUIET, Report, Row, Section
from bench.analysis.tables import RunTables
from bench.present import gfm
from bench.present.cells import MEASURED, PRORATED, status_words, to_target
from bench.present.columns import COLUMNS, GROUP_TITLES, Column, coverage_notes
from bench.present.gfm import CHARACTERS, MARKER, code, escape, fold
from bench.present.matrix import Matrix, full, overall
from bench.present.provenance import TARGETED, command, context, environment, fact, warnings
from bench.present.reproduce import remedy
from bench.words import format as fmt
from bench.words.clean import clean
from bench.words.sentence import Sentence

MARKS = {"": "", "b": "**", "i": "*"}
LINES = 200
"""At most: nobody reads a longer comment."""
VERDICTS = 12
REASON = 300
"""Characters of a reason in the list of failures; the page has all of it."""


def render(report: Report) -> str:
    """The run as GitHub-flavoured Markdown, at most LINES lines and CHARACTERS characters; same tables, same bytes.

    What does not fit is left out, the least needed first, and a sentence says what.
    """
    sections = report.sections
    top, bottom = _top(report), _bottom(report)
    choices, matrix, failures = _choices(sections), _matrix(sections), _failures(report)
    notes = [f"*{escape(note)}*" for note in coverage_notes(sections)]
    rows = fold("Every row, by scenario", [*(line for section in sections for line in _section(section)), *notes])
    facts = fold("Environment", _environment(report.tables))
    forms = (
        [*top, *choices, *matrix, *rows, *failures, *facts, *bottom],
        [*top, *choices, *matrix, *failures, *bottom, *_left_out("the rows of each scenario and the list of versions")],
        [*top, *choices, *bottom, *_left_out(
            "the matrix of scenarios × backends, the rows of each scenario, failures and the list of versions")],
        [*top, *_left_out("everything but the verdicts")],
    )  # fmt: skip
    for form in forms:
        text = "\n".join([MARKER, "### Which backend", "", *form]) + "\n"
        if len(text) <= CHARACTERS and text.count("\n") < LINES:
            return text
    return _cut(text)


def _left_out(what: str) -> list[str]:
    return ["", f"*Cut here for length: {what}. [report.html](report.html) has them.*"]


def _cut(text: str) -> str:
    """The lines that fit, and a sentence for the rest: labels or warnings of this run are long beyond reason."""
    end = "*The rest is cut for length; [report.html](report.html) has it.*\n"
    lines = text[: CHARACTERS - len(end) - 2].splitlines()[: LINES - 3]
    return "\n".join([*lines[:-1], "", end])


def _top(report: Report) -> list[str]:
    """Context, warnings, and the first verdicts; where the rest are."""
    sections = report.sections
    lines = [escape(context(report.tables)), "", escape(TARGETED), ""]
    if sentences := warnings(report.tables):
        lines += [*(f"> {escape(warning)}  " for warning in sentences), ""]
    for section in sections[:VERDICTS]:
        verdict = section.verdict
        below = (verdict.made_of, *verdict.warnings)
        lines += [f"- {_sentence(verdict.sentence)}", *(f"  - {_sentence(line)}" for line in below if line)]
        if needed := remedy(section, report.tables.run):
            lines.append(f"  - Next: {code(needed)}")
    if len(sections) > VERDICTS:
        lines.append(f"- … and {len(sections) - VERDICTS} verdicts more; [report.html](report.html) has them all.")
    total = overall(sections)
    return [*lines, f"- {_sentence(total)}"] if total else lines


def _choices(sections: Sequence[Section]) -> list[str]:
    titles = ("scenario", "for", "choose", "time to target", "next", "ratio (95 %)", "how sure")
    return ["", *gfm.table(titles, (_choice(s, question) for s in sections for question in QUESTIONS), "lllrlrl")]


def _choice(section: Section, question: str) -> list[str]:
    """One line on a question: who to choose, the next that met the target, and what is known of the difference."""
    answer = section.answer(question)
    of = f": {section.name}" if section.name != section.title else ""
    head = [escape(f"{section.title}{of}"), QUESTIONS[question]]
    leader = next((row for row in section.rows if section.leads(row, question)), None)
    if leader is None:
        return [*head, fmt.NONE, fmt.NONE, fmt.NONE, fmt.NONE, answer.state]
    choose = " or ".join(f"**{code(name)}**" for name in answer.best_group[:3])
    if len(answer.best_group) > 3:
        choose += f" or {len(answer.best_group) - 3} more"
    seconds = to_target(leader, section, question)
    text = seconds.text + (f" ({seconds.small})" if seconds.small else "")
    if not answer.ratios:
        return [*head, choose, text, fmt.NONE, fmt.NONE, answer.state]
    rival, ratio = min(answer.ratios.items(), key=lambda item: (item[1].value, item[0]))
    size = f"{fmt.times(ratio.value)} ({fmt.interval(ratio.low, ratio.high)})"
    sure = f"faster in {ratio.faster} of {ratio.rounds} rounds" if ratio.paired else "rounds of different runs"
    return [*head, choose, text, code(rival), size, f"{answer.state}; {sure}"]


def _matrix(sections: Sequence[Section]) -> list[str]:
    """Scenarios × backends, one matrix per question, with states as words; bold is the best group."""
    lines = []
    for question, how in HOW.items():
        finish = any(question in s.finish and s.answer(question).leader for s in sections)
        title = "Seconds, " if finish else "Seconds to the target, "
        lines += [f"{title}{how}:", "", *_table_of(full(sections, question)), ""]
    note = "Ratios are to the fastest, with 95 % intervals. **Bold**: best group. (!): ranked with a warning."
    return fold("Scenarios × backends", [*lines, note])


def _table_of(matrix: Matrix) -> list[str]:
    rows = []
    for title, _, shades in matrix.rows:
        cells = []
        for shade in shades:
            small = f" ({shade.cell.small})" if shade.cell.small else ""
            text = escape(f"{shade.cell.text}{' (!)' * shade.warned}{small}")
            cells.append(f"**{text}**" if shade.fill == "best" else text)
        rows.append([escape(title), *cells])
    rows += [[f"*{escape(title)}*", *map(escape, values)] for title, values in matrix.footer]
    return gfm.table(["scenario", *map(code, matrix.columns)], rows, "l" + "r" * len(matrix.columns))


def _bottom(report: Report) -> list[str]:
    """Where it was measured, with what seed and margin, and where the page is."""
    cpu, cpus, threads, commit, seed = (
        fact(report.tables, name) for name in ("host.cpu", "host.logical_cpus", "threads", "commit", "seed")
    )
    line = f"{cpu}, {cpus} CPUs · threads {threads} · commit {commit} · seed {seed} · margin {MARGIN}×"
    how = MEASURED if any(section.measured for section in report.sections) else PRORATED
    return ["", f"*{escape(how)}*", "", f"{escape(line)} · [report.html](report.html)"]


def _sentence(sentence: Sentence) -> str:
    return "".join(f"{MARKS[p.style]}{_escaped(p.text)}{MARKS[p.style]}" for p in sentence)


def _escaped(text: str) -> str:
    """`escape`, keeping the spaces that join the parts of a sentence."""
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{lead}{escape(text)}{trail}" if text.strip() else text


def _section(section: Section) -> list[str]:
    lines = [f"#### {escape(section.title)}", ""]
    lines += [escape(section.description), ""] if section.description else []
    lines += [f"Priors: {escape(section.about.priors_text)}.", ""] if section.about.priors_text else []
    lines += [f"> Note: {escape(note)}" for note in section.about.notes]
    lines += [""] if section.about.notes else []
    verdict = section.verdict
    extra = [_sentence(s) for s in (*verdict.why_not, verdict.how_sure) if s]
    lines += [*(f"- {line}" for line in extra), ""] if extra else []
    lines += _table(section)
    if section.notes:
        lines += ["", *(f"- {code(name)}: {escape(note)}" for name, note in section.notes)]
    return [*lines, ""]


def _table(section: Section) -> list[str]:
    shown = [column for column in COLUMNS if column.wanted(section)]
    lines: list[str | list[str]] = []
    for group in GROUPS:
        rows = section.group(group)
        if rows and group != "posterior":
            lines.append(f"*{GROUP_TITLES[group]}*")
        lines += [[code(row.label), *_cells(section, row, shown)] for row in rows]
    return gfm.table(["backend", *(escape(c.title) for c in shown)], lines, "ll" + "r" * (len(shown) - 1))


def _cells(section: Section, row: Row, shown: Sequence[Column]) -> list[str]:
    cells = []
    for column in shown:
        cell = column.cell(row, section)
        joiner = ": " if column.key == "status" or cell.text == "n/a" else " "
        small = cell.small if joiner == ": " or not cell.small else f"({cell.small})"
        cells.append(escape(joiner.join(filter(None, [cell.text, small]))))
    return cells


def _failures(report: Report) -> list[str]:
    rows = [(section, row) for section, row in report.rows if row.state not in QUIET or row.warning]
    if not rows:
        return ["", "Failures and flags: none; every fit finished and passed its diagnostics."]
    lines = ["These rows stay in the tables; but for those with a warning only they are not ranked.", ""]
    where = dict[str, list[str]]()
    for section, row in rows:
        why = escape(fmt.shortened(clean(row.reason or row.warning), REASON)) or "no reason was recorded"
        log = f" (log: {code(row.log[0])})" if row.log else ""
        where.setdefault(f"{code(row.label)}: **{status_words(row)}**: {why}{log}", []).append(escape(section.title))
    lines += [f"- {', '.join(titles)} × {what}" for what, titles in where.items()]
    return fold(f"Failures and flags ({len(rows)})", lines)


def _environment(tables: RunTables) -> list[str]:
    facts = ([escape(name), escape(value)] for name, value in environment(tables))
    return [*(f"    {line}" for line in command(tables).splitlines()), "", *gfm.table(("", ""), facts, "ll")]
