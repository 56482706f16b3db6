"""What happens around the items: choose, measure once, put everything into the JSON, gate, say it, set the exit code.

Exit codes, when fits were asked for (pytest's own otherwise): 0 ok · 1 regression, or tests failed that are no
benchmarks · 3 a fit failed, crashed, timed out, ran out of memory or was invalid · 5 no baseline · 6 not comparable.
pytest has the same numbers for other things (1 tests failed, 3 internal error, 4 usage, 5 nothing collected); what it
was is the line `bench gate: …`, and `outcome` in the file of --bench-gate-json.
"""

from __future__ import annotations

import json
import os
import shlex
import warnings
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.labels import distinct
from bench.comparison import document
from bench.comparison.baseline import NoBaseline, Source, baseline, usable
from bench.comparison.gate import Verdict, counted, judge, unfinished
from bench.comparison.rules import Rules, rules
from bench.errors import StorageError, UsageError
from bench.measure import guardian
from bench.measure.job import Limits
from bench.options import choice, positive
from bench.plan import Choice, Plan, Planned, make
from bench.present.gate import as_json, headline, render
from bench.pytest_plugin import adapter
from bench.pytest_plugin.facts import Result, results
from bench.pytest_plugin.items import Benchmark, Made
from bench.pytest_plugin.measuring import measure
from bench.words import format as fmt

NAME = "bench-session"
CHOICE = ("scenario", "backend", "suite", "budget", "track", "device", "dtype", "reps", "rounds", "seed", "threads")
NAMED = 5
"""Benchmarks that a sentence names at most."""
INTERRUPTED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)


def register(config: pytest.Config) -> None:
    """Take part in this session; pytest's usage error where that cannot be."""
    if not hasattr(config.option, "benchmark_json"):
        raise pytest.UsageError("--bench-suite needs pytest-benchmark: pip install 'posterior-bench[pytest]'")
    if config.getoption("dist", "no") != "no" or "PYTEST_XDIST_WORKER" in os.environ:
        raise pytest.UsageError(
            "--bench-suite measures, and fits that run beside one another cannot be timed (pytest-benchmark disables "
            "itself under xdist, too): leave out -n, or give -n 0"
        )
    config.addinivalue_line("markers", "bench: a scenario × backend of --bench-suite")
    try:
        config.pluginmanager.register(BenchSession(config), NAME)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


