"""What is wrong with a table of numbers is said with the file's own line and the column's name."""

import pytest

from bench.catalog.scenarios import load, scenario
from bench.errors import UsageError
from bench.store.logs import last_words

HEAD = """family = "linear"
[data]
file = "mine.csv"
[priors]
weights = {normal = [0.0, 1.0]}
bias = {normal = [0.0, 1.0]}
sigma = {exponential = 1.0}
"""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,2,3\n4,NA,6\n", "line 3, column x1: 'NA'"),
        ("1,2,3\n\n4,5\n", "line 4 has 2 values"),
        ("1,2,3\n4,5,inf\n", "line 3, column y: 'inf'"),
        ("", "it has none"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_fault_is_named_by_the_line_and_column_of_the_file(tmp_path, rows, words):
    (tmp_path / "mine.toml").write_text(HEAD)
    (tmp_path / "mine.csv").write_text(f"x0,x1,y\n{rows}")
    with pytest.raises(UsageError) as error:
        load(tmp_path / "mine.toml")
    assert words in str(error.value)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "mine.toml").write_text(HEAD)
    (tmp_path / "mine.csv").write_text("x0,x1,y\n1,2,3\n4,5,7\n7,8,8\n2,1,0\n", encoding="utf-8-sig")
    assert load(tmp_path / "mine.toml").name == "mine"


def test_a_list_that_was_taken_for_a_sweep_is_answered_with_how_to_write_it():
    with pytest.raises(UsageError, match=r"a list of values is a sweep, one list is written weights=\[\[…\]\]"):
        scenario("s0-exponential", {"weights": 1})


def test_the_last_words_of_a_crash_are_those_before_the_interpreter_s_own():
    log = b"loading\nE0000 Unknown flag in XLA_FLAGS: --xla_nonsense\n\nFatal Python error: Aborted\n\nThread 0x1:\n"
    assert last_words(log) == "; its last words: E0000 Unknown flag in XLA_FLAGS: --xla_nonsense"
    assert last_words(b"Fatal Python error: Aborted\n") == last_words(b"") == ""


def test_a_file_whose_name_could_not_be_chosen_is_broken_and_says_so(tmp_path):
    (tmp_path / "br[1].toml").write_text(HEAD)
    with pytest.raises(UsageError, match=r"br\[1\].toml: a name with any of \[\] could not be chosen; rename the file"):
        load(tmp_path / "br[1].toml")
