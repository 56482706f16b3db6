"""`bench verify`, and the density gate before every run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from bench.catalog import frameworks as catalog
from bench.cli.verifying import frameworks_of
from bench.errors import UsageError
from tests.conftest import FAKES, ROOT

NAME = "correlated-rho95"


def test_frameworks_are_chosen_by_backend_framework_and_glob(fakes) -> None:
    def names(*chosen: str) -> list[str]:
        return [f.name for f in frameworks_of(chosen)]

    assert (
        names("numpyro.nuts") == ["numpyro"] and names("torch.*") == ["torch"] and names("*pyro") == ["numpyro", "pyro"]
    )
    assert set(names()) >= {"crooked", "exact", "fake", "numpy", "numpyro", "pyro", "sklearn", "torch"}
    known = catalog.frameworks()
    assert {n for n, f in known.items() if f.has_density} >= {"blackjax", "crooked", "numpyro", "pyro", "torch"}
    with pytest.raises(UsageError, match="did you mean torch"):
        names("torhc")
    with pytest.raises(UsageError, match=r"did you mean torch\.adam"):
        names("torch.adm")
    with pytest.raises(UsageError, match="no options"):
        names("torch.adam[lr=0.1]")


def test_verify_tells_right_from_wrong_and_exits_accordingly(bench, fresh_cache, here, monkeypatch) -> None:
    done = bench("verify", "-b", "crooked", "-b", "exact", "-s", NAME)
    assert done.code == 0, done.err
    assert "same target" in done.out and "without a density of their own: exact" in done.out
    monkeypatch.setenv("CROOKED", "jacobian")
    done = bench("verify", "-b", "crooked.exact", "-s", NAME, "--dtype", "float64")
    assert done.code == 3
    assert "wrong target: centred log density off by" in done.out and "(gate 1e-9)" in done.out
    assert "crooked float64" in done.err and "Traceback" not in done.err
    said = bench("verify", "-b", "crooked", "-s", f"{NAME}[n_obs=[50,60]]", "--json").json
    assert said["exit"] == 3
    assert {(o["scenario"], o["dtype"], o["verdict"]) for o in said["outcomes"]} == {
        (f"{NAME}[n_obs={n}]", dtype, "wrong") for n in (50, 60) for dtype in ("float64", "float32")
    }


def test_verify_without_anything_to_verify_exits_4_and_with_nonsense_2(bench, fresh_cache, here, monkeypatch) -> None:
    assert bench("verify", "-b", "exact").code == 4
    monkeypatch.setenv("CROOKED", "unavailable")
    done = bench("verify", "-b", "crooked", "-s", NAME)
    assert done.code == 4 and "no such device here" in done.out
    for args, words in [
        (("-b", "torhc"), "did you mean torch"),
        (("-s", "s0-unifrm"), "did you mean s0-uniform"),
        (("--dtype", "float16"), "float64, float32"),
        (("--device", "tpu"), "cpu, cuda"),
    ]:
        done = bench("verify", *args)
        assert done.code == 2 and words in done.err and len(done.err.strip().splitlines()) == 1


def test_a_framework_that_is_not_installed_is_unavailable_with_the_install_command(
    bench, tmp_path, monkeypatch
) -> None:
    absent = tmp_path / "more" / "absent"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text('PACKAGES = ("no_such_package",)\nEXTRA = "torch"\n')
    (absent / "models.py").write_text("def log_density(data, z, place):\n    pass\n")
    (absent / "one.py").write_text('"""Not here."""\nKIND = "mcmc"\n')
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path / "more"))
    done = bench("verify", "-b", "absent", "-s", NAME)
    assert done.code == 4
    why = "no_such_package is not installed; pip install 'posterior-bench[torch]'"
    assert done.out.count(why) == 1 and f"absent: unavailable, 2 densities: {why}\n" in done.out


def fits(path, run: str = "r") -> pd.DataFrame:
    return pd.read_parquet(path / "results" / run / "fits.parquet")


def manifest(path, run: str = "r") -> dict[str, Any]:
    return json.loads((path / "results" / run / "run.json").read_text())


def test_a_wrong_target_is_not_timed_and_its_rows_say_why(bench, tmp_path, fresh_cache, here, monkeypatch) -> None:
    monkeypatch.setenv("CROOKED", "jacobian")
    both = ("-b", "crooked.exact", "-b", "fake.exact")
    done = bench("run", "-s", NAME, *both, "--rounds", "2", "--name", "r")
    assert done.code == 3, done.err
    assert "verifying densities" in done.err and f"  crooked float64: {NAME}" in done.err
    table = fits(tmp_path).set_index("backend")
    wrong = table.loc["crooked.exact"]
    assert len(wrong) == 4 and set(wrong.status) == {"invalid"}
    assert wrong.reason.str.startswith("wrong target: centred log density off by").all()
    assert wrong.filter(like="seconds_").isna().all(axis=None)
    assert set(table.loc["fake.exact"].status) == {"ok"}
    (said,) = manifest(tmp_path)["verified"]
    assert said["verdict"] == "wrong" and said["gate"] == 1e-9 and said["gradient_error"] > 1e-3
    for report in ("report.md", "report.html"):
        assert "wrong target" in (tmp_path / "results" / "r" / report).read_text()
    again = bench("run", "-s", NAME, *both, "--name", "q", "--no-score")
    assert again.code == 3 and "verifying" not in again.err  # known from the first run
    assert manifest(tmp_path, "q")["verified"][0]["cached"]


@pytest.mark.parametrize(
    ("fault", "status"), [("", "ok"), ("raises", "invalid"), ("family", "ok"), ("unavailable", "unavailable")]
)
def test_only_a_target_that_is_wrong_or_cannot_be_told_keeps_a_cell_from_running(
    bench, tmp_path, fresh_cache, here, monkeypatch, fault: str, status: str
) -> None:
    monkeypatch.setenv("CROOKED", fault)
    bench("run", "-s", NAME, "-b", "crooked.exact", "--name", "r", "--no-score")
    table = fits(tmp_path)
    assert set(table.status) == {status}
    if fault == "raises":
        assert table.reason[0] == "not verified to have the right target: failed: ArithmeticError: planned"


def test_ctrl_c_during_verification_ends_the_run_with_every_row(tmp_path, fresh_cache, monkeypatch) -> None:
    started = tmp_path / "started"
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "-s", NAME, "-b", "crooked.exact", "--name", "r", "--no-score"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BENCH_BACKENDS": str(FAKES),
            "CROOKED": "sleep",
            "CROOKED_STARTED": str(started),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(started.exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert set(fits(tmp_path).status) == {"interrupted"} and len(fits(tmp_path)) == 2
    assert manifest(tmp_path)["state"] == "interrupted"
    assert "Traceback" not in err
    wait_for(lambda: not workers())


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "what was waited for did not happen"
        time.sleep(0.05)


def workers() -> list[int]:
    import psutil

    ours = {"bench.verify.worker", "bench.measure.forkserver"}
    found = psutil.process_iter(["cmdline", "cwd"])
    return [p.pid for p in found if ours & set(p.info["cmdline"] or []) and str(FAKES) in str(environ(p))]


def environ(process: Any) -> dict[str, str]:
    import psutil

    try:
        return dict(process.environ()) if process.environ().get("CROOKED") == "sleep" else {}
    except psutil.Error:
        return {}