class BenchSession:
    """The benchmarks of one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.rules = self._rules()
        self.plan = make(self._choice())
        cells = [planned.cell for planned in self.plan.cells]
        self.names = distinct({cell.id: f"{cell.scenario_label}/{cell.backend_label}" for cell in cells})
        self.selected: list[Benchmark] = []
        self.source: Source | None = None
        self.problem = ""
        self.others_failed = self.fits_failed = False
        self._results: dict[str, Result] = {}
        self._stack = ExitStack()
        self._asked = False

    def option(self, name: str) -> Any:
        """What the user gave for --bench-NAME."""
        return self.config.getoption(f"bench_{name}")

    def _choice(self) -> Choice:
        chosen = {name: self.option(name) for name in CHOICE}
        if chosen["reps"] == 1:
            raise UsageError("--bench-reps 1 is not allowed; at least 2, for the first fit of a child is cold")
        positive("bench-timeout", self.option("timeout"))
        return choice({k: v for k, v in chosen.items() if v not in (None, [])})

    def _rules(self) -> Rules:
        options = {"fail_on": self.option("gate"), "baseline": self.option("baseline")}
        options |= {"strict": self.option("gate_strict"), "advice_only_ok": self.option("gate_advice_only_ok")}
        return rules(self.config.rootpath / "pyproject.toml", options)

    @property
    def gated(self) -> bool:
        """Whether the run is to be judged."""
        gates = [self.option(name) for name in ("gate", "gate_strict", "gate_json")]
        return any(gates) or bool(self.rules.baseline)

    def pytest_report_header(self) -> str:
        """What will be measured."""
        jobs = sum(p.rounds for p in self.plan.cells)
        base = self._baseline() if self.rules.baseline else None
        absent = f" (no baseline: {base})" if isinstance(base, NoBaseline) else ""
        gate = f", gate against {self.rules.baseline or 'no baseline'}{absent}" if self.gated else ""
        return f"bench: {len(self.plan.cells)} benchmarks, {jobs} children, {self.plan.fits} fits{gate}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the benchmarks, before anything is deselected."""

        parent: Made = Made.from_parent(session, name="bench", path=self.config.rootpath, nodeid="bench")
        items.extend(Benchmark.of(parent, self.names[p.cell.id], p, self.result) for p in self.plan.cells)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Measure what was neither deselected nor marked to be skipped."""

        chosen = [item for item in session.items if isinstance(item, Benchmark)]
        self.selected = [item for item in chosen if item.get_closest_marker("skip") is None]
        adapter.forget_untimed(self.config)
        if not self.selected:
            known = fmt.some(sorted(self.names.values()), NAMED)
            self._say(f"no benchmark is selected, none will be measured; there are {known}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Measure all of them when the first is due."""
        if isinstance(item, Benchmark) and item in self.selected and not self._asked:
            self._asked = True
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a user's filters are for the user's tests
                self._measure()

    def _measure(self) -> None:
        disabled = adapter.is_disabled(self.config)
        cells = tuple(_once(item.planned) if disabled else item.planned for item in self.selected)
        about = {"pytest": shlex.join(["pytest", *map(str, self.config.invocation_params.args)]),
                 "threads": self.option("threads"), "report": bool(self.option("results"))}  # fmt: skip
        place = Path(self.option("results") or self._stack.enter_context(guardian.scratch("pytest")))
        try:
            limits = Limits(timeout=self.option("timeout"))
            source = measure(Plan(cells, self.plan.seed), self.names, place, limits, self._say, about)
        except (UsageError, StorageError, OSError) as error:
            self.problem = f"nothing could be measured: {error}"
            return
        left_out = {self.names[p.cell.id] for p in self.plan.cells} - {item.name for item in self.selected}
        self.source = source._replace(deselected=frozenset(left_out))
        self._results = results(cells, self.source)

    def _say(self, text: str) -> None:
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self.config.get_verbosity() >= 0:
            reporter.ensure_newline()
            reporter.write_line(f"bench: {text}")

    def result(self, cell: str) -> Result | str:
        """What a benchmark came to, or why nothing could be measured."""
        return self.problem or self._results[cell]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell benchmarks that failed for their fits from whatever else failed."""
        if report.failed:
            cells = [item.planned.cell.id for item in self.selected if item.nodeid == report.nodeid]
            if any(cell in self._results and self._results[cell].status != "ok" for cell in cells):
                self.fits_failed = True
            else:
                self.others_failed = True

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Put the failed benchmarks back, and the run beside them."""
        if self.source is None:
            return
        timed = {entry["fullname"] for entry in output_json["benchmarks"]}
        for item in self.selected:
            result = self._results[item.planned.cell.id]
            if item.nodeid not in timed and result.status not in ("ok", "unsupported", "unavailable"):
                output_json["benchmarks"].append(adapter.untimed_entry(item, item.axes, result.info))
        output_json[document.KEY] = document.render(self.source.tables, self.names, self.source.deselected)

    @cached_property
    def verdict(self) -> Verdict | None:
        """The gate's, or what failed; None where no fit was made or nothing is wrong and no gate was asked for."""
        if self.source is None:
            if not self.gated or self.problem or self.config.getoption("collectonly"):
                return None
            return Verdict("not comparable", "no benchmark was run", self.rules.baseline)
        failed = tuple(unfinished(self.source))
        if self.gated:
            verdict = judge(self.source, self._baseline(), self.rules)
        elif failed:
            verdict = Verdict("fits failed", counted(failed), "", failed=failed)
        else:
            return None
        if not self.others_failed:
            return verdict
        why = f"tests failed that are no benchmarks; of the benchmarks: {verdict.outcome}, {verdict.reason}"
        return replace(verdict, outcome="tests failed", reason=why)

    def _baseline(self) -> Source | NoBaseline:
        """The run to compare with: --bench-baseline, or what pytest-benchmark was told to compare with."""
        try:
            if self.rules.baseline:
                return baseline(self.rules.baseline, self.rules.where)
            return usable(saved) if (saved := adapter.saved_run(self.config)) else baseline("")
        except NoBaseline as error:
            return error

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge, write the verdict, set the exit code; what pytest itself ended is left alone."""
        if exitstatus in INTERRUPTED:
            return
        self.others_failed |= exitstatus == pytest.ExitCode.TESTS_FAILED and not self.fits_failed
        try:
            verdict = self.verdict
        except UsageError as error:
            self.problem = str(error)
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return
        if verdict is None:
            return
        session.exitstatus = verdict.code or session.exitstatus
        if file := self.option("gate_json"):
            Path(file).write_text(json.dumps(as_json(verdict), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The verdict, and where the run lies."""
        verdict = self.__dict__.get("verdict")  # of a session that pytest ended, nobody has asked for one
        if not self.problem and verdict is None and (self.source is None or not self.option("results")):
            return
        terminalreporter.section("bench")
        if self.problem:
            terminalreporter.write_line(self.problem)
        elif verdict is not None:
            text = render(verdict, form="text") if self.gated else headline(verdict)
            terminalreporter.write_line(text.rstrip())
        if self.source is not None and self.option("results"):
            terminalreporter.write_line(f"report: {Path(self.source.place) / 'report.html'}")

    def pytest_unconfigure(self) -> None:
        """Remove the run, unless it was to be kept."""
        self._stack.close()


def _once(planned: Planned) -> Planned:
    """For --benchmark-disable: whether it works at all."""
    return replace(planned, reps=1, rounds=1)
