"""The files that `bench new` writes, and what it prints of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.catalog import terms
from bench.catalog.designs import LIKELIHOODS
from bench.cli import output
from bench.errors import UsageError, shown
from bench.formula.make import load
from bench.types import Array, Scenario

COMMENTS = {
    "likelihood": f"or {', '.join(LIKELIHOODS)}",
    "missing": '"refuse" names the first gap, "drop" leaves such rows out',
    "standardise": "columns that are not 0 or 1 to mean 0 and sd 1",
    "share": "of the rows, held out to test predictions",
}


def scenario(file: Path, data: Path, formula: str, likelihood: str | None, settings: Mapping[str, Any]) -> None:
    """Write a scenario of a formula and a data file; UsageError where it cannot be, and nothing is written."""
    if not data.is_file():
        raise UsageError(f"--data {data}: there is no such file")
    if file.suffix != ".toml" or not file.parent.is_dir():
        raise UsageError(f"--out {file}: it must be a path of a .toml file in a folder that is there")
    try:
        named = data.resolve().relative_to(file.resolve().parent).as_posix()
    except ValueError:
        raise UsageError(f"{data} must lie in the folder of {file}, or below it") from None
    text = _toml(named, formula, likelihood or "gaussian", settings)
    made = _tried(file, text)
    if likelihood is None and (looks := _looks_like(made)) != "gaussian":
        text = _toml(named, formula, looks, settings)
        made = _tried(file, text)
    chosen = terms.assumed(made.design, made.priors) if made.design else {}
    lines = [f"{_key(name)} = {_value(prior)}" for name, prior in chosen.items()]
    text += "\n[priors] # the defaults, weakly informative on the scale of the data; change what you know better\n"
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text + "\n".join(lines) + "\n")
    except FileExistsError:
        raise UsageError(f"{file} is there already; name another by --out") from None
    _print(load(file), file)


def _toml(data: str, formula: str, likelihood: str, settings: Mapping[str, Any]) -> str:
    keys = {"missing": settings["missing"], **({"standardise": True} if settings["standardise"] else {})}
    lines = [
        f"description = {json.dumps(f'{formula}, {likelihood}, of {data}', ensure_ascii=False)}",
        f"formula = {json.dumps(formula, ensure_ascii=False)}",
        f"likelihood = {json.dumps(likelihood)} # {COMMENTS['likelihood']}",
        "",
        "[data]",
        f"file = {json.dumps(data, ensure_ascii=False)}",
        *(f"{key} = {json.dumps(value)} # {COMMENTS[key]}" for key, value in keys.items()),
    ]
    if settings["share"]:
        lines += ["", "[holdout]", f"share = {settings['share']} # {COMMENTS['share']}", "seed = 0"]
    return "\n".join(lines) + "\n"


def _tried(file: Path, text: str) -> Scenario:
    """The scenario of that text, as if it stood in the file; nothing is left behind."""
    trial = file.with_name(f".{file.stem}-{os.getpid()}.toml")
    try:
        trial.write_text(text, encoding="utf-8")
        return load(trial)
    except UsageError as error:
        raise UsageError(str(error).replace(trial.name, file.name)) from None
    finally:
        trial.unlink(missing_ok=True)


def _looks_like(made: Scenario) -> str:
    """The likelihood that observations such as these usually have."""
    y: Array = made.design.arrays["y"] if made.design else made.settings["y"]
    if made.family not in ("linear", "varying_intercept") or (y != y.round()).any() or y.min() < 0.0:
        return "gaussian"
    if set(y.tolist()) == {0.0, 1.0}:
        return "bernoulli"
    return "poisson" if y.max() <= 1000.0 else "gaussian"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _value(prior: str) -> str:
    """`{normal = [0, 2.5]}` of `normal(0, 2.5)`."""
    kind, _, args = prior.rstrip(")").partition("(")
    return f"{{{kind} = [{args}]}}" if args else json.dumps(kind)


def _print(made: Scenario, file: Path) -> None:
    design = made.design
    if design is None:
        return
    rows = f"{len(design.arrays['y'])} rows are fitted"
    if design.holdout:
        rows += f", {len(design.holdout['y'])} held out"
    law = f", {made.settings['law']}" if "law" in made.settings else ""
    output.OUT.print(f"{rows}; likelihood and family: {made.family}{law}", markup=False)
    for note in design.notes:
        output.OUT.print(f"  {note}", markup=False)
    for column, levels in design.levels.items():
        shown_levels = ", ".join(levels[:8]) + (", …" if len(levels) > 8 else "")
        held = f"; others are held against {base}" if (base := terms.base(design, column)) else ""
        output.OUT.print(f"  {column}: {len(levels)} categories, {shown_levels}{held}", markup=False)
    output.OUT.print("priors:")
    for name, prior in terms.assumed(design, made.priors).items():
        output.OUT.print(f"  {name} ~ {prior}", markup=False)
    output.OUT.print(f"{file} is written. Next:", markup=False)
    output.OUT.print(f"  bench check {file}", markup=False)
    output.OUT.print(f"  bench run {file} -b numpyro.nuts -b pyro.svi -b torch.metropolis", markup=False)


CONTENDER = '''"""Least squares by the normal equations: a contender to begin with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.types import Fit, option

