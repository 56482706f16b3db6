"""Files that no run has written: a sentence for each, by every verb; nothing followed, nothing waited for."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from bench.comparison import document
from bench.pipeline import run_tables
from bench.score.stored import DamagedDraws, Stored, load_fit
from bench.store import files, netcdf, tables
from bench.store.folder import RunFolder
from bench.store.records import Record
from tests import small_run
from tests.in_process import Outcome
from tests.store import strangers

MIB = 2**20


def npy(header: str, content: bytes = b"") -> bytes:
    """A .npy with such a header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


def archive(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def arrays(**named: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{name.replace("_", "/", 1): array for name, array in named.items()})
    return stream.getvalue()


HUGE = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n")
ARCHIVES = {
    "of 8 TB": (archive({"draw/bias.npy": HUGE}), r"claims shape \(1000000000000,\)"),
    "a bomb": (archive({"draw/bias.npy": HUGE + bytes(50 * MIB)}, zipfile.ZIP_DEFLATED), "claim more bytes"),
    "compressed": (archive({"draw/bias.npy": os.urandom(99)}, zipfile.ZIP_DEFLATED), "is compressed"),
    "nested": (archive({"draw/bias.npy": npy("(" * 9000)}), "."),
    "objects": (arrays(draw_bias=np.array([[None]])), "holds object, not real numbers"),
    "words": (arrays(draw_bias=np.array([["a"]])), "holds <U1, not real numbers"),
    "complex": (arrays(draw_bias=np.ones((4, 9), complex)), "holds complex128, not real numbers"),
    "nothing": (arrays(), "it holds no draws"),
    "no draws": (arrays(stat_energy=np.ones((4, 9))), "it holds no draws"),
    "other names": (arrays(draw_slope=np.ones((4, 9))), "parameters slope instead of bias, sigma, weights"),
    "no archive": (HUGE, "not a zip file"),
    "empty": (b"", "not a zip file"),
}  # fmt: skip


def damage_of(run: Path, read: Callable[[RunFolder], object]) -> str:
    folder = RunFolder(run)
    with pytest.raises(DamagedDraws):
        read(folder)
    (why,) = folder.damage.values()
    return why


def load(folder: RunFolder) -> object:
    from bench.catalog.scenarios import scenario
    from bench.data import dataset

    entry = folder.manifest().cells[0]
    data = dataset(scenario(entry.scenario), seed=0, rep=0)
    return load_fit(folder, Stored(entry, Record(entry.id, 0, 0, 0, True, "ok")), data)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_a_stranger_is_damaged_draws_with_the_reason(copied_run: Path, name: str) -> None:
    content, words = ARCHIVES[name]
    (small_run.fit_of(copied_run, "fake.exact", 0) / "draws.npz").write_bytes(content)
    assert re.search(words, damage_of(copied_run, load))


def test_netcdf_that_claims_too_much_or_lies_elsewhere_is_damaged(copied_run: Path, tmp_path: Path) -> None:
    nc = small_run.fit_of(copied_run, "fake.exact", 0) / "draws.nc"
    secret = tmp_path / "secret.h5"
    nc.rename(secret)
    with h5py.File(nc, "w") as file:
        file["posterior"] = h5py.ExternalLink(str(secret), "posterior")
    assert damage_of(copied_run, load) == "it refers to other files"
    with h5py.File(nc, "w") as file:
        file.create_dataset("posterior/bias", (4, 9), "f8", external=[(str(secret), 0, 4 * 9 * 8)])
    assert damage_of(copied_run, load) == "draw/bias is kept in another file"
    with h5py.File(nc, "w") as file:
        file.create_dataset("posterior/bias", (4, 10**12), "f8", chunks=(1, 1000))
    assert damage_of(copied_run, load) == "its arrays claim more bytes than it can hold"


KINDS = ("run.json", "{fit}/record.json", "children.jsonl", "{fit}/draws.nc", "fits.parquet", "metrics.csv")


@pytest.mark.parametrize("kind", KINDS)
def test_neither_link_nor_pipe_nor_what_is_too_large_is_opened(copied_run: Path, kind: str) -> None:
    file = copied_run / kind.format(fit=small_run.fit_of(copied_run, "fake.exact", 0).relative_to(copied_run))
    aside = file.rename(copied_run / "aside")
    for words, put in (
        ("a symbolic link, which is not followed", lambda: file.symlink_to(aside)),
        ("not a plain file", lambda: os.mkfifo(file)),
        ("not a plain file", file.mkdir),
    ):
        put()
        with pytest.raises(ValueError, match=words):
            files.content(file)
        file.rmdir() if file.is_dir() else file.unlink()
    with file.open("wb") as stream:
        stream.truncate(2**40)  # takes no room on disk
    with pytest.raises(ValueError, match=r"1099511627776 bytes; such a file has at most \d+"):
        files.content(file)


@pytest.mark.parametrize("how", ["link", "pipe"])
def test_every_verb_goes_past_files_of_other_kinds_and_copies_none(
    copied_run: Path, tmp_path: Path, bench: Callable[..., Outcome], how: str
) -> None:
    fit = small_run.fit_of(copied_run, "fake.exact", 0)
    secret = tmp_path / "secret"
    secret.write_text("root:x:0:0")
    for file in (fit / "record.json", copied_run / "metrics.csv", copied_run / "children.jsonl"):
        file.unlink()
        file.symlink_to(secret) if how == "link" else os.mkfifo(file)
    words = "a symbolic link, which is not followed" if how == "link" else "not a plain file"
    exported = bench("export", "r", "--to", "out")
    assert exported.code == 2 and words in exported.err and not (tmp_path / "out").exists()
    for verb in ("report", "check", "score"):
        done = bench(verb, "r")
        said = done.err + done.out
        assert (words in said or verb == "report") and "root:x" not in said and "Traceback" not in said, verb
    assert secret.read_text() == "root:x:0:0"


def test_a_linked_folder_of_fits_is_not_followed_nor_tidied(copied_run: Path, tmp_path: Path) -> None:
    fit = small_run.fit_of(copied_run, "fake.exact", 0)
    elsewhere = fit.rename(tmp_path / "elsewhere")
    (elsewhere / ".hidden").write_text("kept")
    fit.symlink_to(elsewhere)
    folder = RunFolder(copied_run)
    folder.tidy()
    assert (elsewhere / ".hidden").is_file()
    assert "is a symbolic link, which is not followed" in tables.fits_table(folder).iloc[0].reason


TABLES: dict[str, tuple[str, Callable[[pd.DataFrame], object], str]] = {
    "text as seconds": ("fits", lambda f: f.assign(seconds_total="long"), "could not convert|long"),
    "negative seconds": ("fits", lambda f: f.assign(seconds_total=-1.0), "seconds are no times"),
    "a cell of another run": ("fits", lambda f: f.assign(cell="x"), "rows of fits that the run has not planned"),
    "another status": ("fits", lambda f: f.assign(status="great"), "great.* is none of"),
    "a row twice": ("fits", lambda f: pd.concat([f, f[:1]]), "several rows of one fit"),
    "infinite values": ("metrics", lambda f: f.assign(value=np.inf), "values are not finite"),
    "other columns": ("metrics", lambda f: f.rename(columns={"part": "bit"}), "no column part"),
    "lists as values": ("metrics", lambda f: f.assign(value=[[1.0]] * len(f)), "."),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_a_stranger_is_damaged_with_the_reason(copied_run: Path, name: str) -> None:
    table, change, words = TABLES[name]
    file = copied_run / f"{table}.parquet"
    pd.DataFrame(change(pd.read_parquet(file))).to_parquet(file, index=False)
    folder = RunFolder(copied_run)
    read = run_tables(folder)
    assert re.search(words, folder.damage[file.name])
    assert len(read.fits) == 4 and list(read.metrics.columns) == tables.COLUMNS["metrics"]


def test_a_text_that_is_none_damages_its_table(copied_run: Path) -> None:
    file = copied_run / "metrics.parquet"
    held = pyarrow.parquet.read_table(file)
    halves = pyarrow.array([b"\xff"] * len(held)).view(pyarrow.string())
    pyarrow.parquet.write_table(held.set_column(held.schema.get_field_index("cell"), "cell", halves), file)
    folder = RunFolder(copied_run)
    assert not len(run_tables(folder).metrics)
    assert "UTF8" in folder.damage[file.name]


@pytest.mark.parametrize("kind", strangers.READERS)
def test_a_file_changed_at_random_is_read_or_refused_with_a_sentence(
    copied_run: Path, kind: str, trials: int = 6
) -> None:
    fit = small_run.fit_of(copied_run, "fake.exact", 0)
    if kind == "draws.npz":
        np.savez(fit / "draws.npz", **netcdf.load(fit / "draws.nc"))
    if kind == "base.json":
        run = run_tables(RunFolder(copied_run))
        held = document.render(run, {cell.id: cell.name for cell in run.run.cells})
        (copied_run / "base.json").write_text(json.dumps({document.KEY: held}))
    for seed in range(trials):
        strangers.trial(copied_run, kind, np.random.default_rng(seed))
