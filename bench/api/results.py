"""`bench.Run`: a run that has been made, as tables, sentences, draws and a page; `bench.load` opens one."""

from __future__ import annotations

import html
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import pipeline
from bench.errors import UsageError, unknown
from bench.store.folder import RunFolder
from bench.words import program

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

    from bench.analysis.sections import Report
    from bench.analysis.tables import RunTables
    from bench.present.figures import Figure
    from bench.score.stored import Stored

HEIGHT = 800
"""Pixels of a report in a notebook."""


@dataclass(frozen=True)
class Page:
    """A report that a notebook shows when it is the last value of a cell; `path` is its file, complete in itself."""

    path: Path

    def _repr_html_(self) -> str:
        """A frame with the whole page, apart from the notebook's own."""
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        rights = "allow-scripts allow-downloads allow-popups"
        return f'<iframe srcdoc="{page}" sandbox="{rights}" width="100%" height="{HEIGHT}" frameborder="0"></iframe>'


@dataclass(frozen=True)
class Drawing:
    """A figure of the report, which a notebook shows: how to read it, and its Vega-Lite specification."""

    figure: Figure

    @property
    def title(self) -> str:
        """What it shows."""
        return self.figure.title

    @property
    def caption(self) -> str:
        """How to read it, what is better, and what is left out and why."""
        return self.figure.caption

    @property
    def spec(self) -> dict[str, Any]:
        """The specification, data included: `altair.Chart.from_dict` takes it."""
        return self.figure.spec

    def _repr_svg_(self) -> str:
        from bench.present.figures import draw

        return draw([self.figure])[self.figure.key]


