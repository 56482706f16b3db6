"""`--bench-check`: the contract of a backend as a test of its author's."""

from __future__ import annotations

from unittest import mock

from tests.check.test_check import backend_file, forget_own
from tests.measure.inprocess import InProcess
from tests.pytest_plugin.conftest import Project


def test_a_backend_that_keeps_its_contract_passes_and_another_says_what_is_wrong(project: Project, tmp_path):
    backend_file(tmp_path, "one", [])
    folder = backend_file(tmp_path, "two", [("def draw(state)", "def drawn(state)")])
    forget_own()
    with mock.patch("bench.measure.local.Local", InProcess):
        ended = project.here("-q", "-rA", "--bench-check", "mine.*", backends=folder.parent)
    forget_own()
    assert ended.code == 1, ended.out
    assert "contract/mine.one" in ended.out and "1 failed" in ended.out
    assert "two.py: it defines no draw" in ended.out
    assert "Traceback" not in ended.out


def test_an_unknown_backend_is_a_usage_error(project: Project):
    assert "did you mean numpy.gd" in project.refused("-q", "--bench-check", "numpy.gdd")
