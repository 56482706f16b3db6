"""The files that `bench new` writes, and what it prints of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog import terms
from bench.catalog.designs import LIKELIHOODS
from bench.catalog.places import backend_folders
from bench.check import columns
from bench.cli import output
from bench.errors import ScenarioError, UsageError, shown
from bench.formula.make import load
from bench.types import Scenario
from bench.words import program

COMMENTS = {
    "missing": '"refuse" names the first gap, "drop" leaves such rows out',
    "standardise": "columns that are not 0 or 1 to mean 0 and sd 1",
    "share": "of the rows, held out to test predictions",
}


COUNTS = (10.0, 1000.0)
"""Whole numbers are taken for counts where the least is at most the first, and the largest at most the second."""
CONTENDERS = shlex.split("-b numpyro.nuts -b torch.laplace -b 'numpyro.svi[guide=multivariate]' --rounds 3 --reps 2")
"""A sampler and two approximations of any regression, and enough fits for a verdict."""


def scenario(file: Path, data: Path, formula: str, likelihood: str | None, settings: Mapping[str, Any]) -> None:
    """Write a scenario as `write_scenario`, and print what was understood and what to type next."""
    far = write_scenario(file, data, formula, likelihood, settings)
    _print(load(file), file, far)


def write_scenario(file: Path, data: Path, formula: str, chosen: str | None, settings: Mapping[str, Any]) -> list[str]:
    """Write a scenario of a formula and a data file; UsageError where it cannot be, and nothing is written.

    What is None in `settings`, and a likelihood that is not `chosen`, is decided by the data. Given back are the
    columns for whose sake all were standardised.
    """
    if not data.is_file():
        raise UsageError(f"--data {data}: there is no such file")
    unsaid = settings["standardise"] is None
    if file.suffix != ".toml" or not file.parent.is_dir():
        raise UsageError(f"--out {file}: it must be a path of a .toml file in a folder that is there")
    try:
        named = data.resolve().relative_to(file.resolve().parent).as_posix()
    except ValueError:
        raise UsageError(f"{data} must lie in the folder of {file}, or below it") from None
    settings = {**settings, "standardise": settings["standardise"] or False}
    likelihood, made = _allowed(file, chosen, lambda likelihood: _toml(named, formula, likelihood, settings))
    far = columns.far(made.design) if made.design and unsaid else []
    settings["standardise"] |= bool(far)
    text = _toml(named, formula, likelihood, settings)
    made = _tried(file, text)
    assumed = terms.assumed(made.design, made.priors) if made.design else {}
    lines = [f"{_key(name)} = {_value(prior)}" for name, prior in assumed.items()]
    text += "\n[priors] # the defaults, weakly informative on the scale of the data; change what you know better\n"
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text + "\n".join(lines) + "\n")
    except FileExistsError:
        raise UsageError(f"{file} is there already; name another by --out") from None
    return far


def _toml(data: str, formula: str, likelihood: str, settings: Mapping[str, Any]) -> str:
    keys = {"missing": settings["missing"], **({"standardise": True} if settings["standardise"] else {})}
    lines = [
        f"description = {json.dumps(f'{formula}, {likelihood}, of {data}', ensure_ascii=False)}",
        f"formula = {json.dumps(formula, ensure_ascii=False)}",
        f"likelihood = {json.dumps(likelihood)} # one of {', '.join(LIKELIHOODS)}",
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
        text = str(error).replace(trial.name, file.name)
        if isinstance(error, ScenarioError) and error.key == "data.file":  # of the table, then, not of the scenario
            text = f"{error.value}: {error.allowed}"
        raise UsageError(text.replace('[data] missing = "drop"', "--missing drop")) from None
    finally:
        trial.unlink(missing_ok=True)


def _allowed(file: Path, chosen: str | None, text: Callable[[str], str]) -> tuple[str, Scenario]:
    """The chosen likelihood, or the first that observations such as these may have, with the scenario of it."""
    for likelihood in () if chosen else ("bernoulli", "poisson"):
        with contextlib.suppress(UsageError):
            made = _tried(file, text(likelihood))
            y = made.design.arrays["y"] if made.design else np.zeros(1)
            if likelihood == "bernoulli" or (y.min() <= COUNTS[0] and y.max() <= COUNTS[1]):
                return likelihood, made
    return chosen or "gaussian", _tried(file, text(chosen or "gaussian"))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _value(prior: str) -> str:
    """`{normal = [0, 2.5]}` of `normal(0, 2.5)`."""
    kind, _, args = prior.rstrip(")").partition("(")
    return f"{{{kind} = [{args}]}}" if args else json.dumps(kind)


def _print(made: Scenario, file: Path, far: list[str]) -> None:
    design = made.design
    if design is None:
        return
    rows = f"{len(design.arrays['y'])} rows are fitted"
    if design.holdout:
        rows += f", {len(design.holdout['y'])} held out"
    law = f", {made.settings['law']}" if "law" in made.settings else ""
    output.OUT.print(f"{rows}; likelihood and family: {made.family}{law}")
    for note in design.notes:
        output.OUT.print(f"  {note}")
    if far:
        output.OUT.print(
            f"  Columns are standardised: {', '.join(far)} far from 0, or of another scale, would make sampling slow. "
            "Coefficients are per sd; --no-standardise leaves columns as they are.",
        )
    for column, levels in design.levels.items():
        shown_levels = ", ".join(levels[:8]) + (", …" if len(levels) > 8 else "")
        held = f"; others are held against {base}" if (base := terms.base(design, column)) else ""
        output.OUT.print(f"  {column}: {len(levels)} categories, {shown_levels}{held}")
    output.OUT.print("priors:")
    for name, prior in terms.assumed(design, made.priors).items():
        output.OUT.print(f"  {name} ~ {prior}")
    output.next_steps(f"{file} is written", program.command("check", file), program.command("run", file, *CONTENDERS))


CONTENDER = '''"""Least squares by the normal equations: a contender to begin with."""

from dataclasses import dataclass

import numpy as np

from bench.types import Fit, option

KIND = "point"  # or mcmc, vi, exact: what `draw` gives
FAMILIES = ("linear",)  # which models it fits


@dataclass(frozen=True)
class Options:
    ridge: float = option(0.0, "added to the diagonal of XᵀX, as by -b NAME[ridge=0.1]")


def build(data, budget, options, place):  # once per child; sees shapes and priors, every value zero
    return options


def fit(program, data, seed, clock):  # once per fit; what is not inside a phase is not counted
    with clock("sample"):
        x = np.column_stack([data.arrays["x"], np.ones((len(data.arrays["y"]), int("bias" in data.names)))])
        beta = np.linalg.solve(x.T @ x + program.ridge * np.eye(x.shape[1]), x.T @ data.arrays["y"])
    return beta, np.sqrt(np.mean((data.arrays["y"] - x @ beta) ** 2)), data


def draw(state):  # {parameter: (chain, draw, *shape)}; a point is one chain of one draw
    beta, sigma, data = state
    values = {"weights": beta[: data.arrays["x"].shape[1]], "bias": beta[-1], "sigma": sigma}
    draws = {name: np.asarray(values[name], dtype=float)[None, None] for name in data.names}
    plug_in = [name for name in ("sigma",) if name in data.names]  # which the objective does not estimate
    return Fit("point", draws, stats={"gradients": 1, "steps": 1, "objective": "least_squares", "plug_in": plug_in})
'''


def backend(name: str, folder: Path | None) -> None:
    """Write a contender FRAMEWORK.METHOD into a folder of backends; UsageError where there is one.

    Without a folder into `backends` where that is one in which contenders are found, else here.
    """
    if folder is None:
        folder = Path("backends") if Path("backends").resolve() in backend_folders() else Path()
    framework, _, method = name.partition(".")
    if not all(re.fullmatch(r"[a-z][a-z0-9_]*", part) for part in (framework, method)):
        raise UsageError(f"{shown(name)} must read FRAMEWORK.METHOD, each of small letters, digits and _")
    file = folder / framework / f"{method}.py"
    if file.exists():
        raise UsageError(f"{file} is there already; choose another name or --out")
    write_contender(name, file)
    where = folder.resolve()
    found = "" if where in backend_folders() else f"BENCH_BACKENDS={shlex.quote(str(where))} "
    commands = ("check", name), ("run", "-s", "s0-uniform", "-b", name, "-b", "exact.posterior")
    output.next_steps(f"{file} is written", *(found + program.command(*words) for words in commands))


def write_contender(name: str, file: Path) -> None:
    """Write the contender to begin with."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CONTENDER.replace("NAME[", f"{name}["), encoding="utf-8")
