"""What `bench calibrate` shows and writes: tables, pictures, reports."""

from __future__ import annotations

from typing import Any

from bench.calibration import tables
from bench.calibration.trial import Trial
from bench.calibration.verdict import Verdict
from bench.cli import INTERRUPTED
from bench.cli.output import OUT, print_json
from bench.cli.plotting import stem
from bench.disk.durable import write_bytes
from bench.present import calibration_text, figures
from bench.present.calibration import Calibration
from bench.present.html import calibration as calibration_html
from bench.store import tables as store
from bench.store.folder import CalibrationFolder
from bench.store.manifest import CalibrationRun

PANELS = 12
"""Quantities that the picture of a cell shows, the least probable."""


def write(
    folder: CalibrationFolder, manifest: CalibrationRun, judged: list[tuple[Verdict, list[Trial]]]
) -> Calibration:
    """Tables, pictures, calibration.md and calibration.html from the stored data sets; the report is given back."""
    store.write(folder, "datasets", tables.datasets(folder.name, judged))
    store.write(folder, "calibration", tables.calibration(folder.name, judged))
    verdicts = [verdict for verdict, _ in judged]
    report = Calibration(manifest, verdicts, _pictures(folder, verdicts))
    write_bytes(folder.path / "calibration.md", calibration_text.markdown(report).encode())
    write_bytes(folder.path / "calibration.html", calibration_html.render(report).encode())
    return report


def _pictures(folder: CalibrationFolder, verdicts: list[Verdict]) -> dict[str, str]:
    """SVG of each cell that has ranks; written beside the report, and as PNG."""
    pictures: dict[str, str] = {}
    names = [stem(v.scenario, v.backend) for v in verdicts]
    for verdict, name in zip(verdicts, names, strict=True):
        if verdict.ranked is None:
            continue
        title = f"{verdict.backend} on {verdict.scenario}"
        figure = figures.calibration_figure(verdict.ranked, title, most=PANELS).alone(f"{title}: {verdict.sentence}")
        pictures[verdict.cell] = figures.draw([figure])[figure.key]
        base = f"{name}-{verdict.cell}" if names.count(name) > 1 else name
        file = folder.path / "plots" / f"{base}-ecdf.svg"
        file.parent.mkdir(exist_ok=True)
        write_bytes(file, pictures[verdict.cell].encode())
        write_bytes(file.with_suffix(".png"), figures.png(figure))
    return pictures


def show(folder: CalibrationFolder, report: Calibration, code: int, *, as_json: bool) -> None:
    """The table, where the report is, and, when interrupted, how to go on."""
    if as_json:
        outcome = {"calibration": folder.name, "path": folder.path, "report": folder.report, "exit": code}
        print_json(outcome | {"cells": [_plain(v) for v in report.verdicts]})
        return
    OUT.print(calibration_text.terminal(report))
    OUT.print(f"report: {folder.report}")
    if code == INTERRUPTED:
        OUT.print(f"interrupted; to go on: {folder.resume_command()}")


def _plain(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON."""
    fits, ranked = verdict.fits, verdict.ranked
    return {
        "cell": verdict.cell,
        "scenario": verdict.scenario,
        "backend": verdict.backend,
        "state": verdict.state,
        "sentence": verdict.sentence,
        "datasets": {"planned": verdict.planned, **fits.counts},
        "seconds_per_fit": fits.seconds,
        "compiles": fits.compiles,
        "seconds_compile": fits.compiled,
        "draws": ranked.draws if ranked else None,
        "coverage": [c._asdict() for c in ranked.coverage] if ranked else [],
        "quantities": [
            {
                "quantity": q.name,
                "outside": q.outside,
                "words": q.words,
                "p_value": q.p_value,
                "coverage": [c._asdict() for c in q.coverage],
            }
            for q in (ranked.quantities if ranked else ())
        ],
    }
