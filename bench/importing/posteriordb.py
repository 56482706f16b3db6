"""posteriordb's posteriors as scenarios: a table, a formula with the same priors, its draws as a stored reference."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.data import dataset, flatten
from bench.disk.durable import write_bytes
from bench.errors import NoReference, UsageError, shown, unknown
from bench.formula.make import load
from bench.importing.covered import BETA, EIGHT_SCHOOLS, MODELS, Model, reason
from bench.reference import stored
from bench.reference.cache import reference
from bench.score import certified
from bench.types import Array, Dataset, Scenario

BYTES = 2**28
"""A member of an archive at most."""


class Posterior(NamedTuple):
    """One entry of the database; `why` says why it is not covered, empty where it is."""

    name: str
    model: str
    data: str
    draws: str
    why: str


class Imported(NamedTuple):
    """What came of one: its file, and in words what its reference draws are worth or why there are none."""

    name: str
    file: Path
    reference: str


def posteriors(folder: Path) -> dict[str, Posterior]:
    """{name: entry} of a checkout of posteriordb, or of its folder posterior_database; UsageError where it is none."""
    entries = {}
    for file in sorted((_root(folder) / "posteriors").glob("*.json")):
        about = _json(file.read_bytes(), file)
        model = str(about.get("model_name"))
        why = "" if model in MODELS or model in EIGHT_SCHOOLS else reason(model)
        draws = about.get("reference_posterior_name")
        entries[file.stem] = Posterior(file.stem, model, str(about.get("data_name")), str(draws or ""), why)
    return entries


def load_all(folder: Path, names: list[str], to: Path) -> Iterator[Imported]:
    """Write a scenario for each of these posteriors; UsageError for one that is unknown or not covered."""
    known = posteriors(folder)
    for name in names:
        if name not in known:
            raise unknown("posterior", name, known)
        if known[name].why:
            raise UsageError(f"{name} is not covered: {known[name].why}")
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {to}: {error.strerror}") from None
    for name in names:
        yield _import(_root(folder), known[name], to)


def _import(root: Path, entry: Posterior, to: Path) -> Imported:
    data = _zipped(root / "data" / "data" / f"{entry.data}.json.zip")
    file = to / f"{entry.name}.toml"
    if entry.model in EIGHT_SCHOOLS:
        write_bytes(file, _eight_schools(entry, data).encode())
        scenario = load(file)
        return Imported(entry.name, file, _reference(root, entry, scenario, None, file))
    model = MODELS[entry.model]
    columns = model.prepare(data) if model.prepare else _columns(data)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_bytes(file.with_suffix(".csv"), table.getvalue().encode())
    priors = {**model.priors, **(model.of_data(data) if model.of_data else {})}
    write_bytes(file, _toml(entry, model, priors, file.with_suffix(".csv").name).encode())
    scenario = load(file)
    return Imported(entry.name, file, _reference(root, entry, scenario, model, file))


def _toml(entry: Posterior, model: Model, priors: Mapping[str, Any], table: str) -> str:
    lines = [
        f"# posteriordb, {entry.name}: the model {entry.model} of the data {entry.data}.",
        f"description = {json.dumps(f'posteriordb: {entry.model} of {entry.data}')}",
        f"formula = {json.dumps(model.formula)}",
        f"likelihood = {json.dumps(model.likelihood)}",
        *([f"parametrisation = {json.dumps(model.parametrisation)}"] if model.parametrisation else []),
        "",
        "[data]",
        f"file = {json.dumps(table)}",
        *([f"trials = {json.dumps(model.trials)}"] if model.trials else []),
        "",
        "[priors]",
        *(f"{name} = {_prior(value)}" for name, value in priors.items()),
    ]
    return "\n".join(lines) + "\n"


def _prior(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    ((name, args),) = value.items()
    return f"{{{name} = {json.dumps(args)}}}"


def _eight_schools(entry: Posterior, data: Mapping[str, Any]) -> str:
    return f"""# posteriordb, {entry.name}
