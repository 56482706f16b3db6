"""Folders that others add to `backends`, `scenarios` and `scenarios/families`: installed distributions and the user."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bench.errors import UsageError

VARIABLES: Mapping[str, str] = {
    "backends": "BENCH_BACKENDS",
    "scenarios": "BENCH_SCENARIOS",
    "families": "BENCH_FAMILIES",
}
"""{what a folder holds: the environment variable that names a user's own, separated as in PATH}."""
GROUP = "posterior_bench."
HERE = "bench.toml"
"""The file that makes of a folder, and of none below it, one whose scenarios/, backends/ and families/ are added."""


def added(what: str) -> list[Path]:
    """Folders of backends, scenarios or families that distributions offer, that of the user's folder where we are in
    one, then those that the user names; UsageError for one of these that is not there.
    """
    more = list(_offers(tuple(sys.path)).get(what, {}))
    if Path(HERE).is_file() and Path(what).is_dir():
        more.append(Path(what).resolve())
    variable = VARIABLES[what]
    for named in filter(None, os.environ.get(variable, "").split(os.pathsep)):
        try:
            more.append(Path(named).resolve())
            list(more[-1].iterdir())
        except (OSError, RuntimeError) as error:  # of a circle of links
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"{variable} names {named}, which is not a folder that can be read: {why}") from None
    return list(dict.fromkeys(more))


def spelled() -> dict[str, str]:
    """The environment variables by which a process adds the same folders, whatever is installed where it runs."""
    folders = ((variable, added(what)) for what, variable in VARIABLES.items())
    return {variable: os.pathsep.join(map(str, more)) for variable, more in folders if more}


def distribution(file: Path) -> str:
    """The distribution that offers what lies there; empty where none does."""
    offers = _offers(tuple(sys.path)).values()
    return next((owner for folders in offers for folder, owner in folders.items() if file.is_relative_to(folder)), "")


@cache
def _offers(path: tuple[str, ...]) -> dict[str, dict[Path, str]]:
    """{what: {folder: distribution}} of the packages that entry points of the groups `posterior_bench.<what>` name.

    Their folders are looked through as the own ones are; the packages are not imported. `path` is what they were looked
    for on.
    """
    found: dict[str, dict[Path, str]] = {}
    offers = ((what, offer) for what in VARIABLES for offer in importlib.metadata.entry_points(group=f"{GROUP}{what}"))
    for what, offer in offers:
        owner = offer.dist.name if offer.dist is not None else "an installed package"
        try:
            spec = importlib.util.find_spec(offer.value)
            places = list(spec.submodule_search_locations or []) if spec else []
        except Exception:  # noqa: BLE001 -- a parent package is imported, and may raise anything
            places = []
        if not places or not Path(places[0]).is_dir():
            raise UsageError(f"{owner} offers {what} in the package {offer.value}, which cannot be found; repair it")
        found.setdefault(what, {})[Path(places[0]).resolve()] = owner
    return found
