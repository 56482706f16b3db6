"""Finished fits come back where somebody removes them, and what was made again is not undone."""

import os
import shutil

import pytest

from bench.store.folder import RunFolder
from bench.store.records import Record


def stored(folder, rep, status="ok", text=b"draws"):
    """A finished fit, with draws where it is ok."""
    draws = None
    if status == "ok":
        draws = folder.path / "draws"
        draws.write_bytes(text)
    folder.write_fit(Record("cell", rep, 0, 0, cold=not rep, status=status), draws)
    return f"cell-{rep}"


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path, "r")


def content(folder, rep):
    return (folder.fit("cell", rep) / "draws.npz").read_bytes()


def test_what_is_removed_is_put_back_also_by_the_next_process(folder):
    inner = folder.path / "fits"
    name = stored(folder, 0)
    with folder.spares.kept():  # those that were there
        folder.spares.keep(stored(folder, 1))
        shutil.rmtree(inner)
        folder.mend()
        assert [content(folder, rep) for rep in (0, 1)] == [b"draws"] * 2
        shutil.rmtree(inner)
        inner.symlink_to("/proc")
        folder.mend()
        (inner / name / "draws.npz").unlink()
    assert [content(folder, rep) for rep in (0, 1)] == [b"draws"] * 2
    assert not folder.leftovers()
    folder.spares.keep(name)
    shutil.rmtree(inner / name)  # and then the process is killed
    RunFolder(folder.path).tidy()
    assert content(folder, 0) == b"draws" and not folder.leftovers()


def test_a_fit_that_is_made_again_or_scored_stays_as_it_is(folder):
    with folder.spares.kept():
        for rep in range(3):
            folder.spares.keep(stored(folder, rep))
        folder.spares.forget("cell-0")
        stored(folder, 0, "failed")
        folder.spares.keep(stored(folder, 1, text=b"other"))
        os.replace(folder.fit("cell", 2) / "draws.npz", folder.fit("cell", 2) / "draws.nc")
    assert folder.record("cell", 0).status == "failed" and not (folder.fit("cell", 0) / "draws.npz").exists()
    assert content(folder, 1) == b"other"
    assert sorted(os.listdir(folder.fit("cell", 2))) == ["draws.nc", "log.txt", "record.json"]


def test_links_in_the_place_of_spares_or_fits_are_not_followed(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("")
    spares = folder.spares
    spares.place.symlink_to(elsewhere)
    spares.forget("precious")
    spares.keep(stored(folder, 0))
    assert [f.name for f in elsewhere.iterdir()] == ["precious"] and not spares.place.is_symlink()
    (folder.path / "fits" / "cell-1").symlink_to(elsewhere)
    spares.keep("cell-1")
    (folder.path / "fits" / "cell-0" / "planted").symlink_to(elsewhere / "precious")
    spares.keep("cell-0")
    assert not list(spares.place.rglob("precious")) and not list(spares.place.rglob("planted"))
