"""The facts of a machine that a run's manifest keeps."""

from pathlib import Path

import pytest

from bench.measure import host
from bench.store.manifest import Host


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'Some GPU, 580.1'; echo 'Other, GPU, 580.1'", {"gpu": "Some GPU, Other, GPU", "gpu_driver": "580.1"}),
        ("echo 'no devices were found'", {}),
        ("exit 9", {}),
        (None, {}),
    ],
)
def test_gpus_and_their_driver_are_facts_of_the_machine(
    script: str | None, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = host.facts()
    assert {name: value for name, value in facts.items() if name.startswith("gpu")} == expected
    assert Host(**facts).gpu == expected.get("gpu", "")
