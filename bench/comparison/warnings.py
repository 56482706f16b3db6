"""What a reader must know before believing a comparison; each ends with the next command to type where there is one."""

from __future__ import annotations

import ast
import math
import shlex
from collections.abc import Iterator, Mapping
from statistics import median

from bench.analysis.disturbance import disturbance
from bench.analysis.tables import RunTables
from bench.comparison.expressions import parse
from bench.comparison.measures import MEASURES
from bench.comparison.rows import Comparison, Request, Row, Warned
from bench.measure.noise import DISTURBED
from bench.stats.intervals import MIN_UNITS
from bench.words import format as fmt
from bench.words import program

MANY = 4
ENOUGH_ROUNDS = 10


def warnings(comparison: Comparison, a: RunTables, b: RunTables, request: Request) -> Iterator[Warned]:
    """The gravest first."""
    for gate in comparison.unchecked:
        yield Warned(f"--fail-on {gate!r} could be checked in no cell: {_why(comparison, gate)}.")
    if (a.run.id, a.run.started) == (b.run.id, b.run.started):
        yield Warned("A and B are the same run.", again(b), "Next: make another, and compare with that")
    yield from _elsewhere(comparison, request)
    yield from _absent(comparison, a)
    yield from _unscored(a, b)
    changed = {row.name for row in comparison.rows if row.verdict == "code-changed"}
    if changed:
        yield Warned(
            f"{fmt.some(sorted(changed))}: the data are others than in A, so only status is compared.",
            again(a),
            "Next: make A again with today's scenarios",
        )
    for name, tables in (("A", a), ("B", b)):
        if loaded := disturbance(tables, tables.fits):
            yield Warned(f"The machine was not quiet during {name}: {loaded}.", again(tables, undisturbed=True))
    yield from _together(comparison, b)
    yield from _few_rounds(comparison, b)


def again(tables: RunTables, *, rounds: int | None = None, undisturbed: bool = False) -> str:
    """The command that makes a run again, under a new name; of one that was made from Python its call.

    It asks for so many `rounds`, which no earlier limit cuts short, or for children made anew that others disturbed.
    """
    line, kept_as = tables.run.command, shlex.split(program.KEPT)
    limit = min(DISTURBED, (tables.run.options or {}).get("max_disturbance") or DISTURBED) if undisturbed else None
    if line and not line.startswith(program.KEPT):
        return _called(line, {"rounds": rounds, "max_disturbance": limit})
    words = shlex.split(line)[len(kept_as) :] or ["run"]
    more: dict[str, float | None] = {"--rounds": rounds, "--max-rounds": None} if rounds else {}
    more |= {"--max-disturbance": limit} if limit and words[0] == "run" else {}
    kept, skip = list[str](), False
    for word in words:
        dropped = word.partition("=")[0] in ("--name", "--resume", *more)
        if not skip and not dropped:
            kept.append(word)
        skip = not skip and dropped and "=" not in word
    return program.command(*kept, *(word for flag, value in more.items() if value for word in (flag, value)))


def _called(line: str, more: Mapping[str, float | None]) -> str:
    """A call of Python with other values of some arguments, under a new name; what is no call stays as it is."""
    try:
        call = ast.parse(line, mode="eval").body
    except SyntaxError:
        return line
    if not isinstance(call, ast.Call):
        return line
    given = {name: value for name, value in more.items() if value}
    call.keywords = [k for k in call.keywords if k.arg not in ("name", *given)]
    call.keywords += [ast.keyword(name, ast.Constant(value)) for name, value in given.items()]
    return ast.unparse(call)


def _why(comparison: Comparison, gate: str) -> str:
    wanted = parse(gate)
    rows = [r for r in comparison.rows if r.metric == wanted.metric and wanted.covers(r.cell, r.scenario, r.backend)]
    return "; ".join(dict.fromkeys(f"{r.verdict}: {r.reason}" for r in rows)) or "no cell of both runs has this metric"


