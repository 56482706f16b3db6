"""`bench.model`: a model that is a function of a session, written to a folder that children can read."""

from __future__ import annotations

import inspect
import json
import os
import textwrap
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UsageError, shown

NAMES = {"numpyro": "model", "pyro": "model", "torch": "log_density", "jax": "log_density", "pymc": "model"}
"""What each framework's file must define."""
FILES = {name: f"{name}.py" for name in NAMES} | {"stan": "model.stan"}


def model(
    name: str,
    *,
    parameters: Mapping[str, Mapping[str, Any]],
    data: Mapping[str, Any],
    numpyro: Callable[..., Any] | str | None = None,
    pyro: Callable[..., Any] | str | None = None,
    torch: Callable[..., Any] | str | None = None,
    jax: Callable[..., Any] | str | None = None,
    pymc: Callable[..., Any] | str | None = None,
    stan: str | None = None,
    integers: tuple[str, ...] = (),
    description: str = "",
    folder: str | os.PathLike[str] = "models",
) -> str:
    """Write a model of your own to `folder/name/`, where children find it; what `bench.run` takes as a scenario.

    Args:
        name: of the scenario.
        parameters: `{"sigma": {"lower": 0}, "theta": {"shape": ["n"]}}`: a shape of sizes or of names of
            whole numbers in the data, bounds `lower` and `upper`; all may be left out.
        data: numbers, lists and arrays of them by name; a whole number alone is a size.
        numpyro: the model as a function of the data by name, or its source; likewise `pyro`.
        torch: `log_density(data, params)`, priors and all, of parameters with any leading dimensions; or its source.
        jax: the same of one point, in JAX: what BlackJAX fits, and NumPyro where it has no file of its own.
        pymc: the model as a function of the data by name, called inside a `pm.Model`; or its source.
        stan: the text of a Stan program.
        integers: names of arrays that index others.
        description: of the scenario.
        folder: where the model's folder goes; what it had of these files is overwritten.

    Returns:
        The path of the scenario's file.

    Raises:
        UsageError: for a function whose source or names cannot be written to a file, and for data that are no numbers.

    A function is written as its source, after the modules, imported names, numbers, texts and functions of the session
    that it uses. A lambda, a method, or one that uses other values of the session has no such file: give its source.
    """
    given = {"numpyro": numpyro, "pyro": pyro, "torch": torch, "jax": jax, "pymc": pymc, "stan": stan}
    if not name.isidentifier():
        raise UsageError(f"name={name!r} is not allowed; a name of letters, digits and _")
    if all(value is None for value in given.values()):
        raise UsageError(f"bench.model needs one of {', '.join(FILES)}: the model itself")
    codes = {framework: _code(framework, value) for framework, value in given.items() if value is not None}
    text = _toml(parameters, integers, description)
    numbers = json.dumps({key: _numbers(key, value) for key, value in data.items()})
    place = Path(folder) / name
    place.mkdir(parents=True, exist_ok=True)
    for framework in FILES.keys() - codes.keys():
        (place / FILES[framework]).unlink(missing_ok=True)
    for framework, code in codes.items():
        (place / FILES[framework]).write_text(code, encoding="utf-8")
    (place / "data.json").write_text(numbers + "\n", encoding="utf-8")
    (place / "model.toml").write_text(text, encoding="utf-8")
    return str(place / "model.toml")


def _toml(parameters: Mapping[str, Mapping[str, Any]], integers: tuple[str, ...], description: str) -> str:
    rows = [f"{json.dumps(key)} = {_inline(key, block)}" for key, block in parameters.items()]
    indices = [f"integers = {json.dumps(list(integers))}"] if integers else []
    lines = [f"description = {json.dumps(description)}", "", "[parameters]", *rows, "", "[data]", 'file = "data.json"']
    return "\n".join([*lines, *indices]) + "\n"


def _inline(name: str, block: Mapping[str, Any]) -> str:
    try:
        values = ", ".join(f"{key} = {json.dumps(_listed(value))}" for key, value in block.items())
    except (TypeError, AttributeError):
        raise UsageError(
            f"parameters[{name!r}] = {shown(block)} is not allowed; a table of shape, lower, upper"
        ) from None
    return f"{{{values}}}"


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _numbers(name: str, value: Any) -> Any:
    """A number or nested lists of them."""
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise UsageError(f"data[{name!r}] = {shown(value)} is not allowed; numbers, or arrays of them")
    return (array.astype(int) if array.dtype.kind == "b" else array).tolist()


def _code(framework: str, value: Callable[..., Any] | str) -> str:
    """The content of a framework's file."""
    if isinstance(value, str):
        return value if value.endswith("\n") else f"{value}\n"
    if framework not in NAMES:
        raise UsageError(f"{framework}={shown(value)} is not allowed; the program as a text")
    wanted = NAMES[framework]
    lines, _ = _sources(value, framework, {})
    own = value.__name__
    alias = "" if own == wanted else f"\n\n{wanted} = {own}\n"
    return f'"""Written by bench.model."""\n\n{lines}{alias}'


def _sources(function: Callable[..., Any], framework: str, known: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Imports, values, functions and the function's own source; `known` {name: value} are written already."""

    def refused(why: str) -> UsageError:
        return UsageError(
            f"{framework}={shown(function)} cannot be written to a file: {why}; give its source as a text"
        )

    if not isinstance(function, types.FunctionType) or function.__name__ == "<lambda>" or "." in function.__qualname__:
        raise refused("it is no function of its own, outside of classes and other functions")
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise refused("its source is not at hand") from None
    if source.lstrip().startswith("@"):
        raise refused("it is decorated")
    parts = []
    for name in _names(function.__code__):
        if name not in function.__globals__ or name in known or function.__globals__[name] is function:
            continue
        value = function.__globals__[name]
        known[name] = value
        if isinstance(value, types.ModuleType):
            parts.append(f"import {value.__name__} as {name}\n")
        elif isinstance(value, int | float | str):
            parts.append(f"{name} = {value!r}\n")
        elif isinstance(value, types.FunctionType) and value.__module__ in ("__main__", function.__module__):
            parts.append("\n\n" + _sources(value, framework, known)[0])
        elif getattr(value, "__module__", None) and hasattr(value, "__qualname__") and "." not in value.__qualname__:
            parts.append(f"from {value.__module__} import {value.__qualname__} as {name}\n")
        else:
            raise refused(f"it uses {name} = {shown(value)} of the session")
    return "".join(parts) + "\n\n" + source, known


def _names(code: types.CodeType) -> list[str]:
    """Global names that a function uses, those of the functions inside it too, in order."""
    inner = [name for constant in code.co_consts if isinstance(constant, types.CodeType) for name in _names(constant)]
    return list(dict.fromkeys([*code.co_names, *inner]))