class Run:
    """A run that has been made, in its folder `path`. It is read when it is asked for, once.

    The frames are copies: what is done to them changes nothing that is stored. A UserWarning names what of the run is
    damaged and was left out.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The folder with run.json, the fits, tables and reports."""
        return self._folder.path

    @property
    def name(self) -> str:
        """The name of that folder, by which other runs of the same results are told apart."""
        return self._folder.name

    @cached_property
    def _tables(self) -> RunTables:
        tables = pipeline.run_tables(self._folder)
        for damaged in self._folder.damaged():
            warnings.warn(damaged, stacklevel=3)
        return tables

    @property
    def fits(self) -> pd.DataFrame:
        """A row per planned fit: `cell`, `scenario`, `backend`, `rep`, `status`, `reason`, `seconds_total`, ….

        Shape (fits, columns); UsageError for a run that cannot be read.
        """
        return self._tables.fits.copy()

    @property
    def metrics(self) -> pd.DataFrame:
        """A row per `cell`, `rep`, `metric` and `part` with its `value`; `rep` is missing where it is across reps.

        Shape (scores, 8); empty for a run that has not been scored. UsageError for a run that cannot be read.
        """
        return self._tables.metrics.copy()

    @property
    def curves(self) -> pd.DataFrame:
        """Errors on the way: a row per `cell`, `rep`, `step` and `metric`, with `seconds`, `gradients` and `value`.

        Shape (scores, 11); empty for a run that has not been scored. UsageError for a run that cannot be read.
        """
        return self._tables.curves.copy()

    @cached_property
    def verdicts(self) -> tuple[str, ...]:
        """The verdict on each scenario as a sentence, in the order of the report."""
        from bench.words.sentence import plain

        return tuple(plain(section.verdict.sentence) for section in self._report.sections)

    @cached_property
    def _report(self) -> Report:
        from bench.analysis.sections import report

        return report(self._tables)

    def report(self) -> Page:
        """The report, which a notebook shows; UsageError for a run that has not been scored."""
        if not self._folder.report.is_file():
            raise UsageError(f"{self.path} has no report yet; next: {program.command('score', self.path)}")
        return Page(self._folder.report)

    def _repr_html_(self) -> str:
        """The report, or the verdicts of a run that has none yet."""
        if self._folder.report.is_file():
            return self.report()._repr_html_()
        return "".join(f"<p>{html.escape(verdict)}</p>" for verdict in self.verdicts)

    def figures(self, scenario: str = "") -> dict[str, Drawing]:
        """The figures of the report by name, of a scenario or, without one, over the whole run.

        They need no draws, so a run of which only the tables are kept has them too. UsageError for a scenario that the
        run does not have.
        """
        from bench.present import figures

        sections = self._report.sections
        style = figures.styles(sections)
        if not scenario:
            made = figures.of_run(sections, style, self._tables, calibrations=self._tables.calibrations)
        else:
            found = [s for s in sections if scenario in (s.title, s.scenario)]
            if not found:
                raise unknown(f"scenario of run {self.name}", scenario, {s.scenario for s in sections})
            made = [figure for section in found for figure in figures.of_section(section, style)]
        return {figure.key: Drawing(figure) for figure in made}

    def plot(self, kind: str, cell: str, rep: int | None = None) -> matplotlib.figure.Figure:
        """A picture of stored fits as `bench plot` draws it: trace, posterior, forest, predictive or loss.

        Args:
            kind: of picture; a forest is of all fits that are meant, every other one of one fit.
            cell: an id of the column `cell`, or `scenario/backend`, with or without brackets, or a glob.
            rep: by default the first that ended ok.

        Raises:
            UsageError: for a cell that the run does not have, one that means several, and a fit without draws or to
                which the kind does not apply; where matplotlib is not installed.
        """
        from bench.present import plots
        from bench.present.plots.subject import Subject
        from bench.score.stored import Problems, load_scored

        if kind not in plots.KINDS:
            raise unknown("kind of picture", kind, plots.KINDS)
        problems = Problems(self._folder, self._folder.manifest().seed)
        chosen = self._chosen(cell, rep, several=kind == "forest")
        return plots.draw(
            kind,
            [Subject(load_scored(self._folder, s, problems), s.scenario, s.backend, s.record.rep) for s in chosen],
        )

    def _chosen(self, cell: str, rep: int | None, *, several: bool = False) -> list[Stored]:
        """The stored fits that a cell's name means; UsageError where that is none, or unasked several."""
        from bench.score.stored import choose

        scenario, slash, backend = cell.partition("/")
        fits, _ = choose(self._folder, scenario if slash else "*", backend if slash else cell, rep)
        if len(fits) > 1 and not several:
            named = ", ".join(f"{fit.entry.id} ({fit.scenario}/{fit.backend})" for fit in fits)
            raise UsageError(f"{cell} means {len(fits)} cells; name one of {named}")
        return fits

    def inference_data(self, cell: str, rep: int | None = None) -> Any:
        """The draws of one fit as ArviZ reads them: `arviz.InferenceData`, from ArviZ 1 on `xarray.DataTree`.

        The group `posterior` has each parameter with dimensions (chain, draw, *its own*), `sample_stats` what the
        sampler said of each draw.

        Args:
            cell: an id of the column `cell`, or `scenario/backend`, with or without brackets.
            rep: by default the first that ended ok.

        Raises:
            UsageError: for a cell that the run does not have, one that means several, and a fit without draws; where
                ArviZ is not installed.
        """
        from bench.score.stored import draws_file, load_fit

        try:
            import arviz
        except ImportError:
            raise UsageError("draws are opened by ArviZ: pip install 'posterior-bench[arviz]'") from None
        (fit,) = self._chosen(cell, rep)
        load_fit(self._folder, fit)  # refuses what is damaged
        return arviz.from_netcdf(str(draws_file(self._folder, fit)))

    def __str__(self) -> str:
        return "\n".join(self.verdicts)

    def __repr__(self) -> str:
        return f"bench.load({str(self.path)!r})"


def load(path: str | os.PathLike[str], *, results: str | os.PathLike[str] = "results") -> Run:
    """A run that was made before, by the path of its folder or by its name below `results`; `latest` is the newest.

    UsageError where there is none, with the names of those there are.
    """
    return Run(RunFolder.open(Path(results), os.fspath(path)))
