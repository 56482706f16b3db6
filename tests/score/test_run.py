"""Scoring a run: what one fit holds costs no other fit its scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from msgspec import structs

from bench.check.run import findings
from bench.score import run as scoring
from bench.score.stored import Problems, Stored
from bench.store import netcdf
from bench.store.arrays import read
from bench.store.folder import RunFolder
from tests import small_run
from tests.in_process import Outcome


def odd(**arrays: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A change of a stored fit's arrays; the key `stat_energy` stands for `stat/energy`."""
    return lambda stored: stored | {key.replace("_", "/", 1): value for key, value in arrays.items()}


ANSWERS = {
    "a statistic without axes": odd(stat_energy=np.float64(3.0)),
    "a statistic per chain": odd(stat_diverging=np.zeros(4, bool)),
    "a statistic in words": odd(stat_energy=np.array([["high"] * 3] * 4)),
    "draws of another shape": odd(draw_weights=np.zeros((4, 3, 7))),
    "complex draws": odd(draw_bias=np.zeros((4, 1000), complex) + 1j),
}


def replace_draws(fit: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The fit's draws as a worker would have left them, changed."""
    stored = netcdf.load(fit / "draws.nc")
    (fit / "draws.nc").unlink()
    np.savez(fit / "draws.npz", **change(stored))


def test_the_limit_of_memory_is_of_the_bytes_that_a_fit_reads(copied_run: Path) -> None:
    folder = RunFolder(copied_run)
    entry, rep = next((cell, rep) for cell, rep in folder.planned() if cell.backend == "fake.instrument")
    record = folder.record(entry.id, rep)
    manifest = json.loads((copied_run / "run.json").read_text())
    manifest["host"]["memory_bandwidth"] = 1e6
    (copied_run / "run.json").write_text(json.dumps(manifest))
    assert record is not None
    for dtype, size in (("float64", 8), ("float32", 4)):
        problems = Problems(folder, manifest["seed"])
        stored = Stored(structs.replace(entry, dtype=dtype), record)
        rows, width = problems.get(stored).data.arrays["x"].shape
        assert problems.reading(stored) == pytest.approx(rows * (width + 1) * size / 1e6)
    assert problems.reading(Stored(structs.replace(entry, device="cuda"), record)) is None


@pytest.mark.parametrize("answers", [tuple(ANSWERS)[:3], tuple(ANSWERS)[3:]], ids=["statistics", "draws"])
def test_odd_answers_are_a_row_each_and_all_others_keep_their_scores(
    copied_run: Path, answers: tuple[str, ...]
) -> None:
    fits_of = [("fake.exact", 0), ("fake.exact", 1), ("fake.instrument", 0), ("fake.instrument", 1)]
    for (backend, rep), answer in zip(fits_of, answers, strict=False):
        replace_draws(small_run.fit_of(copied_run, backend, rep), ANSWERS[answer])
    left = fits_of[len(answers) :]
    assert scoring.score_run(RunFolder(copied_run), lambda _: None) == len(left)
    fits = pd.read_parquet(copied_run / "fits.parquet")
    spoilt = fits[fits.status != "ok"]
    assert len(fits) == 4
    assert list(zip(spoilt.backend, spoilt.rep, strict=True)) == fits_of[: len(answers)] and (spoilt.reason != "").all()
    metrics = pd.read_parquet(copied_run / "metrics.parquet")
    assert sorted(metrics[metrics.rep.notna()].groupby(["backend", "rep"]).groups) == left
    wrong = [f for f in findings(RunFolder(copied_run), lambda _: None) if f.state == "problem"]
    assert wrong and not any("differ from their records" in f.what for f in wrong)


def test_what_cannot_be_scored_is_said_and_reported(copied_run: Path, bench: Callable[..., Outcome]) -> None:
    fit = small_run.fit_of(copied_run, "fake.exact", 1)
    replace_draws(fit, ANSWERS["a statistic per chain"])
    done = bench("score", "r")
    assert done.code == 3
    assert f"{fit.relative_to(copied_run.parents[1])} cannot be scored: ValueError" in done.err
    assert (copied_run / "report.html").is_file() and "cannot be scored: ValueError" in (
        copied_run / "report.md"
    ).read_text()


def test_a_metric_that_fails_costs_its_fit_only(copied_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = scoring.score, []

    def fails_once(scored: Any) -> Any:
        calls.append(scored)
        return whole(scored) if len(calls) != 2 else [][1]

    monkeypatch.setattr(scoring, "score", fails_once)
    folder = RunFolder(copied_run)
    assert scoring.score_run(folder, lambda _: None) == 3
    (why,) = folder.unscored.values()
    assert why.startswith("cannot be scored: IndexError: list index out of range (test_run.py:")


def test_a_disk_that_fills_while_scoring_is_no_fault_of_the_fit(
    copied_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(netcdf, "write_bytes", full)
    fit = small_run.fit_of(copied_run, "fake.exact", 1)
    replace_draws(fit, dict)
    with pytest.raises(OSError, match="No space"):
        scoring.score_run(RunFolder(copied_run), lambda _: None)
    assert read(fit / "draws.npz") and json.loads((copied_run / "run.json").read_text())


def test_fits_of_one_data_set_are_shared_out_evenly():
    def of(digest: str, count: int) -> list[Any]:
        return [SimpleNamespace(scenario="s", record=SimpleNamespace(data_digest=digest))] * count

    assert [len(batch) for batch in scoring._batches(of("fixed", 12) + of("other", 1))] == [6, 6, 1]
    assert len(list(scoring._batches(of("fixed", scoring.TOGETHER)))) == 1
