"""A history as GitHub-flavoured Markdown, short enough for a comment."""

from __future__ import annotations

from bench.compare.measures import Measure
from bench.compare.series import Series
from bench.present.history import words
from bench.present.markdown import CHARACTERS, escape
from bench.words import format as fmt


def render(found: list[Series], measure: Measure, *, level: float, everything: bool) -> str:
    """Headline, steps, a row per series; runs of each under folds with `everything`. Cut with a word at CHARACTERS."""
    kept = len(found)
    while len(text := _text(found, kept, measure, level, everything=everything)) > CHARACTERS and kept:
        kept = int(kept * 0.8)
    return text


def _text(found: list[Series], kept: int, measure: Measure, level: float, *, everything: bool) -> str:
    shown = sorted(found, key=lambda s: (not s.ends_worse, not s.steps))[:kept]
    lines = [f"### {escape(words.headline(found, measure))}", ""]
    steps = [(one, change) for one in shown for change in one.steps]
    lines += [f"- {escape(one.name)}: {escape(words.step(measure, one, change))}" for one, change in steps]
    lines += [""] if steps else []
    titles = ("cell", "machine", "runs", "first", "latest", "95 %", "steps")
    lines += [f"| {' | '.join(titles)} |", "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    lines += [f"| {' | '.join(_row(one, measure))} |" for one in shown]
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
    lines = ["", f"<details><summary>{escape(one.name)}</summary>", "", "| run | when | commit | value | 95 % |"]
    lines.append("| --- | --- | --- | ---: | ---: |")
    for p in one.points:
        told = words.value(measure, p.value) if p.value is not None else p.status
        cells = (p.run, p.when[:16], words.commit(p), told, words.interval(measure, p))
        lines.append(f"| {' | '.join(map(escape, cells))} |")
    return [*lines, "", "</details>"]
