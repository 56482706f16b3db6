"""What a backend file declares, read from its source so that no framework is imported."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog.places import backend_files
from bench.errors import UsageError, unknown

BUDGET_OPTIONS: Mapping[str, str] = {
    "steps": "optimiser or VI steps, instead of the budget's",
    "chains": "chains, instead of the budget's",
    "warmup": "warmup draws per chain, instead of the budget's",
    "draws": "draws per chain, instead of the budget's",
}


DECLARED = {"KIND", "KIND_OF", "FAMILIES", "DEVICES", "DEFAULTS", "PACKAGES", "EXTRA", "DTYPE"}
"""Constants that a backend's file or its framework's folder may state as literals."""


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a backend's `Options`: `type` is int, float, bool, str or a tuple of allowed words."""

    name: str
    type: str | tuple[Any, ...]
    default: Any
    help: str

    @property
    def allowed(self) -> str:
        """What the user may write."""
        return "one of " + ", ".join(map(str, self.type)) if isinstance(self.type, tuple) else f"a value of {self.type}"

    def validate(self, value: Any, backend: str) -> Any:
        """The value in the option's type; UsageError names backend, option, value and what is allowed."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(self.type, tuple):
            if value in self.type:
                return value
        elif self.type == "float" and number:
            return float(value)
        elif (
            (self.type == "int" and number and isinstance(value, int))
            or (self.type == "bool" and isinstance(value, bool))
            or (self.type == "str" and isinstance(value, str))
        ):
            return value
        raise UsageError(f"backend {backend}: option {self.name} = {value!r} is not allowed; {self.allowed}")


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A backend as its source declares it. `dtype` and `defaults` are the framework's own, of the track `defaults`."""

    name: str
    file: Path
    kind: str
    summary: str
    doc: str
    options: Mapping[str, Option]
    families: tuple[str, ...]
    devices: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    dtype: str
    defaults: Mapping[str, Any]
    kinds: Mapping[str, str]
    digest: str

    @property
    def framework(self) -> str:
        """The folder it lies in."""
        return self.name.partition(".")[0]

    def kind_of(self, options: Mapping[str, Any]) -> str:
        """The kind of its answers under these options: `kinds` holds exceptions, {"option=value": kind}."""
        for setting, kind in self.kinds.items():
            name, _, value = setting.partition("=")
            if str(options.get(name)) == value:
                return kind
        return self.kind

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages it needs that are not installed."""
        return tuple(p for p in self.packages if importlib.util.find_spec(p) is None)

    @property
    def install(self) -> str:
        """The command that installs what it needs."""
        return f"pip install 'posterior-bench[{self.extra}]'" if self.extra else "pip install posterior-bench"

    def validate(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Checked options in sorted order; UsageError for unknown ones and wrong values."""
        checked = {}
        for key, value in sorted(options.items()):
            if key in BUDGET_OPTIONS:
                least = 0 if key == "warmup" else 1
                if isinstance(value, bool) or not isinstance(value, int) or value < least:
                    raise UsageError(
                        f"backend {self.name}: {key} = {value!r} is not allowed; a whole number of at least {least}"
                    )
                checked[key] = value
            elif key in self.options:
                checked[key] = self.options[key].validate(value, self.name)
            else:
                raise unknown(f"option of {self.name}", key, [*self.options, *BUDGET_OPTIONS])
        return checked


@cache
def backend(name: str) -> BackendInfo:
    """Read one backend's declarations; UsageError for an unknown name or a file that declares nonsense."""
    files = backend_files()
    if name not in files:
        raise unknown("backend", name, files)
    file = files[name]
    source, package = file.read_text(), (file.parent / "__init__.py").read_text()
    try:
        tree, outer = ast.parse(source), ast.parse(package)
        constants, framework = _constants(tree), _constants(outer)
        options = {o.name: o for o in _options(tree, source)}
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{file}: not a readable backend: {error}") from None
    doc = ast.get_docstring(tree) or ""
    return BackendInfo(
        name=name,
        file=file,
        kind=str(constants["KIND"]),
        summary=doc.partition("\n")[0],
        doc=doc,
        options=options,
        families=tuple(constants.get("FAMILIES", ())),
        devices=tuple(constants.get("DEVICES", ("cpu",))),
        packages=tuple(framework.get("PACKAGES", ())),
        extra=str(framework.get("EXTRA", "")),
        dtype=str(framework.get("DTYPE", "float64")),
        defaults=dict(constants.get("DEFAULTS", {})),
        kinds=dict(constants.get("KIND_OF", {})),
        digest=_digest(file),
    )


def framework_digest(framework_folder: Path) -> str:
    """Hash of what a framework's backends share: its modules, and those beside it, that are no backends themselves."""
    beside = [*framework_folder.glob("*.py"), *framework_folder.parent.glob("*.py")]
    shared = [f for f in sorted(beside) if f not in set(backend_files().values())]
    return hashlib.sha256(b"".join(f.read_bytes() for f in shared)).hexdigest()


def _digest(file: Path) -> str:
    own = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashlib.sha256((own + framework_digest(file.parent)).encode()).hexdigest()[:16]


def _constants(tree: ast.Module) -> dict[str, Any]:
    found = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id in DECLARED:
                assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
                found[target.id] = ast.literal_eval(node.value)
    return found


def _options(tree: ast.Module, source: str) -> Iterator[Option]:
    lines = source.splitlines()
    for node in tree.body:
        if not (isinstance(node, ast.ClassDef) and node.name == "Options"):
            continue
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                if item.value is None:
                    raise ValueError(f"option {item.target.id} has no default")
                comment = re.search(r"#\s*(.*)$", lines[item.end_lineno - 1] if item.end_lineno else "")
                yield Option(
                    name=item.target.id,
                    type=_type(item.annotation),
                    default=ast.literal_eval(item.value),
                    help=comment.group(1) if comment else "",
                )


def _type(annotation: ast.expr) -> str | tuple[Any, ...]:
    if isinstance(annotation, ast.Name) and annotation.id in {"int", "float", "bool", "str"}:
        return annotation.id
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Literal"):
        words = ast.literal_eval(annotation.slice)
        return words if isinstance(words, tuple) else (words,)
    raise ValueError(f"option type {ast.unparse(annotation)} is not int, float, bool, str or Literal")
