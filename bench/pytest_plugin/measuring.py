"""The selected benchmarks as one run of the harness: verify, fit, score; nothing of pytest in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import pipeline
from bench.comparison.baseline import Source
from bench.measure.job import Limits
from bench.measure.watchers import Lines
from bench.plan import Plan
from bench.score.run import score_run
from bench.words import program

Say = Callable[[str], None]


def measure(
    plan: Plan, names: Mapping[str, str], results: Path, limits: Limits, say: Say, about: Mapping[str, Any]
) -> Source:
    """Make a run in a folder of its own below `results`; its tables. KeyboardInterrupt where it was cut short.

    UsageError, StorageError or OSError where nothing can be written. `about` goes into run.json.
    """
    chosen, jobs = ({"threads": about["threads"]} if about.get("threads") else {}), list(plan.jobs())
    with pipeline.begun(results, None, plan, chosen, _command(plan, about)) as (folder, manifest):
        manifest.pytest, manifest.options = about["pytest"], {}
        folder.write_manifest(manifest)
        if not pipeline.fit(folder, plan, jobs, limits, manifest, Lines(say, jobs, names)):
            raise KeyboardInterrupt
        say("scoring")
        score_run(folder, lambda _: None)
    tables = pipeline.run_tables(folder)
    if about.get("report"):
        pipeline.write_tables(tables, folder.path)
    return Source(tables, str(folder.path), dict(names))


def _command(plan: Plan, about: Mapping[str, Any]) -> str:
    """What makes this run without pytest."""
    scenarios = dict.fromkeys(p.cell.scenario_label for p in plan.cells)
    backends = dict.fromkeys(p.cell.backend_label for p in plan.cells)
    words = [w for s in scenarios for w in ("-s", s)] + [w for b in backends for w in ("-b", b)]
    first = plan.cells[0]
    words += ["--budget", first.cell.budget, "--reps", str(first.reps), "--rounds", str(first.rounds)]
    words += [w for k, usual in (("track", "matched"), ("device", "cpu"), ("dtype", "float64"))
              if (v := getattr(first.cell, k)) != usual for w in (f"--{k}", v)]  # fmt: skip
    words += ["--seed", str(plan.seed)] if plan.seed else []
    words += ["--threads", str(about["threads"])] if about.get("threads") else []
    return program.kept("run", *words)
