"""Numbers as printed."""

from __future__ import annotations

import pytest

from bench.words import format as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "0.0100"), (7.0, "7.00"), (12.345, "12.3"), (123.4, "123"), (999.6, "1,000"), (12345.0, "12,300"),
     (0.0, "0"), (0.41, "0.410"), (1.234e-7, "1.23e-7"), (-0.5, "−0.500"),
     (float("inf"), "∞"), (None, "–"), (float("nan"), "–")],
)  # fmt: skip
def test_three_significant_digits_with_trailing_zeros(value: float | None, text: str):
    assert fmt.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00041, "410 µs"), (2.9e-6, "2.90 µs"),
     (0.412, "412 ms"), (0.9996, "1.00 s"), (1.2, "1.20 s"), (59.94, "59.9 s"),
     (119.96, "2.00 min"), (204.0, "3.40 min"), (0.0, "0 s"), (None, "–")],
)  # fmt: skip
def test_seconds_carry_their_unit(value: float | None, text: str):
    assert fmt.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00332, "0.0033×"),
        (0.0999, "0.10×"),
        (0.62, "0.62×"),
        (1.046, "1.05×"),
        (1.994, "1.99×"),
        (1.996, "2.0×"),
        (7.0, "7.0×"),
        (78.2, "78×"),
        (314.2, "314×"),
    ],
)
def test_ratios(value: float, text: str):
    assert fmt.times(value) == text


def test_exact_keeps_every_digit():
    assert float(fmt.exact(0.1 + 0.2)) == 0.1 + 0.2
    assert fmt.exact(None) == "" == fmt.exact(float("nan"))


def test_listed_and_shortened():
    assert fmt.listed(["a", "b", "c"]) == "a, b and c"
    assert fmt.shortened("one two three", 9) == "one two …"
    assert fmt.shortened("short", 9) == "short"
