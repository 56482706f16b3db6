"""Scenarios named by their paths: a run keeps a copy of each, so that whoever has its folder has all it was made of."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.catalog import designs
from bench.catalog.places import MODEL, scenario_folders
from bench.catalog.scenarios import load
from bench.errors import UsageError
from bench.families import code_of
from bench.types import Scenario, beside


def is_catalogued(scenario: Scenario) -> bool:
    """Whether its file lies in a folder of scenarios, where every process finds it by its name; a design is made."""
    return scenario.design is None and Path(scenario.file).resolve().parent in scenario_folders()


def keep(scenario: Scenario, folder: Path) -> str:
    """Copy a scenario's file and data to where `scenario(…, along=folder)` finds them; the copy's path in `folder`.

    UsageError where they change meanwhile; OSError where they cannot be copied.
    """
    own = Path(scenario.file)
    place = Path("scenarios", scenario.name, MODEL if own.name == MODEL else f"{scenario.name}.toml")
    copies = {own: folder / place}
    if own.name == MODEL:
        copies |= {code: (folder / place).with_name(code.name) for code in code_of(own.parent)}
    data = beside(folder / place, scenario.data.get("file"))
    if scenario.data_file and data:
        copies[scenario.data_file] = data
    for named in scenario.reference.values():
        original, copied = beside(own, named), beside(folder / place, named)
        if original and copied:
            copies[original] = copied
    for source, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    if scenario.design is not None:
        designs.keep(scenario.design, (folder / place).parent)
    if load(folder / place, scenario.overrides).digest != scenario.digest:
        raise UsageError(f"{place.name} or its data changed while they were read; try again")
    return str(place)


def bring(scenario: Scenario, folder: Path) -> None:
    """Let `scenario(…, along=folder)` find what no catalog has, by a copy made once."""
    if is_catalogued(scenario):
        return
    if not (place := folder / "scenarios" / scenario.name).exists():
        keep(scenario, folder)
    elif scenario.design is not None:
        designs.keep(scenario.design, place)
