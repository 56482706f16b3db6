"""What a formula says, without running any of it: its terms, and a refusal of whatever is not plain arithmetic.

The formulas are those of formulaic (Wilkinson & Rogers 1973, Applied Statistics 22), which evaluates Python. A scenario
file must execute nothing, so names, numbers, arithmetic and a list of functions are all that is let through.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.catalog.designs import GROUPED
from bench.errors import ScenarioError, shown

if TYPE_CHECKING:
    from formulaic import Formula

NUMPY = ("log", "log10", "log2", "log1p", "exp", "sqrt", "abs", "sin", "cos", "tanh")
"""Functions of columns that are NumPy's."""
FUNCTIONS = (*NUMPY, "I", "C", "center", "scale", "poly", "bs", "cr", "cc")
"""All that may be called; the others are formulaic's."""
CODINGS = ("treatment", "sum")
"""`C(g, contr.treatment("west"))`: how a column of categories becomes numbers."""
LARGEST = 1e6
"""No number in a formula is beyond this: `poly(x, 1000000000)` would not end."""
POWER = 10
LENGTH = 4000
TERMS = 20_000
"""Terms that a formula may stand for: `a * b` is three, `(a + b + c) ** 3` up to 27."""


class Parsed(NamedTuple):
    """A formula without its special terms; `fixed` is formulaic's, its left side the observations."""

    fixed: Formula
    response: str
    group: str
    offset: str
    columns: tuple[str, ...]
    """Columns that the fixed part needs, the observations among them."""


def parse(formula: str, names: list[str]) -> Parsed:
    """The parts of `y ~ terms`, for a table with columns of these names; ScenarioError.

    `.` stands for all columns but the observations; `(1 | g)` is taken out as `group`, `offset(…)` as `offset`.
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    def refused(why: str) -> ScenarioError:
        return ScenarioError("formula", formula, why)

    if len(formula) > LENGTH or formula.count("~") != 1:
        raise refused(f"it must read y ~ terms, of at most {LENGTH} characters")
    left, right = formula.split("~")
    if not right.strip() or right.rstrip().endswith("+"):
        raise refused("its right side must end with a term; y ~ 1 is the intercept alone")
    right, group = _without_group(right, refused)
    right, offset = _without_offset(right, refused)
    response = left.strip().strip("`")
    others = [f"`{name}`" for name in names if name not in (response, group)]
    right = re.sub(r"(?<![\w.)`])\.(?![\w.(`])", f"({' + '.join(others)})", right)
    if _size(right) > TERMS:
        raise refused(f"its products and powers may stand for more than {TERMS} terms")
    try:
        fixed: Any = Formula(f"{left} ~ {right.strip().strip('+') or '1'}")
        terms = [list(side) for side in (fixed.lhs, fixed.rhs)]
    except (FormulaicError, SyntaxError, ValueError, AttributeError, TypeError, RecursionError) as error:
        said = str(getattr(error, "msg", None) or error)  # a SyntaxError's own words name no file
        raise refused(f"it cannot be read: {' '.join(said.split())[:200]}") from None
    if not all(hasattr(term, "factors") for side in terms for term in side):
        raise refused("it may have one right side, without |")
    if len(terms[0]) != 1 or len(terms[0][0].factors) != 1:
        raise refused("its left side must be one column, or one function of columns")
    columns: list[str] = [*_names(offset, refused)] if offset else []
    for factor in [factor for side in terms for term in side for factor in term.factors]:
        kind = factor.eval_method.value
        columns += [factor.expr] if kind == "lookup" else _names(factor.expr, refused) if kind == "python" else []
    return Parsed(fixed, response, group, offset, tuple(dict.fromkeys(columns)))


def _size(right: str) -> float:
    """A bound on the number of terms, read from the operators alone."""
    plain, before = re.sub(r"`[^`]*`", "x", right), ""
    while plain != before:  # what stands inside a function is arithmetic
        plain, before = re.sub(r"[A-Za-z_][\w.]*\([^()]*\)", "x", plain), plain
    factors = len(re.findall(r"[A-Za-z_]\w*", plain))
    powers = [int(power) for power in re.findall(r"(?:\*\*|\^)\s*(\d{1,6})", plain)]
    products = len(re.findall(r"(?<!\*)\*(?!\*)", plain))
    return 2.0 ** min(products, 60) * float(max(factors, 1)) ** min(max(powers, default=1), 60)


def _without_group(right: str, refused: Any) -> tuple[str, str]:
    groups = GROUPED.findall(right)
    for what, by in groups:
        if what.strip() != "1" or not re.fullmatch(r"`[^`]+`|\w+", by.strip()):
            raise refused("of groups it may say (1 | column): an intercept that varies by the values of one column")
    if len(groups) > 1:
        raise refused("it may have one (1 | column)")
    return GROUPED.sub(" ", right), groups[0][1].strip().strip("`") if groups else ""


def _without_offset(right: str, refused: Any) -> tuple[str, str]:
    """The right side without `offset(…)`, and what stood in its parentheses."""
    found = re.search(r"(?<![\w.])offset\(", right)
    if found is None:
        return right, ""
    depth, end = 1, found.end()
    while depth and end < len(right):
        depth += {"(": 1, ")": -1}.get(right[end], 0)
        end += 1
    before, after = right[: found.start()].rstrip(), right[end:]
    if depth or (before and before[-1] != "+") or "offset(" in after:
        raise refused("of offsets it may have one term, + offset(column)")
    return before.rstrip("+") + after, right[found.end() : end - 1]


def _names(expression: str, refused: Any) -> list[str]:
    """The columns of a Python expression; ScenarioError unless it is arithmetic of columns, numbers and functions."""
    quoted = re.findall(r"`([^`]+)`", expression)
    plain = expression
    for i, name in enumerate(quoted):
        plain = plain.replace(f"`{name}`", f"_quoted_{i}_")
    try:
        tree = ast.parse(plain.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise refused(f"{shown(expression)} is no expression") from None
    found: list[str] = []
    _walk(
        tree.body,
        found,
        lambda: refused(f"{shown(expression)} is more than arithmetic of columns and {', '.join(FUNCTIONS)}"),
    )
    named = {f"_quoted_{i}_": name for i, name in enumerate(quoted)}
    return [named.get(name, name) for name in found]


def _walk(node: ast.expr, columns: list[str], refused: Any) -> None:
    match node:
        case ast.Constant(value=bool() | str()):
            pass
        case ast.Constant(value=int() | float() as number) if abs(number) <= LARGEST:
            pass
        case ast.Name(id=name):
            columns.append(name)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=inner):
            _walk(inner, columns, refused)
        case ast.BinOp(op=ast.Pow(), left=base, right=ast.Constant(value=int() | float() as power)) if abs(
            power
        ) <= POWER and not isinstance(base, ast.Constant):
            _walk(base, columns, refused)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), left=left, right=right):
            _walk(left, columns, refused)
            _walk(right, columns, refused)
        case ast.Call(func=function, args=arguments, keywords=keywords) if _is_allowed(function):
            for argument in [*arguments, *(keyword.value for keyword in keywords)]:
                _walk(argument, columns, refused)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                _walk(element, columns, refused)
        case _:
            raise refused()


def _is_allowed(function: ast.expr) -> bool:
    match function:
        case ast.Name(id=name):
            return name in FUNCTIONS
        case ast.Attribute(value=ast.Name(id="np"), attr=name):
            return name in NUMPY
        case ast.Attribute(value=ast.Name(id="contr"), attr=name):
            return name in CODINGS
    return False
