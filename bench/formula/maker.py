"""From one table and one formula to the arrays of a design, and the words by which its columns are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.errors import ScenarioError
from bench.formula import table as tables
from bench.formula.terms import NUMPY, Parsed
from bench.types import Array, Arrays, Design

if TYPE_CHECKING:
    import pandas as pd

FUNCTIONS: Mapping[str, Any] = {name: getattr(np, name) for name in NUMPY}
COLUMNS = 10_000
ALL_GAPS = "every row has a gap in a column that is needed"
GAPS = "were left out for gaps"
NUMBERS = 10**8
"""Entries of a design at most, 0.8 GB."""


class _Side(NamedTuple):
    """One part of the rows as a design: x (n, J), y (n,) and what else each has."""

    x: Array
    y: Array
    beside: Arrays


class Maker:
    """One table and one formula on their way to a design."""

    def __init__(
        self,
        cells: tables.Table,
        parsed: Parsed,
        table: Mapping[str, Any],
        settings: Mapping[str, Any],
        beside: Mapping[str, str],
        columns: Mapping[str, tables.Column],
    ) -> None:
        self.cells, self.parsed, self.settings, self.beside = cells, parsed, settings, beside
        self.likelihood, self.formula = table.get("likelihood", "gaussian"), table["formula"]
        self.columns, self.notes = dict(columns), list[str]()
        self.levels = {name: column.levels for name, column in columns.items() if column.levels}
        self._code_response()
        self.dropped, self.rows = self._without_gaps()
        self.train, self.test = self._split()

    def refused(self, why: str) -> ScenarioError:
        """What to raise for the formula."""
        return ScenarioError("formula", self.formula, why)

    def _code_response(self) -> None:
        """A yes or no of the observations becomes 1 or 0."""
        name = self.parsed.response
        if not (levels := self.levels.pop(name, ())):
            return
        if self.likelihood != "bernoulli" or len(levels) != 2:
            wanted = f"it has {len(levels)} categories: {', '.join(levels[:5])}; only bernoulli observations may have 2"
            raise ScenarioError("formula", name, wanted)
        column = self.columns[name]
        self.columns[name] = column._replace(values=(column.values == levels[1]).astype(float), levels=())
        self.notes.append(f"{name} is 1 where it is {levels[1]}, 0 where it is {levels[0]}.")

    def _without_gaps(self) -> tuple[dict[str, int], Any]:
        """{column: its gaps} that cost rows, and the rows that are left."""
        gaps = {name: column.gaps for name, column in self.columns.items() if column.gaps.any()}
        if gaps and self.settings["missing"] == "refuse":
            name, where = min(gaps.items(), key=lambda item: int(np.argmax(item[1])))
            count = int(np.logical_or.reduce(list(gaps.values())).sum())
            why = (
                f'no value ({count} rows have such gaps); fill them, or leave these rows out by [data] missing = "drop"'
            )
            raise self.cells.refuse(int(np.argmax(where)), name, why)
        left = ~np.logical_or.reduce([np.zeros(len(self.cells.cells), bool), *gaps.values()])
        if not left.any():
            raise ScenarioError("data.file", self.cells.file, ALL_GAPS)
        if gaps:
            each = ", ".join(f"{name} {int(where.sum())}" for name, where in gaps.items())
            self.notes.append(f"{int((~left).sum())} of {len(left)} rows {GAPS}: {each}.")
        return {name: int(where.sum()) for name, where in gaps.items()}, np.flatnonzero(left)

    def _split(self) -> tuple[Any, Any]:
        """The rows that are fitted, and those held out."""
        share, n = self.settings["share"], len(self.rows)
        held = round(share * n)
        if share and not 0 < held < n:
            raise ScenarioError("holdout.share", share, f"of {n} rows it leaves {n - held} to fit and {held} held out")
        mixed = np.random.default_rng(self.settings["seed"]).permutation(n)
        return self.rows[np.sort(mixed[held:])], self.rows[np.sort(mixed[:held])]

    def frame(self, rows: Array) -> pd.DataFrame:
        """Rows of the columns, categories as pandas knows them."""
        import pandas as pd

        kept = {
            name for name, column in self.columns.items() if name != self.parsed.group or name in self.parsed.columns
        }
        return pd.DataFrame(
            {
                name: pd.Categorical(column.values[rows], categories=column.levels)
                if column.levels
                else column.values[rows]
                for name, column in self.columns.items()
                if name in kept
            }
        )

    def design(self) -> Design:
        """The design; ScenarioError."""
        frame = self.frame(self.train)
        specs = self.specs(frame)
        train = self.side(self.train, specs, frame)
        labels = list(labels_of(specs).values())
        self.check(labels, len(train.y), has_intercept="Intercept" in specs[1].column_names)
        self.check_varying(labels, np.ptp(train.x, axis=0))
        sides = [train]
        if len(self.test):
            sides.append(self.side(self.test, specs, self.frame(self.test)))
        if self.settings["standardise"]:
            x = train.x
            dummy = ((x == 0.0) | (x == 1.0)).all(axis=0)
            centre, sd = self.scaling(labels, x.mean(axis=0), x.std(axis=0), dummy)
            sides = [side._replace(x=(side.x - centre) / sd) for side in sides]
        return self.described(specs, self.arrays(sides[0]), self.arrays(sides[1]) if len(sides) > 1 else {})

    def specs(self, frame: pd.DataFrame) -> Any:
        """What formulaic makes of the left side and of the right, with the categories of these rows' columns."""
        from formulaic.errors import FormulaicError

        try:
            with np.errstate(all="ignore"):
                both: Any = self.parsed.fixed.get_model_matrix(
                    frame, context=FUNCTIONS, na_action="ignore", output="numpy"
                )
        except (FormulaicError, ValueError, TypeError, KeyError, IndexError, MemoryError) as error:
            raise self.refused(f"it cannot be evaluated: {' '.join(str(error).split())[:300]}") from None
        return both.lhs.model_spec, both.rhs.model_spec

    def described(self, specs: Any, arrays: Arrays, holdout: Arrays) -> Design:
        """The design of these arrays, with its words."""
        labels = labels_of(specs)
        named = {"weights": tuple(labels.values())} if labels else {}
        if "Intercept" in specs[1].column_names and not self.parsed.group:
            named["bias"] = ("Intercept",)
        if self.parsed.group:
            groups = self._groups()
            named |= {"mu": ("Intercept",), "a": tuple(f"{self.parsed.group}[{group}]" for group in groups)}
        terms = {
            _label(str(term)): tuple(labels[c] for c in specs[1].column_names[where] if c in labels)
            for term, where in specs[1].term_slices.items()
        }
        return Design(
            arrays=arrays,
            holdout=holdout,
            labels=named,
            terms={term: its for term, its in terms.items() if its},
            levels={name: self.levels[name] for name in self.levels},
            dropped=self.dropped,
            notes=tuple(self.notes),
        )

    def side(self, rows: Array, specs: Any, frame: pd.DataFrame) -> _Side:
        """These rows, `frame`, as a design; ScenarioError for one that is not finite there."""
        with np.errstate(all="ignore"):
            y, x = (np.asarray(s.get_model_matrix(frame, context=FUNCTIONS), dtype=float) for s in specs)
        if y.shape[1:] != (1,):
            raise self.refused("its left side must give one number per row")
        kept = [i for i, name in enumerate(specs[1].column_names) if name != "Intercept"]
        beside = {key: self._beside(key, rows, frame) for key in self.beside}
        for what, values in (
            ("the observations", y),
            *((c, x[:, [i]]) for i, c in enumerate(specs[1].column_names)),
            *((k, v[:, None]) for k, v in beside.items()),
        ):
            if not np.isfinite(values).all():
                row = int(rows[int(np.argmax(~np.isfinite(values).all(axis=1)))])
                raise self.cells.refuse(row, what, "it is not finite there")
        if self.parsed.group:
            column, levels = self.columns[self.parsed.group], self._groups()
            index = {level: float(i) for i, level in enumerate(levels)}
            beside["group"] = np.array([index[_level(value)] for value in column.values[rows]])
        return _Side(np.ascontiguousarray(x[:, kept]), y[:, 0], beside)

    def _beside(self, key: str, rows: Array, frame: pd.DataFrame) -> Array:
        """The offset, trials or frequency of every row, (n,)."""
        from formulaic import Formula

        if key == "offset" and self.parsed.offset:
            matrix: Any = Formula(f"0 + I({self.parsed.offset})").get_model_matrix(
                frame, context=FUNCTIONS, na_action="ignore", output="numpy"
            )
            return np.asarray(matrix, dtype=float)[:, 0]
        column = self.columns[self.beside[key]]
        if column.levels:
            raise ScenarioError(f"data.{key}", self.beside[key], "it must be a column of numbers")
        values = np.asarray(column.values[rows], dtype=float)
        whole = (values == np.rint(values)) & (values >= (1.0 if key == "trials" else 0.0))
        if key != "offset" and not whole.all():
            row = int(rows[int(np.argmin(whole))])
            raise self.cells.refuse(row, self.beside[key], f"{key} must be whole numbers")
        return values

    def _groups(self) -> tuple[str, ...]:
        """The values of the column that the intercept varies by."""
        column = self.columns[self.parsed.group]
        values = column.values[self.rows]
        levels = sorted(set(map(_level, values))) if column.levels else [_level(v) for v in sorted(set(values))]
        if not 2 <= len(levels) <= COLUMNS:
            raise self.refused(f"{self.parsed.group} has {len(levels)} groups; an intercept varies by 2 to {COLUMNS}")
        return tuple(levels)

    def check(self, labels: list[str], rows: int, *, has_intercept: bool, most: float = NUMBERS) -> None:
        """ScenarioError for a formula without terms, or with more numbers than that."""
        if self.parsed.group and not has_intercept:
            raise self.refused("a varying intercept needs the common one: leave 0 or -1 out")
        if not labels and not self.parsed.group:
            raise self.refused("it needs a term beside the intercept")
        if len(labels) > COLUMNS or rows * len(labels) > most:
            raise self.refused(f"it gives {len(labels)} columns of {rows} rows; at most {COLUMNS} and {most} in all")

    def check_varying(self, labels: list[str], span: Array) -> None:
        """ScenarioError for a column that is the same in all rows: what lies between its least and its largest."""
        if constant := [label for label, width in zip(labels, span, strict=True) if width == 0.0]:
            raise self.refused(f"column {constant[0]} is the same in every row that is fitted")

    def scaling(self, labels: list[str], mean: Array, sd: Array, dummy: Array) -> tuple[Array, Array]:
        """What is subtracted from columns and divided by: nothing and 1 where a column is 0 or 1 throughout."""
        centre, sd = np.where(dummy, 0.0, mean), np.where(dummy, 1.0, sd)
        each = [
            f"{label} ({c:.4g}, {s:.4g})" for label, c, s, d in zip(labels, centre, sd, dummy, strict=True) if not d
        ]
        if each:
            self.notes.append(f"Standardised by mean and sd: {', '.join(each)}.")
        return centre, sd

    def arrays(self, side: _Side) -> dict[str, Array]:
        """What the family takes: rows as often as their frequency says, Gaussian observations less their offset."""
        beside = dict(side.beside)
        x, y = side.x, side.y
        if self.likelihood in ("gaussian", "student_t") and "offset" in beside:
            y = y - beside.pop("offset")
            note = "The offset was subtracted from the observations."
            self.notes += [note] * (note not in self.notes)
        repeats = beside.pop("frequency", None)
        arrays = {"x": x, "y": y, **beside}
        if repeats is not None:
            if side.x.shape[1] * repeats.sum() > NUMBERS:
                raise ScenarioError(
                    "data.frequency", self.beside["frequency"], f"the rows it stands for exceed {NUMBERS} numbers"
                )
            arrays = {name: np.repeat(values, repeats.astype(int), axis=0) for name, values in arrays.items()}
            note = f"Each row stands for as many as its {self.beside['frequency']} says."
            self.notes += [note] * (note not in self.notes)
        return {name: np.ascontiguousarray(values) for name, values in arrays.items()}


_CODED = re.compile(r"C\(\s*`?([^`,()]+?)`?\s*(?:,.*)?\)$")
_LEVEL = re.compile(r"(.*?)\[(?:T\.|S\.)?(.*)\]$")


def labels_of(specs: Any) -> dict[str, str]:
    """{formulaic's name of a column: its label}, without the intercept."""
    return {name: _label(name) for name in specs[1].column_names if name != "Intercept"}


def _label(column: str) -> str:
    """`region[west]` of formulaic's `C(region)[T.west]`; other names, and each part of an interaction, as they are."""
    parts = []
    for part in column.split(":"):
        level = _LEVEL.fullmatch(part)
        name, inside = (level[1], f"[{level[2]}]") if level else (part, "")
        coded = _CODED.fullmatch(name)
        parts.append(f"{coded[1] if coded else name}{inside}")
    return ":".join(parts)


def _level(value: object) -> str:
    """A value that groups rows, as it is written."""
    return f"{value:g}" if isinstance(value, float) else str(value)
