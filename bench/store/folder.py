"""The layout of a run's folder, and writes that are whole or not there. Imports no pandas: the worker uses it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.disk.durable import described, json_bytes, put_folder, remove, write_ahead, write_json
from bench.errors import StorageError, UsageError, shown, unknown
from bench.store import records
from bench.store.ledger import Ledger
from bench.store.logs import LOG_LIMIT
from bench.store.records import Record
from bench.store.spares import Spares
from bench.words import program

if TYPE_CHECKING:
    from bench.store.manifest import CalibrationRun, CellEntry, Run


class RunFolder:
    """`<results>/<run>/`: run.json, fits/<cell>-<rep>/{record.json, draws.nc, log.txt}, tables and reports."""

    KIND, INNER, REPORT, RESUME = "run", "fits", "report.html", "run --resume"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: dict[str, str] = {}
        """What could not be read so far, {path inside the run: why}."""
        self.unscored: dict[tuple[str, int], str] = {}
        """Fits that ended ok and could be read, but not scored, {(cell, rep): why}."""
        self._restoring = 0.0

    @property
    def name(self) -> str:
        """The run's id."""
        return self.path.name

    @classmethod
    def create(cls, results: Path, name: str | None) -> Self:
        """A new, empty run folder; UsageError if the name is taken or unusable."""
        if name is not None and (not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}", name) or name == "latest"):
            raise UsageError(f"run name {shown(name)} is not allowed; letters, digits, '.', '_' and '-', not latest")
        stem = name or time.strftime("%Y%m%d-%H%M%S")
        for suffix in ["", *(f"-{i}" for i in range(2, 1000))]:
            path = results / f"{stem}{suffix}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                if name:
                    raise UsageError(f"run {name!r} exists in {results}; choose another --name") from None
                continue
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise StorageError(f"{error.strerror}: {described(results)}; nothing was run") from None
                raise UsageError(f"cannot write to {results}: {error.strerror}") from None
            (path / cls.INNER).mkdir()
            return cls(path)
        raise UsageError(f"no free run name for {stem} in {results}")

    @classmethod
    def open(cls, results: Path, name: str) -> Self:
        """An existing run, by name or path, `latest` for the newest; UsageError lists those there are."""
        known = {r.name: r for r in cls.all(results)}
        if name == "latest" and known:
            return cls._latest(list(known.values()))
        if name in known:
            return known[name]
        for path in (results / name, Path(name)):
            if _is_file(path / "run.json"):
                other = folder_of(path)
                if other.KIND != cls.KIND:
                    raise UsageError(f"{path} is a {other.KIND}, not a {cls.KIND}; {other.advice()}")
                return cls(path)
        if not known:
            first = program.command(*cls.RESUME.split()[:1])
            raise UsageError(f"unknown {cls.KIND} {shown(name)}; there is none in {results}; first: {first}")
        raise unknown(f"{cls.KIND} (in {results})", name, known)

    @classmethod
    def _latest(cls, known: list[Self]) -> Self:
        """The newest of these whose run.json can be read, with the names of newer ones that cannot in its `damage`."""
        skipped: dict[str, str] = {}
        for run in sorted(known, key=lambda r: (r.path / "run.json").stat().st_mtime, reverse=True):
            try:
                run.manifest()
            except UsageError as error:
                skipped[f"../{run.name}"] = str(error)
                continue
            run.damage |= skipped
            return run
        raise UsageError(f"no run can be read: {'; '.join(skipped.values())}")

    @classmethod
    def all(cls, results: Path) -> list[Self]:
        """Every run of a results folder, by name; a calibration is no run."""
        return [cls(folder.path) for folder in every(results) if cls.KIND == folder.KIND]

    @property
    def report(self) -> Path:
        """What a reader opens."""
        return self.path / self.REPORT

    def advice(self) -> str:
        """Where to look and what to type, for one who took it for something else."""
        return f"its report is {self.report}"

    def write_manifest(self, run: Run) -> None:
        """Write run.json."""
        from bench.store import manifest  # here and below: the worker, which reads none, does not wait for msgspec

        write_json(self.path / "run.json", manifest.plain(run))

    def manifest(self) -> Run:
        """Read run.json; UsageError if it is damaged or of another schema."""
        from bench.store import manifest

        return manifest.read(self.path, manifest.Run)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else makes fits of this run meanwhile; UsageError where somebody does. Leaves no file."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"{self.path} is being made by another process; wait for it or stop that") from None
            except OSError:
                pass  # a file system without locks
            yield
        finally:
            os.close(descriptor)

    def at_work(self) -> bool:
        """Whether a process is making fits of this run now."""
        try:
            with self.held():
                return False
        except UsageError:
            return True

    def resume_command(self) -> str:
        """What makes the fits that are missing."""
        return program.command(*self.RESUME.split(), self.path)

    @property
    def children(self) -> Ledger:
        """A line per child that has ended: cell, round, attempt, how it started, and the workload around it."""
        return Ledger(self.path / "children.jsonl")

    def tidy(self) -> None:
        """Remove what a process that was killed had begun to write; nothing of it was a finished fit or table."""
        self.mend()
        self.spares.close()
        for left in self.leftovers():
            if left != self.spares.place:
                remove(left)
        self.children.mend()

    def leftovers(self) -> list[Path]:
        """Files and folders under temporary names: a run that is being made has them too."""
        inner = self.path / self.INNER
        folders = [self.path, inner, *inner.glob("*")]
        hidden = [file for folder in folders if not folder.is_symlink() for file in folder.glob(".*")]
        return sorted(file for file in hidden if file.name != ".compiled")

    @property
    def spares(self) -> Spares:
        """What finished fits are put back from, while fits are made."""
        return Spares(self.path / self.INNER)

    def mend(self) -> None:
        """Have the folder of fits there again, writable and with its fits: a contender may have removed it.

        To see whether fits are missing takes longer the more there are; it is done a twentieth of the time at most.
        """
        inner, began = self.path / self.INNER, time.monotonic()
        if inner.is_symlink() or not inner.is_dir():
            remove(inner)
            inner.mkdir(exist_ok=True)
            self._restoring = began
        elif not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
            inner.chmod(0o755)
        if began >= self._restoring:
            self.spares.restore()
            self._restoring = began + 20.0 * (time.monotonic() - began)

    def fit(self, cell: str, rep: int) -> Path:
        """The folder of one fit."""
        return self.path / "fits" / f"{cell}-{rep}"

    def write_fit(self, record: Record, draws: Path | None = None, log: bytes = b"") -> None:
        """Store one fit: a folder that appears whole, by rename, after its files are on disk.

        One that is there already is replaced in one step. Where that fails nothing has changed.
        """
        final = self.fit(record.cell, record.rep)
        temporary = final.with_name(f".{final.name}.{os.getpid()}")
        try:
            temporary.mkdir()
            write_ahead(temporary / "log.txt", log[-LOG_LIMIT:])
            write_ahead(temporary / "record.json", json_bytes(asdict(record)))
            if draws is not None:
                os.replace(draws, temporary / "draws.npz")
            put_folder(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if draws is not None:
                draws.unlink(missing_ok=True)
            raise

    def record(self, cell: str, rep: int) -> Record | None:
        """The record of one fit; None where there is none, or where it is damaged: `damage` then says why."""
        file = self.fit(cell, rep) / "record.json"
        if link := next((place for place in (file.parent, file.parent.parent) if os.path.islink(place)), None):
            self.spoil(cell, rep, "record.json", f"{link.name} is a symbolic link, which is not followed")
            return None
        try:
            return records.read(file, cell, rep)
        except OSError as error:
            if os.path.isdir(file.parent):
                self.spoil(cell, rep, "record.json", error.strerror or str(error))
        except ValueError as error:
            self.spoil(cell, rep, "record.json", str(error))
        return None

    def spoil(self, cell: str, rep: int, file: str, why: str) -> None:
        """Note that a file of a fit cannot be used."""
        self.damage[f"{self.INNER}/{cell}-{rep}/{file}"] = why

    def damaged(self) -> Iterator[str]:
        """A sentence on everything that could not be read so far."""
        for where, why in self.damage.items():
            # of another run, `latest` says
            place = self.path.parent / where[3:] if where.startswith("../") else self.path / where
            yield f"{place} is damaged and left out: {why}"

    def spoilt(self, cell: str, rep: int) -> str:
        """The damage of a fit that is known so far, as a sentence; empty where there is none."""
        start = f"{self.INNER}/{cell}-{rep}/"
        damage = ((k.removeprefix(start), why) for k, why in self.damage.items() if k.startswith(start))
        return "; ".join(f"{file} is damaged ({why})" for file, why in damage)

    def planned(self) -> Iterator[tuple[CellEntry, int]]:
        """Every planned (cell entry of the manifest, rep)."""
        for entry in self.manifest().cells:
            for rep in range(entry.fits):
                yield entry, rep


class CalibrationFolder(RunFolder):
    """`<results>/<name>/`: run.json, cells/<cell>.jsonl with a line per data set, tables, plots and reports."""

    KIND, INNER, REPORT, RESUME = "calibration", "cells", "calibration.html", "calibrate --resume"

    def manifest(self) -> CalibrationRun:
        """Read run.json; UsageError if it is damaged or of another schema."""
        from bench.store import manifest

        return manifest.read(self.path, manifest.CalibrationRun)

    def ledger(self, cell: str) -> Ledger:
        """The finished data sets of one cell."""
        return Ledger(self.path / "cells" / f"{cell}.jsonl")

    def advice(self) -> str:
        """Where to look and what to type, for one who took it for something else."""
        return f"its report is {self.report}, and what is missing is made by: {self.resume_command()}"


def folder_of(path: Path) -> RunFolder:
    """The folder of a run or of a calibration, told apart by what is inside."""
    return (CalibrationFolder if (path / CalibrationFolder.INNER).is_dir() else RunFolder)(path)


def every(results: Path) -> list[RunFolder]:
    """All runs and calibrations of a results folder, by name."""
    try:
        return [folder_of(f.parent) for f in sorted(results.glob("*/run.json"))]
    except (OSError, ValueError) as error:
        raise UsageError(f"--results {results}: not readable: {getattr(error, 'strerror', None) or error}") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
