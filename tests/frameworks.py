"""Which frameworks tests walk, and why one of them cannot be walked here."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from bench.catalog.frameworks import frameworks

OPTIONAL = {name: framework for name, framework in frameworks().items() if framework.extra}
"""Frameworks that an installation may lack."""
MODELLED = tuple(
    name for name, framework in frameworks().items() if framework.has_density and name not in ("stan", "nutpie")
)
"""Those whose densities are held against the families'; a Stan program takes half a minute to build, and
nutpie's models are PyMC's."""


@cache
def absent(name: str) -> str:
    """What of a framework or package is not installed for this interpreter, with the command; empty when it is."""
    framework = OPTIONAL.get(name)
    packages = tuple(framework.packages) if framework else (name,)
    if all(find_spec(package) is not None for package in packages):
        return ""
    return f"{name} is not installed here; {framework.install if framework else f'pip install {name}'}"


def version_of(name: str) -> str:
    """The version in which a package is installed; empty where it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
