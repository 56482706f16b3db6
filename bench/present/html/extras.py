"""The columns that the results table hides at first, in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.analysis.sections import Row, Section
from bench.present.columns import Cell, Column, blank
from bench.present.html.facts import Facts
from bench.score.catalog import METRICS
from bench.words import format as fmt
from bench.words.clean import clean

GROUPS = {
    "efficiency": "Efficiency",
    "diagnostics": "Diagnostics",
    "resources": "Resources",
    "phases": "Phases",
    "recovery": "Recovery and prediction",
    "configuration": "Configuration",
}
CONFIGURATION = ("track", "device", "dtype", "chains", "threads", "budget", "started", "backend_digest")


@dataclass(frozen=True)
class Extra:
    """A column made from one fact of a cell; `metric` tells for which kinds it means something."""

    key: str
    title: str
    help: str
    group: str
    show: Callable[[float], str] = fmt.significant
    metric: str = ""


def _bytes(value: float) -> str:
    return f"{fmt.significant(value / 2**20)} MiB"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _of(metric: str, title: str, group: str, show: Callable[[float], str] = fmt.significant) -> Extra:
    return Extra(metric, title, METRICS[metric].definition, group, show, metric)


EXTRAS = (
    _of("ess_bulk", "bulk ESS", "efficiency"),
    _of("ess_tail", "tail ESS", "efficiency"),
    _of("ess_per_second_sampling", "ESS/s, sampling", "efficiency"),
    _of("ess_per_second_cold", "ESS/s, cold", "efficiency"),
    _of("ess_per_core_second", "ESS/core-s", "efficiency"),
    _of("ess_per_gradient", "ESS/gradient", "efficiency"),
    _of("seconds_per_gradient", "s/gradient", "efficiency", fmt.seconds),
    _of("steps_per_second", "steps/s", "efficiency"),
    _of("time_to_accuracy_cold", "to target, cold", "efficiency", fmt.seconds),
    _of("gradients_to_accuracy", "gradients to target", "efficiency"),
    _of("r_hat", "R-hat", "diagnostics", lambda value: f"{value:.3f}"),
    _of("divergences", "divergences/1000", "diagnostics"),
    _of("treedepth_hits", "depth hits/1000", "diagnostics"),
    _of("e_bfmi", "E-BFMI", "diagnostics"),
    _of("rms_z", "rms z", "diagnostics"),
    _of("k_hat", "k-hat", "diagnostics", lambda value: f"{value:.2f}"),
    _of("elbo_gap", "log p(y) − ELBO", "diagnostics"),
    Extra("peak_rss_bytes", "peak memory", "largest resident memory of the child, framework included", "resources",
          _bytes),
    Extra("peak_device_bytes", "device memory", "largest memory of the device, if there is one", "resources", _bytes),
    Extra("os_threads", "threads seen", "threads of the process, as the system counts them", "resources", _whole),
    Extra("gradients", "gradients", "gradient evaluations of the full data, warmup included", "resources", _whole),
    Extra("seconds_import cold", "import", "seconds, cold; in no total", "phases", fmt.seconds),
    Extra("seconds_build cold", "build", "seconds, cold", "phases", fmt.seconds),
    Extra("seconds_warmup warm", "warmup", "seconds, warm", "phases", fmt.seconds),
    Extra("seconds_sample warm", "sample", "seconds, warm; all iterations of an optimiser or of VI", "phases",
          fmt.seconds),
    Extra("seconds_transfer warm", "transfer", "seconds, warm", "phases", fmt.seconds),
    _of("recovery_rmse_excess", "RMSE above exact", "recovery"),
    _of("elpd", "elpd", "recovery"),
    _of("predictive_mae", "predictive MAE", "recovery"),
    _of("predictive_crps", "predictive CRPS", "recovery"),
)  # fmt: skip


def columns(facts: Facts, configuration: Mapping[str, Mapping[str, str]]) -> list[Column]:
    """Those that at least one cell has something for, and the configuration as `words` gives it."""
    known = {name for found in facts.values() for name in found}
    made = [
        Column(e.key.replace(" ", "_"), e.title, e.help, _cell(e, facts), group=e.group)
        for e in EXTRAS
        if e.key in known
    ]
    return [*made, *(_setting(name, configuration) for name in CONFIGURATION)]


def _cell(extra: Extra, facts: Facts) -> Callable[[Row, Section], Cell]:
    def cell(row: Row, section: Section) -> Cell:
        value = facts.get(row.cell, {}).get(extra.key)
        if value is not None:
            return Cell(extra.show(value), "", value)
        other = METRICS[extra.metric].not_applicable(row.kind) if extra.metric else ""
        found = blank(row, other or "not recorded")
        return Cell("n/a", why=other.removeprefix("n/a: ")) if other and row.reps else found

    return cell


def _setting(name: str, configuration: Mapping[str, Mapping[str, str]]) -> Column:
    def cell(row: Row, section: Section) -> Cell:
        said = configuration.get(row.cell, {}).get(name, "")
        return Cell(clean(said)) if said else blank(row)

    title = {"backend_digest": "code digest"}.get(name, name)
    return Column(name, title, "as recorded with the fits", cell, group="configuration")
