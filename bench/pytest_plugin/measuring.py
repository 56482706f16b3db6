"""The selected benchmarks as one run of the harness: verify, fit, score; nothing of pytest in it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import pipeline
from bench.comparison.baseline import Source
from bench.measure.job import Limits
from bench.measure.lines import Lines
from bench.plan import Plan
from bench.score.run import score_run
from bench.store.folder import RunFolder
from bench.store.manifest import Run

Say = Callable[[str], None]


def measure(
    plan: Plan, names: Mapping[str, str], results: Path, limits: Limits, say: Say, about: Mapping[str, Any]
) -> Source:
    """Make a run in a folder of its own below `results`; its tables. KeyboardInterrupt where it was cut short.

    UsageError, StorageError or OSError where nothing can be written. `about` goes into run.json.
    """
    folder = RunFolder.create(results, None)
    manifest = _manifest(folder, plan, about)
    jobs = list(plan.jobs())
    watcher = Lines(say, jobs, names)

    with folder.held():
        finished = pipeline.fit(folder, plan, jobs, limits, manifest, watcher)
        if not finished:
            raise KeyboardInterrupt
        say("scoring")
        score_run(folder, lambda _: None)
    tables = pipeline.run_tables(folder)
    if about.get("report"):
        pipeline.write_tables(tables, folder.path)
    return Source(tables, str(folder.path), dict(names))


def _manifest(folder: RunFolder, plan: Plan, about: Mapping[str, Any]) -> Run:
    """What `bench run` writes before its first fit, with the command that makes this run without pytest."""
    chosen = {"threads": about["threads"]} if about.get("threads") else {}
    manifest = pipeline.start_manifest(folder, plan, chosen)
    manifest.command, manifest.pytest, manifest.options = _command(plan, about), about["pytest"], {}
    folder.write_manifest(manifest)
    return manifest


def _command(plan: Plan, about: Mapping[str, Any]) -> str:
    scenarios = dict.fromkeys(p.cell.scenario_label for p in plan.cells)
    backends = dict.fromkeys(p.cell.backend_label for p in plan.cells)
    words = [w for s in scenarios for w in ("-s", s)] + [w for b in backends for w in ("-b", b)]
    first = plan.cells[0]
    words += ["--budget", first.cell.budget, "--reps", str(first.reps), "--rounds", str(first.rounds)]
    words += [w for k, usual in (("track", "matched"), ("device", "cpu"), ("dtype", "float64"))
              if (v := getattr(first.cell, k)) != usual for w in (f"--{k}", v)]  # fmt: skip
    words += ["--seed", str(plan.seed)] if plan.seed else []
    words += ["--threads", str(about["threads"])] if about.get("threads") else []
    return shlex.join(["python", "-m", "bench", "run", *words])
