"""The policy of a gate: from `[tool.bench.gate]` of a pyproject.toml, and from the command line, which wins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import asdict

from bench.catalog import toml
from bench.errors import UsageError, shown
from bench.words.reading import as_type

if TYPE_CHECKING:
    from bench.comparison.rows import Request

Texts = Annotated[tuple[str, ...], Meta(description="a text or a list of texts")]


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    """`[tool.bench.gate]`."""

    fail_on: Texts = ()
    threshold: Texts = ()
    metric: Texts = ()
    baseline: str = ""
    strict: bool = False
    advice_only_ok: bool = False


class Rules(_Table, frozen=True):
    """`fail_on`, `threshold` and `metric` as in `bench compare`; `baseline` a JSON file or a run's folder in `where`.

    `strict`: on another machine times are not read as advice, but not read at all, with an exit code of their own.
    `advice_only_ok`: a rule that is answered by advice alone is passed.
    """

    where: Path = Path()

    def request(self) -> Request:
        """The comparison to make; UsageError for an expression or a metric that cannot be."""
        from bench.comparison.rows import Request

        return Request.read(self.fail_on, self.threshold, self.metric, allow_other_machine=not self.strict)


def rules(pyproject: Path, options: dict[str, Any]) -> Rules:
    """The rules of a project with the `options` of the command line; UsageError names file, key and value."""
    table = _table(pyproject)
    as_type(table, _Table, f"{pyproject}: [tool.bench.gate]")
    policy = as_type(table | {key: value for key, value in options.items() if value}, _Table)
    policy = Rules(**asdict(policy), where=Path() if options.get("baseline") else pyproject.parent)
    policy.request()
    return policy


def _table(pyproject: Path) -> Any:
    table: Any = toml.read(pyproject) if pyproject.is_file() else {}
    for key in ("tool", "bench", "gate"):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{pyproject}: {key} = {shown(table)} is not allowed; a table")
    return toml.listed(table, "fail_on", "threshold", "metric")