KIND = "point"  # or mcmc, vi, exact: what `draw` gives
FAMILIES = ("linear",)  # which models it fits


@dataclass(frozen=True)
class Options:
    """What `-b NAME[ridge=0.1]` sets."""

    ridge: float = option(0.0, "added to the diagonal of XᵀX")


def build(data, budget, options, place):
    """Once per child, of a data set of the same shapes and priors whose every value is zero."""
    return options


def fit(program, data, seed, clock):
    """Once per rep; what is not inside a phase is not counted."""
    with clock("sample"):
        x = data.arrays["x"]
        if "bias" in data.names:
            x = np.column_stack([x, np.ones(len(x))])
        gram = x.T @ x + program.ridge * np.eye(x.shape[1])
        coefficients = np.linalg.solve(gram, x.T @ data.arrays["y"])
    return coefficients, data.arrays["y"] - x @ coefficients, data


def draw(state):
    """Draws {parameter: (chain, draw, *shape)}: a point is one chain of one draw."""
    coefficients, residual, data = state
    width = data.arrays["x"].shape[1]
    values = {"weights": coefficients[:width], "bias": coefficients[-1], "sigma": np.sqrt(np.mean(residual**2))}
    draws = {name: np.asarray(values[name], dtype=float)[None, None] for name in data.names}
    plug_in = [name for name in ("sigma",) if name in data.names]  # not estimated
    return Fit("point", draws, stats={"gradients": 1, "steps": 1, "objective": "least_squares", "plug_in": plug_in})
'''


def backend(name: str, folder: Path) -> None:
    """Write a contender FRAMEWORK.METHOD into a folder of backends; UsageError where there is one."""
    framework, _, method = name.partition(".")
    if not all(re.fullmatch(r"[a-z][a-z0-9_]*", part) for part in (framework, method)):
        raise UsageError(f"{shown(name)} must read FRAMEWORK.METHOD, each of small letters, digits and _")
    file = folder / framework / f"{method}.py"
    if file.exists():
        raise UsageError(f"{file} is there already; choose another name or --out")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CONTENDER.replace("NAME[", f"{name}["), encoding="utf-8")
    where = folder.resolve()
    output.OUT.print(f"{file} is written. Next:", markup=False)
    output.OUT.print(f"  BENCH_BACKENDS={where} bench check {name}", markup=False)
    output.OUT.print(f"  BENCH_BACKENDS={where} bench run -s s0-uniform -b {name} -b numpyro.nuts", markup=False)
