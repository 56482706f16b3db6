"""What must hold for every input, however odd: a clean result or one sentence, soon."""

from __future__ import annotations

import signal
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.errors import UsageError

SECONDS = 20
"""Far beyond what any input needs here, also on a busy machine; what takes longer hangs."""


def fuzzed(*strategies: SearchStrategy[Any], quick: int, slow: int) -> Callable[[Callable[..., None]], Any]:
    """Make a property a test: on `quick` inputs in every run, on `slow` ones where marked slow; always the same."""

    def decorate(check: Callable[..., None]) -> Any:
        def test(examples: int) -> None:
            configured = settings(
                max_examples=examples,
                derandomize=True,
                database=None,
                deadline=None,  # `soon` watches instead: it also ends what would never come back
                phases=[Phase.explicit, Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )

            def timed(inputs: tuple[Any, ...]) -> None:
                with soon():
                    check(*inputs)

            configured(given(st.tuples(*strategies))(timed))()

        amounts = [pytest.param(quick, id="quick"), pytest.param(slow, id="slow", marks=pytest.mark.slow)]
        test.__name__, test.__doc__, test.__module__ = check.__name__, check.__doc__, check.__module__
        return pytest.mark.parametrize("examples", amounts)(test)

    return decorate


@contextmanager
def soon() -> Iterator[None]:
    """TimeoutError in whatever is at work for longer than SECONDS."""

    def late(*_: object) -> None:
        raise TimeoutError(f"still at work after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """What a call gives, or the UsageError it raises, checked to be a sentence; nothing else may be raised."""
    try:
        return call(*args, **named)
    except UsageError as error:
        assert_sentence(str(error))
        return error


def assert_sentence(text: str) -> None:
    """One printable line of bearable length."""
    assert 5 < len(text) < 4200
    assert not [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert "Traceback" not in text
