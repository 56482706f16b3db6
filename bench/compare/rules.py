"""What a gate holds a run to: from `[tool.bench.gate]` of a pyproject.toml, and from the command line, which wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.catalog import toml
from bench.errors import UsageError, shown, unknown

if TYPE_CHECKING:
    from bench.compare.rows import Request

KEYS = {"fail_on": list, "threshold": list, "metric": list, "baseline": str, "strict": bool}
"""Keys of `[tool.bench.gate]`; the first three are lists of text, or one text."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`fail_on`, `threshold` and `metric` as in `bench compare`; `baseline` a JSON file or a run's folder.

    `strict`: on another machine times are not read as advice, but not read at all, with an exit code of their own.
    """

    fail_on: tuple[str, ...] = ()
    threshold: tuple[str, ...] = ()
    metric: tuple[str, ...] = ()
    baseline: str = ""
    strict: bool = False
    where: Path = field(default_factory=Path)

    def request(self) -> Request:
        """The comparison to make; UsageError for an expression or a metric that cannot be."""
        from bench.compare.rows import Request

        return Request.read(self.fail_on, self.threshold, self.metric, allow_other_machine=not self.strict)


def rules(pyproject: Path, given: dict[str, Any]) -> Rules:
    """The rules of a project with what the user `given` on the command line; UsageError names file, key and value."""
    merged = {**_table(pyproject), **{k: v for k, v in given.items() if v}}
    made = Rules(
        fail_on=tuple(merged.get("fail_on", ())),
        threshold=tuple(merged.get("threshold", ())),
        metric=tuple(merged.get("metric", ())),
        baseline=str(merged.get("baseline", "")),
        strict=bool(merged.get("strict")),
        where=Path() if given.get("baseline") else pyproject.parent,
    )
    made.request()
    return made


def _table(pyproject: Path) -> dict[str, Any]:
    if not pyproject.is_file():
        return {}
    table: Any = toml.read(pyproject)
    for key in ("tool", "bench", "gate"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{pyproject}: {key} = {shown(table)} is not allowed; a table")
    where = f"{pyproject}: [tool.bench.gate]"
    found = {}
    for key, value in table.items():
        if key not in KEYS:
            raise UsageError(f"{where}: {unknown('key', key, KEYS)}")
        wanted = KEYS[key]
        value = [value] if wanted is list and isinstance(value, str) else value
        if not isinstance(value, wanted) or (isinstance(value, list) and not all(isinstance(v, str) for v in value)):
            allowed = {list: "a text or a list of texts", str: "a text", bool: "true or false"}[wanted]
            raise UsageError(f"{where}: {key} = {shown(value)} is not allowed; {allowed}")
        found[key] = value
    return found
