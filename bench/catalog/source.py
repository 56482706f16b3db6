"""Python files of a backend, read without running them: literal constants, and the fields of `Options`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.catalog.options import Option
from bench.errors import UsageError, shown
from bench.types import DEVICES, DTYPES, KINDS

NO_KIND = f'line KIND = "…" outside of functions; kinds are {", ".join(KINDS)}'


def _words(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(v, str) and v for v in value)


def _packages(value: Any) -> bool:
    names = [*value, *value.values()] if isinstance(value, dict) else value
    return _words(names) and not any(name.startswith(".") for name in names)


DECLARED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "KIND": (lambda v: isinstance(v, str) and v in KINDS, f"one of {', '.join(KINDS)}"),
    "KIND_OF": (
        lambda v: isinstance(v, dict) and all(isinstance(k, str) and "=" in k and w in KINDS for k, w in v.items()),
        'a table {"option=value": kind}',
    ),
    "FAMILIES": (_words, "a tuple of names"),
    "DEVICES": (lambda v: _words(v) and set(v) <= set(DEVICES), f"a tuple out of {DEVICES}"),
    "DEFAULTS": (lambda v: isinstance(v, dict) and all(isinstance(k, str) for k in v), "a table {option: value}"),
    "PACKAGES": (_packages, "a tuple of packages, or a table {package: name under which it is installed}"),
    "ENDS": (lambda v: isinstance(v, str) and bool(v), "a text, why its chains cannot go on"),
    "EXTRA": (lambda v: isinstance(v, str), "a text"),
    "PYTHON": (
        lambda v: isinstance(v, str) and re.fullmatch(r">=3\.\d+(, ?<3\.\d+)?", v) is not None,
        'versions of Python such as ">=3.12" or ">=3.11,<3.13"',
    ),
    "OWN": (
        lambda v: _words(v) and bool(v),
        "a tuple of names of files, those of Python without .py, the preferred first",
    ),
    "FORKABLE": (lambda v: isinstance(v, bool), "True or False"),
    "DTYPE": (lambda v: isinstance(v, str) and v in DTYPES, f"one of {', '.join(DTYPES)}"),
}
"""Constants that a backend's file or its framework's folder may state as literals: which values, in words too."""


class Source(NamedTuple):
    """What one file declares; `settings` is the docstring of `Options`, `names` are functions it has or imports."""

    doc: str
    constants: Mapping[str, Any]
    options: Mapping[str, Option]
    settings: str
    models: tuple[str, ...]
    names: frozenset[str]


def read(file: Path) -> Source:
    """What a file declares; UsageError where it cannot be read or declares what is not allowed."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Options"]
        return Source(
            doc=ast.get_docstring(tree) or "",
            constants=dict(_constants(tree)),
            options={option.name: option for node in classes for option in _options(node)},
            settings=next((ast.get_docstring(node) or "" for node in classes), ""),
            models=tuple(_models(tree)),
            names=frozenset(_names(tree)),
        )
    except OSError as error:
        raise UsageError(f"{file}: not a readable backend: {error.strerror}") from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError | MemoryError) else error
        raise UsageError(f"{file}: not a readable backend: {what}") from None


def _names(tree: ast.Module) -> Iterator[str]:
    """Functions that a file defines, or takes from another."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Every name that is given a value outside of functions and classes, with the expression."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for name, expression in _assigned(tree):
        if name in DECLARED:
            if expression is None:
                raise ValueError(f"{name} has no value")
            value = _literal(name, expression)
            allows, allowed = DECLARED[name]
            if not allows(value):
                raise ValueError(f"{name} = {shown(value)}, but it must be {allowed}")
            yield name, value


def _models(tree: ast.Module) -> Iterator[str]:
    """The families that a table `MODELS` has models of: its keys."""
    for name, expression in _assigned(tree):
        if name == "MODELS" and isinstance(expression, ast.Dict):
            keys = [_literal("a key of MODELS", key) for key in expression.keys if key is not None]
            yield from (key for key in keys if isinstance(key, str))


def _options(node: ast.ClassDef) -> Iterator[Option]:
    """The fields of a class `Options`: `name: type = default`, or `name: type = option(default, "help")`."""
    for item in node.body:
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
            continue
        name, default, words = item.target.id, item.value, ""
        if default is None:
            raise ValueError(f"option {name} has no default")
        if isinstance(default, ast.Call) and ast.unparse(default.func) == "option":
            if len(default.args) != 2 or default.keywords:
                raise ValueError(f"option {name} must read option(default, help)")
            default, text = default.args
            words = str(_literal(f"the help of option {name}", text))
        value = _literal(f"the default of option {name}", default)
        yield Option(name=name, type=_type(item.annotation), default=value, help=words)


def _literal(what: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        text = shown(ast.unparse(node))[1:-1]
        raise ValueError(f"{what} is {text}, but it must be a literal: this file is read, not run") from None


def _type(annotation: ast.expr) -> str | tuple[Any, ...]:
    if isinstance(annotation, ast.Name) and annotation.id in {"int", "float", "bool", "str"}:
        return annotation.id
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Literal"):
        words = _literal("an option's type", annotation.slice)
        return words if isinstance(words, tuple) else (words,)
    raise ValueError(f"option type {ast.unparse(annotation)} is not int, float, bool, str or Literal")
