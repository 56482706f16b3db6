"""What the workflows promise: every step is a make target of this repository, and runs where Python and make are."""

from __future__ import annotations

import re
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STEP = re.compile(r"^\s+(?:- )?run:\s*(?P<command>.*)$")
MATRIX = re.compile(r"^\s+(?P<name>\w+): \[(?P<values>[^\]]*)\]$")


def commands(text: str) -> list[str]:
    """Every `run:` with each value of the matrix it names."""
    matrix: dict[str, list[str]] = {}
    found = []
    for line in text.splitlines():
        if match := MATRIX.match(line):
            matrix[match["name"]] = [value.strip() for value in match["values"].split(",")]
        elif match := STEP.match(line):
            found.append(match["command"].strip())
    spread = []
    for command in found:
        named = re.findall(r"\$\{\{ matrix\.(\w+) \}\}", command)
        for values in product(*(matrix[name] for name in named)):
            text = command
            for name, value in zip(named, values, strict=True):
                text = text.replace(f"${{{{ matrix.{name} }}}}", value)
            spread.append(text)
    return spread


def test_there_is_a_workflow() -> None:
    assert [f.name for f in WORKFLOWS] == ["ci.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda f: f.name)
def test_every_step_is_a_make_target_that_exists(workflow: Path) -> None:
    found = commands(workflow.read_text())
    assert {
        "make lint",
        "make types",
        "make test-core",
        "make test-torch",
        "make test-sklearn",
        "make bench",
        "make docs",
    } <= {*found}
    for command in found:
        assert re.fullmatch(r"make [a-z][a-z0-9-]*", command), f"{command}: no event's text may reach a shell"
        done = subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_a_step_that_is_no_target_would_be_found() -> None:
    assert commands("        x: [a, b]\n      - run: make test-${{ matrix.x }}\n") == ["make test-a", "make test-b"]
    done = subprocess.run(["make", "no-such-target", "--dry-run"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda f: f.name)
def test_the_workflow_is_modest(workflow: Path) -> None:
    text = workflow.read_text()
    assert re.search(r"^permissions:\n  contents: read\n", text, re.MULTILINE)
    assert "cancel-in-progress: true" in text and "pull_request_target" not in text and "secrets." not in text
    assert text.count("timeout-minutes:") == text.count("runs-on:")
    uses = re.findall(r"uses: (\S+)", text)
    assert uses and all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in uses)
