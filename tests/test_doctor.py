"""What the doctor says of a machine, and the noise floor against simulation."""

import subprocess
import sys

import numpy as np
import pytest

from bench.compare.ratios import LEAST_LEVEL
from bench.doctor import checks
from bench.doctor.floor import floor_of


def test_the_floor_is_half_the_interval_that_compare_prints():
    rng, between, within, rounds = np.random.default_rng(0), 0.1, 0.05, 10
    sides = np.exp(rng.normal(0.0, between, (4000, 2, rounds, 1)) + rng.normal(0.0, within, (4000, 2, rounds, 3)))
    logs = np.log(np.median(sides, axis=3))
    apart = np.expm1(np.abs(logs[:, 0].mean(axis=1) - logs[:, 1].mean(axis=1)))
    floors = np.array([floor_of(side[0]).smallest[rounds] for side in sides])
    reached = (apart > floors).mean()
    # the spread of one side stands for both, so identical code passes the floor a little more often than the level
    # says; 4000 pairs give the share an error of 0.3 %
    assert 0.8 * (1 - LEAST_LEVEL) < reached < 2.0 * (1 - LEAST_LEVEL)
    slower = (np.expm1(logs[:, 1].mean(axis=1) + np.log1p(2 * floors) - logs[:, 0].mean(axis=1)) > floors).mean()
    assert slower > 0.95  # a change of twice the floor exceeds it


def test_the_floor_tells_spread_between_children_from_spread_within():
    rng = np.random.default_rng(1)
    made = floor_of(np.exp(rng.normal(0.0, 0.2, (400, 1)) + rng.normal(0.0, 0.01, (400, 4))))
    assert made.between == pytest.approx(0.2, rel=0.1)
    assert made.within == pytest.approx(0.01, rel=0.15)
    assert made.rounds == 400 and made.reps == 4
    assert made.smallest[5] > made.smallest[10] > made.smallest[20] > 0


def test_two_rounds_have_no_floor():
    with pytest.raises(ValueError, match="2 rounds, at least 3"):
        floor_of([[1.0, 1.1], [1.2, 1.0]])


def test_a_neighbour_at_work_is_seen():
    burner = "import time; end = time.time() + 30\nwhile time.time() < end: pass"
    busy = [subprocess.Popen([sys.executable, "-c", burner]) for _ in range(len(__import__("os").sched_getaffinity(0)))]
    try:
        found = checks.sharing(1.0)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert found.state == "warning"
    assert "others use" in found.read
    assert "--max-disturbance" in found.advice


@pytest.mark.parametrize(("governor", "state"), [("performance", "ok"), ("powersave", "warning"), (None, "note")])
def test_frequency_scaling(tmp_path, governor, state):
    if governor:
        (tmp_path / "cpu0" / "cpufreq").mkdir(parents=True)
        (tmp_path / "cpu0" / "cpufreq" / "scaling_governor").write_text(f"{governor}\n")
    found = checks.frequency(tmp_path)
    assert found.state == state
    assert (governor or "virtual machine") in found.read
    assert bool(found.advice) == (state != "ok")


def test_thread_variables_of_the_shell_are_named():
    (found,) = checks.variables({"OMP_NUM_THREADS": "4", "HOME": "/"})
    assert "OMP_NUM_THREADS" in found.read and "--threads" in found.advice
    assert not list(checks.variables({"HOME": "/"}))


def test_a_gpu_is_described_and_a_busy_one_flagged(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks.gpu().read.startswith("none")
    for used, state in (("0 %", "ok"), ("87 %", "warning")):
        tool.write_text(f"#!/bin/sh\necho 'Some GPU, 1 MiB, 80000 MiB, {used}, 300 MHz, 1980 MHz, Enabled'\n")
        tool.chmod(0o755)
        found = checks.gpu()
        assert found.state == state and "Some GPU" in found.read
    tool.write_text("#!/bin/sh\necho 'no devices were found' >&2\nexit 6\n")
    assert checks.gpu().state == "warning"


def test_the_doctor_speaks_json_and_measures_a_floor(bench):
    done = bench("doctor", "--rounds", "3", "-b", "fake.instrument[cpu=0.02]", "-s", "correlated-rho95", "--json")
    assert done.code == 0, done.err
    topics = {f["topic"]: f for f in done.json["findings"]}
    assert {"machine", "threads", "other load", "frequency", "memory", "disk", "GPU", "fake", "torch"} <= set(topics)
    assert done.json["floor"]["rounds"] == 3
    assert done.json["floor"]["smallest"]["20"] > 0
    text = bench("doctor", "--rounds", "0")
    assert text.code == 0 and "topic" in text.out and "noise floor" not in text.out


def test_the_doctor_refuses_what_is_not_one_contender_or_fails(bench):
    several = bench("doctor", "-b", "fake.*")
    assert several.code == 2 and "one contender on one scenario" in several.err
    failing = bench("doctor", "--rounds", "3", "-b", "fake.faulty[fault=exception]", "-s", "correlated-rho95")
    assert failing.code == 2 and "failed: RuntimeError: planned" in failing.err