description = "posteriordb: {entry.model}"
family = "eight_schools"
parametrisation = "{EIGHT_SCHOOLS[entry.model]}"

[data]
effects = {json.dumps(data["y"])}
errors = {json.dumps(data["sigma"])}

[priors]
mu = {{normal = [0, 5]}}
tau = {{half_cauchy = 5}}
"""


def _reference(root: Path, entry: Posterior, scenario: Scenario, model: Model | None, file: Path) -> str:
    """Store the reference draws, name them in the scenario where nothing better is known, say what they are worth."""
    archive = root / "reference_posteriors" / "draws" / "draws" / f"{entry.draws}.json.zip"
    if not entry.draws or not archive.is_file():
        return "posteriordb has no reference draws"
    chains = _zipped(archive)
    data = dataset(scenario, seed=0, rep=0)
    names = _names(scenario, model, data)
    if absent := [name for name in names if name not in chains[0]]:
        return f"its reference draws lack {absent[0]}"
    draws: Array = np.stack([np.array([chain[name] for name in names], dtype=float).T for chain in chains])
    sampled = [certified.Sampled("Stan, by posteriordb", draws)]
    if faults := certified.faults(sampled, names, alone=True):
        return f"its reference draws are not used: {faults[0]}"
    state = certified.state(sampled, np.random.default_rng(0))
    beside = file.with_name(f"{file.stem}.reference.npz")
    stored.save(beside, {data.digest: state})
    try:
        known = reference(data)
    except NoReference:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"\n[reference]\nfile = {json.dumps(beside.name)}\n")
        return str(state["method"])
    off = (state["mean"] - flatten(data.parameters, known.mean)) / flatten(data.parameters, known.sd)
    error = np.sqrt(1.0 / float(state["n_effective"]) + 1.0 / known.n_effective)
    ours = known.method.partition(",")[0]
    return f"its draws and ours ({ours}) differ by at most {np.abs(off).max() / error:.1f} standard errors"


def _names(scenario: Scenario, model: Model | None, data: Dataset) -> list[str]:
    """What posteriordb calls each scalar, parameters in order."""
    if model is None or scenario.design is None:
        return [p.name if not p.shape else f"{p.name}[{i + 1}]" for p in data.parameters for i in range(p.size)]
    order = [label for term in model.order for label in scenario.design.terms[term]]
    called: dict[str, str] = {}
    if model.names == BETA:
        first = 2 if "bias" in scenario.design.labels else 1
        called = {label: f"beta[{i + first}]" for i, label in enumerate(order)} | {"Intercept": "beta[1]"}
    else:
        called = {label: f"beta[{i + 1}]" if len(order) > 1 else "beta" for i, label in enumerate(order)}
        called["Intercept"] = "alpha"
    called["sigma"] = model.scale
    return [called.get(label, label) for p in data.parameters for label in p.parts()]


def _columns(data: Mapping[str, Any]) -> dict[str, list[float]]:
    """The lists of numbers that have the most common length."""
    lists = {
        name: values for name, values in data.items() if isinstance(values, list) and not isinstance(values[0], list)
    }
    rows = max({len(values) for values in lists.values()}, key=lambda n: sum(len(v) == n for v in lists.values()))
    return {name: values for name, values in lists.items() if len(values) == rows}


def _root(folder: Path) -> Path:
    for place in (folder / "posterior_database", folder):
        if (place / "posteriors").is_dir():
            return place
    raise UsageError(f"{folder} is no checkout of posteriordb: it has no folder posterior_database/posteriors")


def _zipped(file: Path) -> Any:
    """The JSON in a zipped file; UsageError."""
    try:
        with zipfile.ZipFile(file) as archive:
            (member,) = archive.infolist()
            if member.file_size > BYTES:
                raise ValueError(f"more than {BYTES} bytes")
            return _json(archive.read(member), file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or shown(str(error))}") from None


def _json(content: bytes, file: Path) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}") from None
