"""`--bench-check`: the contract of a backend as a test of its author's."""

from __future__ import annotations

from tests.check.test_check import backend_file
from tests.pytest_plugin.conftest import Project


def test_a_backend_that_keeps_its_contract_passes_and_another_says_what_is_wrong(project: Project, tmp_path):
    backend_file(tmp_path, "one", [])
    folder = backend_file(tmp_path, "two", [("def draw(state)", "def drawn(state)")])
    ended = project.pytest("-q", "-rA", "--bench-check", "mine.*", backends=folder.parent)
    assert ended.code == 1, ended.out
    assert "contract/mine.one" in ended.out and "1 failed" in ended.out
    assert "two.py: it defines no draw" in ended.out
    assert "Traceback" not in ended.out


def test_an_unknown_backend_is_a_usage_error(project: Project):
    assert "did you mean numpy.gd" in project.refused("-q", "--bench-check", "numpy.gdd")
