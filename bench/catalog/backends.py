"""What a backend file declares, read from its source so that no framework is imported."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog.places import backend_files, backend_folders
from bench.errors import UsageError, shown, unknown

BUDGET_OPTIONS: Mapping[str, str] = {
    "steps": "optimiser or VI steps, instead of the budget's",
    "chains": "chains, instead of the budget's",
    "warmup": "warmup draws per chain, instead of the budget's",
    "draws": "draws per chain, instead of the budget's",
}


KINDS, DEVICES, DTYPES = ("point", "vi", "mcmc", "exact"), ("cpu", "cuda"), ("float64", "float32")
"""Those of bench.types, which imports numpy: listing backends does not."""
LARGEST, MOST = 1e300, 10**9
"""What no number and no whole number of an option is beyond."""
NO_KIND = f'line KIND = "…" outside of functions; kinds are {", ".join(KINDS)}'


def _words(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(v, str) and v for v in value)


DECLARED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "KIND": (lambda v: isinstance(v, str) and v in KINDS, f"one of {', '.join(KINDS)}"),
    "KIND_OF": (
        lambda v: isinstance(v, dict) and all(isinstance(k, str) and "=" in k and w in KINDS for k, w in v.items()),
        'a table {"option=value": kind}',
    ),
    "FAMILIES": (_words, "a tuple of names"),
    "DEVICES": (lambda v: _words(v) and set(v) <= set(DEVICES), f"a tuple out of {DEVICES}"),
    "DEFAULTS": (lambda v: isinstance(v, dict) and all(isinstance(k, str) for k in v), "a table {option: value}"),
    "PACKAGES": (lambda v: _words(v) and not any(p.startswith(".") for p in v), "a tuple of packages"),
    "EXTRA": (lambda v: isinstance(v, str), "a text"),
    "DTYPE": (lambda v: isinstance(v, str) and v in DTYPES, f"one of {', '.join(DTYPES)}"),
}
"""Constants that a backend's file or its framework's folder may state as literals: which values, in words too."""


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
        number = isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST
        if isinstance(self.type, tuple):
            if any(value == word and type(value) is type(word) for word in self.type):
                return value
        elif self.type == "float" and number:
            return float(value)
        elif (
            (self.type == "int" and number and isinstance(value, int) and abs(value) <= MOST)
            or (self.type == "bool" and isinstance(value, bool))
            or (self.type == "str" and isinstance(value, str))
        ):
            return value
        raise UsageError(f"backend {backend}: option {self.name} = {shown(value)} is not allowed; {self.allowed}")


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
    settings: str = ""
    """What its `Options` say of themselves: the settings that are fixed, as metric and inits."""

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
        return tuple(p for p in self.packages if not _installed(p))

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
                if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
                    raise UsageError(
                        f"backend {self.name}: {key} = {shown(value)} is not allowed; a whole number of at least "
                        f"{least} and at most {MOST}"
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
        raise _not_there(name)
    file = files[name]
    (tree, constants, options), (_, framework, _) = _declared(file), _declared(file.parent / "__init__.py")
    if "KIND" not in constants:
        raise UsageError(f"{file}: not a readable backend: it has no {NO_KIND}")
    if clash := sorted(set(options) & set(BUDGET_OPTIONS)):
        raise UsageError(f"{file}: not a readable backend: option {clash[0]} is the budget's; choose another name")
    doc = ast.get_docstring(tree) or ""
    return BackendInfo(
        name=name,
        file=file,
        kind=constants["KIND"],
        summary=doc.partition("\n")[0],
        doc=doc,
        options=options,
        families=tuple(constants.get("FAMILIES", ())),
        devices=tuple(constants.get("DEVICES", ("cpu",))),
        packages=tuple(framework.get("PACKAGES", ())),
        extra=framework.get("EXTRA", ""),
        dtype=framework.get("DTYPE", "float64"),
        defaults=dict(constants.get("DEFAULTS", {})),
        kinds=dict(constants.get("KIND_OF", {})),
        digest=_digest(file),
        settings=_settings(tree),
    )


def _settings(tree: ast.Module) -> str:
    found = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Options")
    return next((ast.get_docstring(node) or "" for node in found), "")


def _declared(file: Path) -> tuple[ast.Module, dict[str, Any], dict[str, Option]]:
    """Syntax tree, constants and options of a Python file that is not run; UsageError."""
    try:
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
        constants = _constants(tree)
        for name, value in constants.items():
            check, allowed = DECLARED[name]
            if not check(value):
                raise ValueError(f"{name} = {shown(value)}, but it must be {allowed}")
        return tree, constants, {o.name: o for o in _options(tree, source)}
    except OSError as error:
        raise UsageError(f"{file}: not a readable backend: {error.strerror}") from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError | MemoryError) else error
        raise UsageError(f"{file}: not a readable backend: {what}") from None


def _not_there(name: str) -> UsageError:
    """Why there is no such backend: a file that lacks its KIND, or no file."""
    framework, _, method = name.partition(".")
    for folder in backend_folders() if name.replace(".", "").isidentifier() else ():
        file = folder / framework / f"{method}.py"
        if file.is_file():
            return UsageError(f"{file}: not a backend: it has no {NO_KIND}")
    return unknown("backend", name, backend_files())


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # of a name with dots the outer package is missing, or is no package
        return False


def framework_digest(framework_folder: Path) -> str:
    """Hash of what a framework's backends share: its modules, and those beside it, that are no backends themselves."""
    beside = [*framework_folder.glob("*.py"), *framework_folder.parent.glob("*.py")]
    shared = [f for f in sorted(beside) if f not in set(backend_files().values())]
    return hashlib.sha256(b"".join(_bytes(f) for f in shared if not f.is_dir())).hexdigest()


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: not readable, and part of its framework: {error.strerror}") from None


def _digest(file: Path) -> str:
    own = hashlib.sha256(_bytes(file)).hexdigest()
    return hashlib.sha256((own + framework_digest(file.parent)).encode()).hexdigest()[:16]


def _constants(tree: ast.Module) -> dict[str, Any]:
    found = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id in DECLARED:
                assert isinstance(node, ast.Assign | ast.AnnAssign)
                if node.value is None:
                    raise ValueError(f"{target.id} has no value")
                found[target.id] = _literal(target.id, node.value)
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
                    default=_literal(f"the default of option {item.target.id}", item.value),
                    help=comment.group(1) if comment else "",
                )


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


IMPORTED: Mapping[str, str] = {"pyro-ppl": "pyro", "jaxlib": "jax", "scikit-learn": "sklearn"}
"""Names under which packages are imported, where they differ."""
