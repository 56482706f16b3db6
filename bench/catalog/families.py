"""Which model families there are, and which sources stand behind each: read from files, never registered."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from bench.catalog.places import root
from bench.types import digest_of

_IMPORT = re.compile(r"^[ \t]*from scenarios\.families\.(\w+)(?:\.(\w+))? import (\([^)]*\)|[^\n]*)", re.MULTILINE)
"""By pattern, as every child looks: parsing takes thirty times as long, longer than a small fit."""


def folder() -> Path:
    """`scenarios/families`, a folder per kind of model."""
    return root() / "scenarios" / "families"


@cache
def family_files(families: Path) -> dict[str, Path]:
    """{name: file} of the model families below `families`, sorted by name: the files that define `FAMILY`."""
    files = [
        f for f in families.glob("*/*.py") if re.search(r"^FAMILY = ", f.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    return {f.stem: f for f in sorted(files, key=lambda f: f.stem)}


def families() -> list[str]:
    """Names of the model families, sorted."""
    return list(family_files(folder()))


def family_file(name: str) -> Path:
    """The file of the family of that name; KeyError if there is none."""
    return family_files(folder())[name]


@cache
def sources(file: Path) -> tuple[Path, ...]:
    """All of a family's folder, and the files of other folders that it imports, directly or not; sorted.

    `file` is the family's own, in a folder of families.
    """
    families, behind, waiting = file.parents[1], set[Path](), sorted(file.parent.glob("*.py"))
    while waiting:
        source = waiting.pop()
        if source in behind or not source.is_file():
            continue
        behind.add(source)
        for package, module, names in _IMPORT.findall(source.read_text(encoding="utf-8")):
            modules = [module] if module else re.findall(r"\w+", names)
            waiting += [families / package / f"{name}.py" for name in modules]
    return tuple(sorted(behind))


@cache
def source_digest(file: Path) -> str:
    """Digest of all that `sources` names, read once per process."""
    return digest_of([source.read_text(encoding="utf-8") for source in sources(file)])
