"""The command line run in this process, without the second of imports that a process of its own costs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from bench.cli import main, signals
from bench.measure import interrupts
from bench.present.html import pictures
from bench.score import pool


@dataclass(frozen=True)
class Outcome:
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed with --json."""
        return json.loads(self.out)


def run(*args: str, cwd: Path, variables: Mapping[str, str] | None = None, drawn: bool = False) -> Outcome:
    """`bench ARGS` in a folder, with more environment variables; nothing of it is left in this process.

    Signals keep their handlers: what Ctrl-C does is tested with processes of their own. Pages have no figures unless
    they are to be `drawn`.
    """
    out, err = io.StringIO(), io.StringIO()
    forget()
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, variables or {}),
        mock.patch.object(sys, "argv", ["bench", *args]),
        mock.patch.object(signals, "install", lambda: None),
        mock.patch.dict(interrupts._state),
        contextlib.nullcontext() if drawn else without_figures(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code: Any = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            forget()
            pool.close()  # they are at home in this folder
    return Outcome(int(code), out.getvalue(), err.getvalue())


@contextlib.contextmanager
def without_figures() -> Iterator[None]:
    """Pages have no figures: they take most of a page's time, and have tests of their own."""
    with mock.patch("bench.present.html.report.pictures", lambda found, tables: pictures.Pictures()):
        yield


KEPT = {("bench.present.html.report", "_environment")}
"""Caches that depend on nothing of a user's: compiled templates, which take as long as the rest of a report."""


def forget() -> None:
    """Empty the caches of bench: they assume that a process sees one set of files and variables."""
    for name, module in list(sys.modules.items()):
        if name.startswith("bench."):
            for called, value in vars(module).items():
                if callable(clear := getattr(value, "cache_clear", None)) and (name, called) not in KEPT:
                    clear()
