"""Frameworks chosen by the names a user knows."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from bench.catalog.frameworks import Framework, frameworks
from bench.catalog.places import backend_files
from bench.errors import UsageError, unknown
from bench.selection import expand, parse


def chosen(names: Sequence[str]) -> list[Framework]:
    """Those that `torch`, `py*`, `numpyro.nuts` or `torch.*` name, all where nothing is named; UsageError."""
    known, files, wanted = frameworks(), backend_files(), set[str]()
    for text in names:
        selector = parse(text)
        if selector.values:
            raise UsageError(f"cannot verify {text!r}: a density has no options; name the backend or framework alone")
        if matching := fnmatch.filter(known, selector.name):
            wanted |= set(matching)
        elif "." in selector.name:
            wanted |= {backend_name.partition(".")[0] for backend_name in expand(selector, files, "backend")}
        else:
            raise unknown("backend or framework", selector.name, [*known, *files])
    return [framework for name, framework in known.items() if not names or name in wanted]
