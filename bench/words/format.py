"""Numbers as a reader wants them: 2–3 significant digits, trailing zeros kept, units in time cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

NONE = "–"


def significant(value: float | None, digits: int = 3) -> str:
    """`0.0100`, `12.3`, `12,300`, `1.2e-05`; a dash for None."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    rounded = float(f"{abs(value):.{digits - 1}e}")
    if not 1e-4 <= rounded < 1e7:
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    elif rounded >= 10 ** (digits - 1):
        text = f"{rounded:,.0f}"
    else:
        text = f"{rounded:.{digits - 1 - math.floor(math.log10(rounded))}f}"
    return f"−{text}" if value < 0 else text


def error(value: float | None) -> str:
    """A b² in two significant digits."""
    return significant(value, 2)


def seconds(value: float | None, *, about: bool = False) -> str:
    """A duration given in seconds, with its unit: `410 µs`, `412 ms`, `1.20 s`, `3.40 min`.

    `about` marks what is modelled, not measured: `≈1.20 s`.
    """
    if value is None or math.isnan(value):
        return NONE
    if about:
        return f"≈{seconds(value)}"
    if value == 0:
        return "0 s"
    rounded = float(f"{value:.2e}")
    if rounded < 1e-3:
        return f"{significant(rounded * 1e6)} µs"
    if rounded < 1:
        return f"{significant(rounded * 1e3)} ms"
    if rounded < 120:
        return f"{significant(rounded)} s"
    return f"{significant(rounded / 60)} min"


def quantity(value: float | None, unit: str) -> str:
    """A number of a metric's unit: seconds and bytes with a unit that suits their size, others bare."""
    if unit == "s":
        return seconds(value)
    if unit == "bytes":
        return NONE if value is None else f"{significant(value / 2**20)} MiB"
    return significant(value)


def difference(value: float, unit: str) -> str:
    """`+3.20 nats`: with its sign and its unit."""
    return f"{'+' if value > 0 else ''}{significant(value)} {unit}".strip()


def ratio(value: float) -> str:
    """A ratio without its sign: two decimals from 0.1 to 2, where the margin lies, two or three digits elsewhere."""
    return f"{value:.2f}" if 0.095 <= value < 1.995 else significant(value, 2 if value < 99.5 else 3)


def times(value: float) -> str:
    """`2.1×`."""
    return f"{ratio(value)}×"


def interval(low: float, high: float) -> str:
    """`1.70–2.60` of a ratio."""
    return f"{ratio(low)}–{ratio(high)}"


def share(value: float | None) -> str:
    """A share in whole per cent."""
    return NONE if value is None else f"{100 * value:.0f} %"


def listed(names: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else ""


def some(names: Sequence[object], most: int = 3) -> str:
    """The first of the names; the rest are counted: `a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")


def count(number: int, noun: str) -> str:
    """`1 rep`, `2 reps`, `2 quantities`."""
    plural = f"{noun.removesuffix('y')}ies" if noun.endswith("ty") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def exact(value: float | None) -> str:
    """Full precision, for sorting and copying; empty for None."""
    return "" if value is None or math.isnan(value) else repr(float(value))


def shortened(text: str, width: int = 160) -> str:
    """The text, cut at a word with an ellipsis when it is longer than `width`."""
    return text if len(text) <= width else text[: width - 1].rsplit(" ", 1)[0] + " …"
