"""Who gets which CPUs, GPUs and work; pure functions, and what a machine says of itself."""

from __future__ import annotations

import pytest

from bench.measure.homes import Homes

pytest.importorskip("distributed", reason="not installed: pip install 'posterior-bench[dask]'")

from bench.measure.cluster import likeness, shares, slot


@pytest.mark.parametrize("siblings", [1, 2])
def test_shares_have_nothing_in_common_and_whole_cores_come_first(siblings):
    cores = {cpu: str(cpu // siblings) for cpu in range(8)}
    found = {"threads": 2, "cpus": list(range(8)), "cores": cores, "memory": 0, "gpus": ["0", "1"],
             "facts": {"memory_bytes": 80}}  # fmt: skip
    taken = []
    for number in range(4):
        one = shares.share(found, shares.Terms(threads=2), taken)
        assert isinstance(one, slot.Share) and len(one.cpus) == 2 and one.memory == 16
        if number < 4 // siblings:
            assert len({cores[cpu] for cpu in one.cpus}) == 2, "a core is not shared while there are free ones"
        taken.append(one)
    assert sorted(cpu for one in taken for cpu in one.cpus) == list(range(8))
    assert "needs 2 CPUs, and other slots leave none of its 8" in str(shares.share(found, shares.Terms(2), taken))
    assert "a slot of it has" in str(shares.share(found, shares.Terms(2, memory=10**10), []))
    with_gpus = [shares.share(found, shares.Terms(1, gpu=True), [])]
    with_gpus.append(shares.share(found, shares.Terms(1, gpu=True), with_gpus))
    assert [one.gpu for one in with_gpus] == ["0", "1"]
    assert "no GPU" in str(shares.share(found, shares.Terms(1, gpu=True), with_gpus))
    assert shares.fitting(range(8), cores, 2) == 4 // siblings


@pytest.mark.parametrize(
    ("visible", "listed", "names"),
    [
        ("3, 5", "", ["3", "5"]),
        ("-1", "GPU 0: A (UUID: GPU-1)", []),
        (None, "GPU 0: A (UUID: GPU-1)\nGPU 1: A (UUID: GPU-2)", ["0", "1"]),
        (
            None,
            "GPU 0: A (UUID: GPU-1)\n  MIG 1g.10gb Device 0: (UUID: MIG-8)\n  MIG 1g.10gb Device 1: (UUID: MIG-9)\n"
            "GPU 1: A (UUID: GPU-2)",
            ["MIG-8", "MIG-9", "1"],
        ),
        (None, "No devices found.", []),
    ],
)
def test_each_device_and_each_part_of_a_divided_one_is_for_one_slot(tmp_path, monkeypatch, visible, listed, names):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n/bin/cat <<END\n{listed}\nEND\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert likeness.gpus.__wrapped__() == names


def test_rounds_of_a_scenario_stay_at_home_while_that_is_busy_and_nothing_is_lost():
    pieces = [(name, number) for number in range(4) for name in "abcd"]
    homes = Homes(pieces, lambda piece: piece[0])
    taken = [(host, homes.next(host)) for host in ["x", "y"] * 6]
    at = {name: {host for host, piece in taken if piece[0] == name} for name in "abcd"}
    assert all(len(hosts) == 1 for hosts in at.values())
    assert [piece[1] for _, piece in taken] == [0] * 4 + [1] * 4 + [2] * 4, "rounds come one after the other"
    homes.back(taken[-1][1])
    rest = []
    while homes:
        rest.append(homes.next("z"))  # it has no home, and helps where most is left
    assert sorted([*rest, *(piece for _, piece in taken[:-1])]) == sorted(pieces)
    with pytest.raises(IndexError):
        homes.next("x")
