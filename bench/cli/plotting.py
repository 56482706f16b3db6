"""Pictures of stored fits: which fits, which pictures, which files."""

from __future__ import annotations

import re
from pathlib import Path

from bench.cli.output import ERR, OUT
from bench.disk.durable import unwritable
from bench.errors import UsageError, described, unknown
from bench.present import plots
from bench.present.plots import canvas
from bench.present.plots.subject import Subject
from bench.score.stored import DamagedDraws, Problems, choose, load_scored
from bench.store.folder import RunFolder


def draw(
    results: Path, run: str, kind: str, scenario: str, backends: list[str], rep: int | None, out: Path | None
) -> None:
    """Draw the chosen fits of a run as pictures of one kind, and print where they are; UsageError."""
    if kind not in plots.KINDS:
        raise unknown("kind of picture", kind, plots.KINDS)
    if out is not None and out.suffix.lower() not in canvas.SUFFIXES:
        raise UsageError(f"--out {out} is not allowed; a name that ends in {' or '.join(canvas.SUFFIXES)}")
    folder = RunFolder.open(results, run)
    chosen, failed = _subjects(folder, scenario, backends, rep)
    subjects, skipped = _applicable(chosen, kind)
    if skipped and (not subjects or not _is_glob(scenario, *(backends))):
        raise UsageError("; ".join(skipped))
    drawn = _grouped(subjects, kind)
    if out is None and (folder.path / "plots").is_symlink():
        raise UsageError(f"{folder.path / 'plots'} is a symbolic link, which is not followed; use --out FILE")
    if out is not None and len(drawn) > 1:
        raise UsageError(f"--out names one file, but {len(drawn)} pictures are asked for: {', '.join(drawn)}")
    for line in [*failed, *skipped]:
        ERR.print(f"left out: {line}")
    broken = []
    for name, shown in drawn.items():
        file = out or folder.path / "plots" / f"{name}{'' if rep is None else f'-rep{rep}'}-{kind}.png"
        try:
            picture = plots.draw(kind, shown)
        except Exception as error:  # noqa: BLE001 -- what one fit holds costs no other its picture
            broken.append(f"{name} cannot be drawn: {described(error)}")
            continue
        canvas.save(picture, file)
        OUT.print(str(file))
    if broken and len(broken) == len(drawn):
        raise UsageError("; ".join(broken))
    for line in broken:
        ERR.print(f"left out: {line}")


def _subjects(
    folder: RunFolder, scenario: str, backends: list[str], rep: int | None
) -> tuple[list[tuple[str, Subject]], list[str]]:
    """Every chosen fit once, with the id of its cell, by scenario; and why others have none."""
    choices = [choose(folder, scenario, name, rep) for name in backends]
    chosen = {s.entry.id: s for stored, _ in choices for s in stored}
    reasons = list(dict.fromkeys(reason for _, failed in choices for reason in failed))
    problems = Problems(folder, folder.manifest().seed)
    # by data set, so that each exact posterior is computed once
    ordered = sorted(chosen.values(), key=lambda s: (s.scenario, s.record.rep))
    subjects = []
    for s in ordered:
        try:
            scored = load_scored(folder, s, problems)
        except DamagedDraws as error:
            reason = str(error)
        except UsageError:
            raise
        except Exception as error:
            if unwritable(error):
                raise
            reason = f"{s.entry.name}, rep {s.record.rep} cannot be read: {described(error)}"
        else:
            subjects.append((s.entry.id, Subject(scored, s.scenario, s.backend, s.record.rep)))
            continue
        if len(ordered) == 1:
            raise UsageError(reason)
        reasons.append(reason)
    return subjects, reasons


def _applicable(subjects: list[tuple[str, Subject]], kind: str) -> tuple[list[tuple[str, Subject]], list[str]]:
    """The fits that the kind applies to, and why the others are left out."""
    reasons = [plots.why_not(kind, subject) for _, subject in subjects]
    return [s for s, reason in zip(subjects, reasons, strict=True) if not reason], [r for r in reasons if r]


def _grouped(subjects: list[tuple[str, Subject]], kind: str) -> dict[str, list[Subject]]:
    """{file stem: fits of one picture}; cells of one label, such as two budgets, are told apart by their id."""
    pictures: dict[str, list[Subject]] = {}
    labels = [(s.scenario, s.backend) for _, s in subjects]
    if kind == "forest":
        for scenario, rep in dict.fromkeys((s.scenario, s.rep) for _, s in subjects):
            together = [s for _, s in subjects if (s.scenario, s.rep) == (scenario, rep)]
            reps = {s.rep for _, s in subjects if s.scenario == scenario}
            several = "all" if len(together) > 1 else together[0].backend
            pictures[stem(scenario, several, f"rep{rep}" if len(reps) > 1 else "")] = together
        return pictures
    for (cell, subject), label in zip(subjects, labels, strict=True):
        pictures[stem(*label, cell if labels.count(label) > 1 else "")] = [subject]
    return pictures


def stem(*names: str) -> str:
    """Names joined by dashes, without what a shell or a file system minds."""
    return "-".join(re.sub(r"[^\w.=,]+", "-", name).strip("-") for name in names if name)


def _is_glob(*names: str) -> bool:
    return any(c in name for name in names for c in "*?")
