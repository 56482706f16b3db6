"""A history as GitHub-flavoured Markdown, short enough for a comment."""

from __future__ import annotations

from bench.compare.measures import Measure
from bench.compare.series import Series
from bench.present import gfm
from bench.present.gfm import escape
from bench.present.history import words
from bench.words import format as fmt


def render(found: list[Series], measure: Measure, *, level: float, everything: bool) -> str:
    """Headline, steps, a row per series; runs of each under folds with `everything`. Cut with a word at CHARACTERS."""
    return gfm.cut(len(found), lambda kept: _text(found, kept, measure, level, everything=everything))


def _text(found: list[Series], kept: int, measure: Measure, level: float, *, everything: bool) -> str:
    shown = sorted(found, key=lambda s: (not s.ends_worse, not s.steps))[:kept]
    lines = [f"### {escape(words.headline(found, measure))}", ""]
    steps = [(one, change) for one in shown for change in one.steps]
    lines += [f"- {escape(one.name)}: {escape(words.step(measure, one, change))}" for one, change in steps]
    lines += [""] if steps else []
    titles = ("cell", "machine", "runs", "first", "latest", "95 %", "steps")
    lines += gfm.table(titles, (_row(one, measure) for one in shown), "llrrrrr")
    if kept < len(found):
        lines += ["", f"*{fmt.count(len(found) - kept, 'more row')} cut here for length; `--format json` has all.*"]
    if everything:
        lines += [line for one in shown for line in _runs(one, measure)]
    return "\n".join([*lines, "", f"*{escape(words.method(level))}*"]) + "\n"


def _row(one: Series, measure: Measure) -> list[str]:
    last = one.points[-1]
    latest = words.value(measure, last.value) if last.value is not None else last.status
    first = one.measured[0].value if one.measured else None
    told = [one.name, one.machine, str(len(one.points)), words.value(measure, first), latest]
    return [*map(escape, told), escape(words.interval(measure, last)), str(len(one.steps))]


def _runs(one: Series, measure: Measure) -> list[str]:
    rows = []
    for p in one.points:
        level = words.value(measure, p.value) if p.value is not None else p.status
        cells = (p.run, p.when[:16], words.commit(p), level, words.interval(measure, p))
        rows.append([*map(escape, cells)])
    return gfm.fold(escape(one.name), gfm.table(("run", "when", "commit", "value", "95 %"), rows, "lllrr"))
