"""Standard streams that are closed, full or of another encoding, and texts of strangers on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.cli.output import Terminal
from bench.cli.streams import UNWRITTEN
from bench.store.folder import RunFolder
from bench.store.manifest import plain
from bench.store.tables import defused
from tests.conftest import ROOT
from tests.in_process import Outcome

LIST = f"{sys.executable} -m bench list suites"


def shell(command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", command], cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0),
        (">/dev/full", UNWRITTEN), ("2>/dev/full", 0), (">/dev/full 2>&1", UNWRITTEN), ("| true; exit 0", 0),
    ],
)  # fmt: skip
def test_a_command_ends_whatever_its_streams_are(tmp_path: Path, ends: str, code: int) -> None:
    done = shell(f"{LIST} {ends}", tmp_path)
    assert done.returncode == code and b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("ends", ["<&- >&- 2>&-", ">/dev/full 2>&1", "2>&1 | true; exit 0"])
def test_a_run_is_finished_and_scored_whatever_its_streams_are(tmp_path: Path, fakes: None, ends: str) -> None:
    run = f"{sys.executable} -m bench run -s correlated-rho95 -b fake.exact --name r {ends}"
    assert shell(run, tmp_path).returncode in (0, UNWRITTEN)
    report = tmp_path / "results" / "r" / "report.html"
    for _ in range(600):  # `| true` does not wait for it
        if report.is_file():
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert report.is_file()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_characters_gets_others_instead(tmp_path: Path, encoding: str) -> None:
    variables = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "scenarios").mkdir()
    text = (ROOT / "scenarios" / "correlated-rho95.toml").read_text(encoding="utf-8")
    (tmp_path / "scenarios" / "mine.toml").write_text(f"# σ → ∞\n{text}", encoding="utf-8")
    command = f"{sys.executable} -m bench info mine && {LIST}"
    done = shell(command, tmp_path, BENCH_SCENARIOS=str(tmp_path / "scenarios"), **variables)
    assert done.returncode == 0 and b"# ?" in done.stdout, done.stderr


BIDI, RED = "\u202eevil", "\x1b[31m\x1b]0;owned\x07"


def test_no_verb_prints_what_a_terminal_obeys(copied_run: Path, bench: Callable[..., Outcome]) -> None:
    folder = RunFolder(copied_run)
    manifest = folder.manifest()
    manifest.command = f"{RED}{BIDI}"
    for cell in manifest.cells:
        cell.scenario_label += f"{RED}{BIDI}"
        cell.options_text = RED
    folder.write_manifest(manifest)
    assert RED in plain(folder.manifest())["command"]
    fits = pd.read_parquet(copied_run / "fits.parquet").assign(scenario=f"{RED}{BIDI}", reason=RED)
    fits.to_parquet(copied_run / "fits.parquet", index=False)
    select = "select scenario, reason from fits"
    for args in (
        ("check", "r"), ("list", "runs"), ("list", "runs", "--json"), ("info", "r"), ("query", select), ("report", "r"),
        ("query", select, "--format", "csv"), ("query", select, "--format", "json"), ("compare", "r", "r"),
    ):  # fmt: skip
        done = bench(*args)
        text = done.out + done.err
        assert text and not set(text) & {"\x1b", "\x07", "\u202e"}, args


def test_a_console_keeps_its_own_colours_and_escapes_all_others() -> None:
    console = Terminal(force_terminal=True, color_system="standard", highlight=False, width=60)
    with console.capture() as captured:
        console.print(f"[bold]own[/bold] {RED}")
    assert "\x1b[1mown\x1b[0m" in captured.get() and "\\x1b[31m" in captured.get()


def test_texts_that_a_spreadsheet_would_run_are_defused_and_numbers_stay_numbers() -> None:
    frame = pd.DataFrame(
        {
            "text": pd.array(["=1+1", "@sum", "-x", "+x", "plain", "", None], dtype="string"),
            "object": ["\tx", "\rx", 3, None, -1.5, "a=b", ""],
            "number": [-1.0, 2.0, 3.0, 4.0, 5.0, 6.0, None],
        }
    )
    safe = defused(frame)
    assert safe["text"].fillna("-").tolist() == ["'=1+1", "'@sum", "'-x", "'+x", "plain", "", "-"]
    assert safe["object"].tolist() == ["'\tx", "'\rx", 3, None, -1.5, "a=b", ""]
    pd.testing.assert_series_equal(safe["number"], frame["number"])