def _elsewhere(comparison: Comparison, request: Request) -> Iterator[Warned]:
    rows = [r for r in comparison.rows if r.verdict == "other-machine" or r.advisory]
    reasons = list(comparison.machine) or list(dict.fromkeys(r.reason for r in rows if r.verdict == "other-machine"))
    if not rows:
        return
    why = "; ".join(reasons) or "threads differ"
    if request.allow_other_machine:
        yield Warned(f"Not the same machine ({why}): times and memory are advice only, no exit code rests on them.")
    else:
        yield Warned(
            f"Not the same machine ({why}): times and memory are not compared.",
            program.command("compare", comparison.a, comparison.b, "--allow-other-machine"),
            "Next: make both runs on one machine, or see them as advice",
        )


def _absent(comparison: Comparison, a: RunTables) -> Iterator[Warned]:
    gone = [row for row in comparison.rows if row.verdict == "missing" and not row.metric]
    if not gone:
        return
    verb = "is" if len(gone) == 1 else "are"
    scenarios, backends = dict.fromkeys(r.scenario for r in gone), dict.fromkeys(r.backend for r in gone)
    words = [w for s in scenarios for w in ("-s", s)] + [w for x in backends for w in ("-b", x)]
    fits = a.fits[a.fits["cell"].isin([row.cell for row in gone])]
    for axis in ("budget", "track", "device", "dtype"):  # they are part of a cell's id
        if fits[axis].nunique() == 1:
            words += [f"--{axis}", str(fits[axis].iloc[0])]
    yield Warned(
        f"{fmt.count(len(gone), 'cell')} of A {verb} missing in B ({fmt.some([r.name for r in gone])}), so nothing is "
        f"known of {'it' if len(gone) == 1 else 'them'}; --fail-on missing makes that fail.",
        program.command("run", *words),
    )


def _unscored(a: RunTables, b: RunTables) -> Iterator[Warned]:
    for name, tables in (("A", a), ("B", b)):
        if tables.metrics.empty:
            score = program.command("score", tables.run.id)
            yield Warned(f"{name} is not scored, so only its fits are compared.", score)


def _together(comparison: Comparison, b: RunTables) -> Iterator[Warned]:
    """Cells of several frameworks that all moved the same way: more likely the machine than every framework's code."""
    rows = [r for r in comparison.rows if r.metric == "seconds_total" and r.estimate is not None]
    effects = [r.estimate.effect for r in rows if r.estimate is not None]
    frameworks = {r.backend.partition("[")[0].rpartition(".")[0] for r in rows}
    if len(effects) < MANY or len(frameworks) < 2 or not (min(effects) > 0 or max(effects) < 0):
        return
    shift = median(effects)
    if abs(shift) > MEASURES["seconds_total"].limit:
        yield Warned(
            f"All {len(effects)} cells of {len(frameworks)} frameworks became {'slower' if shift > 0 else 'faster'} "
            f"together (median {fmt.times(math.exp(shift))}), as they do when the machine did.",
            again(b),
            "Next: make B again beside A",
        )


def _few_rounds(comparison: Comparison, b: RunTables) -> Iterator[Warned]:
    timed = [r for r in comparison.rows if r.per == "round" and r.verdict == "inconclusive"]
    mute = [r for r in timed if r.estimate is None]
    widest = max((r.estimate.n_a for r in timed if r.estimate), default=0)
    rounds = max(ENOUGH_ROUNDS, 2 * widest)
    if mute:
        yield Warned(
            f"{fmt.count(len(mute), 'comparison')} of times or memory ({fmt.some(sorted({r.name for r in mute}))}) "
            f"without {MIN_UNITS} rounds in both runs: nothing can be said.",
            again(b, rounds=rounds),
            "Next, for both",
        )
    elif timed:
        yield Warned("What is inconclusive needs more rounds, in both runs.", again(b, rounds=rounds))


def worst(rows: list[Row]) -> Row | None:
    """The inconclusive row that leaves the largest change open, of the first metric that has one."""
    open_ = [r for r in rows if r.verdict == "inconclusive" and r.hides is not None and r.estimate is not None]
    if not open_:
        return None
    measure = next(measure for name, measure in MEASURES.items() if any(r.metric == name for r in open_))
    rows = [r for r in open_ if r.metric == measure.name]
    return max(rows, key=lambda r: (r.hides or 0.0) * (1 if measure.lower_is_better else -1))
