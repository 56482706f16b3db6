import pytest

from bench.store.ledger import Ledger


def test_a_ledger_survives_a_torn_last_line(tmp_path):
    ledger = Ledger(tmp_path / "a.jsonl")
    assert ledger.entries() == [] and ledger.size() == 0
    ledger.append({"n": 0})
    ledger.append({"n": 1, "text": "two\nlines"})
    with ledger.path.open("ab") as stream:
        stream.write(b'{"n": 2, "te')
    assert [e["n"] for e in ledger.entries()] == [0, 1]
    ledger.mend()
    ledger.append({"n": 3})
    assert [e["n"] for e in ledger.entries()] == [0, 1, 3]


def test_what_came_after_an_offset_is_read_once(tmp_path):
    ledger = Ledger(tmp_path / "a.jsonl")
    ledger.append({"n": 0})
    at = ledger.size()
    with ledger.path.open("ab") as stream:
        stream.write(b'{"n": 1}\n{"n":')
    found, at = ledger.after(at)
    assert [e["n"] for e in found] == [1]
    with ledger.path.open("ab") as stream:
        stream.write(b" 2}\n")
    assert [e["n"] for e in ledger.after(at)[0]] == [2]


def test_a_damaged_line_and_an_infinity_are_errors(tmp_path):
    ledger = Ledger(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="JSON compliant"):
        ledger.append({"x": float("inf")})
    assert ledger.entries() == []
    ledger.path.write_bytes(b'{"n": 0}\nnonsense\n{"n": 1}\n')
    with pytest.raises(ValueError):
        ledger.entries()
