"""Reading memory against a clock that says how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest

from bench.measure import bandwidth


def test_it_is_the_bytes_of_the_best_try_over_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.5, 0.2, 0.4, 0.1, 0.3]
    times: Iterator[float] = iter(list(chain.from_iterable((0.0, s) for s in seconds)))
    monkeypatch.setattr(bandwidth.time, "perf_counter", lambda: next(times))
    monkeypatch.setattr(bandwidth, "LEAST", 2**20)
    monkeypatch.setattr(bandwidth, "_last_cache", lambda: 0)
    assert bandwidth.bandwidth.__wrapped__(2) == pytest.approx(2**20 / 0.1)
    assert next(times, None) is None


@pytest.mark.parametrize(("text", "size"), [("32768K", 2**25), ("much", 0), (None, 0)])
def test_the_last_cache_is_read_where_the_system_tells_it(tmp_path, monkeypatch, text: str | None, size: int) -> None:
    monkeypatch.setattr(bandwidth, "CACHE", tmp_path / "size")
    if text is not None:
        (tmp_path / "size").write_text(f"{text}\n")
    assert bandwidth._last_cache() == size
