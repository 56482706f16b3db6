"""Second names of the finished fits of a run being made: a contender that removes `fits/` removes its own rows at most.

A child runs as the user and may remove whatever the user may. The files of a fit that has been recorded have a hard
link each in `.spares/`, which costs no room; a fit that is not in its place any more is put there again. What a
contender writes into another's file is not undone, nor is anything where the file system has no hard links.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bench.disk.durable import put_folder, remove

SCORED = {"draws.npz": "draws.nc"}
"""What scoring puts in the place of a file."""


class Spares:
    """Those of one folder of fits."""

    def __init__(self, fits: Path) -> None:
        self.fits, self.place = fits, fits.with_name(".spares")

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """While fits are made: those there are have spares; in the end all are in their places and the spares go."""
        for name in _names(self.fits):
            self.keep(name)
        try:
            yield
        finally:
            self.close()

    def keep(self, name: str) -> None:
        """Have spares of the files of a fit, instead of earlier ones; none where there can be none."""
        spare, fit = self.place / name, self.fits / name
        self.forget(name)
        with contextlib.suppress(OSError):
            if self.place.is_symlink():
                remove(self.place)
            spare.mkdir(parents=True)
            _link(fit, spare)

    def forget(self, name: str) -> None:
        """Drop the spares of a fit that is about to be made again."""
        if not self.place.is_symlink():
            with contextlib.suppress(OSError):
                remove(self.place / name)

    def restore(self, *, files: bool = False) -> bool:
        """Put fits back that are missing, with `files` those that lack a file, too; whether all are in their places."""
        names = set() if self.place.is_symlink() else _names(self.place)
        missing = {name for name in names if self._lacks(name)} if files else names - _names(self.fits)
        for name in missing:
            ready = self.fits / f".{name}.{os.getpid()}"
            with contextlib.suppress(OSError):
                remove(ready)
                ready.mkdir()
                _link(self.place / name, ready)
                put_folder(ready, self.fits / name)
        return not any(self._lacks(name) for name in missing)

    def close(self) -> None:
        """Put back what is missing, then remove the spares; those of a fit that could not be put back stay."""
        if self.restore(files=True):
            remove(self.place)

    def _lacks(self, name: str) -> bool:
        """Whether a fit is a link or lacks one of the files that it had."""
        fit = self.fits / name
        files = [(fit / file, fit / SCORED.get(file, file)) for file in _names(self.place / name)]
        return fit.is_symlink() or not all(any(map(os.path.lexists, either)) for either in files)


def _names(folder: Path) -> set[str]:
    """What is in a folder, but for temporary names; nothing where it cannot be read."""
    with contextlib.suppress(OSError):
        return {name for name in os.listdir(folder) if not name.startswith(".")}
    return set()


def _link(source: Path, target: Path) -> None:
    """A second name in `target` for every plain file of `source`."""
    if source.is_symlink():
        return
    for entry in os.scandir(source):
        if entry.is_file(follow_symlinks=False):
            os.link(entry.path, target / entry.name, follow_symlinks=False)
