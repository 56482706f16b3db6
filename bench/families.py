"""Which model families there are, and which sources stand behind each: read from files, never registered.

A folder of `scenarios/families`, or of a folder that others add, is a kind of model: each of its Python files that
defines `FAMILY` is a family. One of others' has its model for frameworks beside it, as a model of the user's own does.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from bench import offered
from bench.errors import UsageError
from bench.types import digest_of

OWN = Path(__file__).resolve().parents[1] / "scenarios" / "families"

_IMPORT = re.compile(r"^[ \t]*from scenarios\.families\.(\w+)(?:\.(\w+))? import (\([^)]*\)|[^\n]*)", re.MULTILINE)
"""By pattern, as every child looks: parsing takes thirty times as long, longer than a small fit."""


def folders() -> list[Path]:
    """`scenarios/families`, and those that others add."""
    return [OWN, *offered.added("families")]


def families() -> list[str]:
    """Names of the model families, sorted."""
    return list(family_files(tuple(folders())))


def family_file(name: str) -> Path:
    """The file of the family of that name; KeyError if there is none."""
    return family_files(tuple(folders()))[name]


@cache
def family_files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """{name: file} of the model families below these folders, sorted by name; UsageError where two share a name."""
    files: dict[str, Path] = {}
    kinds: dict[str, Path] = {}
    for file in (file for folder in folders for file in sorted(folder.glob("*/*.py"))):
        if not re.search(r"^FAMILY = ", file.read_text(encoding="utf-8"), re.MULTILINE):
            continue
        for known, name, here in ((files, file.stem, file), (kinds, file.parent.name, file.parent)):
            if known.setdefault(name, here) != here:
                raise UsageError(f"{here} and {known[name]} have the same name; rename one")
    return dict(sorted(files.items()))


def models(name: str) -> Path | None:
    """The folder of a family whose model for frameworks lies beside it, which is so for those of others."""
    folder = family_file(name).parent
    return None if folder.parent == OWN else folder


def code_of(model: Path) -> list[Path]:
    """The files of a folder that say a density, in whatever language."""
    return sorted([*model.glob("*.py"), *model.glob("*.stan")])


@cache
def sources(file: Path) -> tuple[Path, ...]:
    """All of a family's folder, and the files of other folders that it imports, directly or not; sorted."""
    places = list(dict.fromkeys([file.parents[1], *folders()]))
    behind, waiting = set[Path](), code_of(file.parent)
    while waiting:
        source = waiting.pop()
        if source in behind or not source.is_file():
            continue
        behind.add(source)
        for package, module, names in _IMPORT.findall(source.read_text(encoding="utf-8")):
            modules = [module] if module else re.findall(r"\w+", names)
            waiting += [place / package / f"{name}.py" for place in places for name in modules]
    return tuple(sorted(behind))


@cache
def source_digest(file: Path) -> str:
    """Digest of all that `sources` names, read once per process."""
    return digest_of([source.read_text(encoding="utf-8") for source in sources(file)])
