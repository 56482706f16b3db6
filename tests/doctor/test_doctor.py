"""What the doctor says of a machine, and the noise floor against simulation."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import stdtrit

from bench.doctor import checks
from bench.doctor.floor import floor_of
from bench.stats.intervals import LEAST_LEVEL, unpaired


@pytest.mark.parametrize(("measured", "compared"), [(3, 5), (5, 10), (12, 10)])
def test_identical_code_stays_below_the_floor_and_compare_finds_twice_as_much(measured, compared):
    rng, between, within, trials = np.random.default_rng(0), 0.1, 0.05, 600

    def rounds(n):
        return np.exp(rng.normal(0.0, between, (n, 1)) + rng.normal(0.0, within, (n, 3)))

    above = found = 0
    for _ in range(trials):
        floor = floor_of(rounds(measured), [compared]).smallest[compared]
        a, b = (np.log(np.median(rounds(compared), axis=1)) for _ in range(2))
        above += np.expm1(abs(unpaired(a, b, trim=True).effect)) > floor
        found += unpaired(a, b + np.log1p(2 * floor), trim=True).interval(LEAST_LEVEL)[0] > 0.0
    # shares of 600 have an error of 0.8 and 0.9 %
    assert above / trials < 1.0 - LEAST_LEVEL
    assert found / trials > 0.95


@pytest.mark.parametrize(("n", "freedom"), [(5, 8), (10, 10), (20, 22)])
def test_the_floor_of_many_rounds_is_half_the_interval_that_compare_prints(n, freedom):
    rng, between = np.random.default_rng(0), 0.1
    made = floor_of(np.exp(rng.normal(0.0, between, (8_000, 1))), [n])
    apart = np.array([unpaired(*rng.normal(0.0, between, (2, n)), trim=True).error for _ in range(2000)])
    half = np.expm1(-stdtrit(freedom, (1.0 - LEAST_LEVEL) / 2.0) * np.sqrt(np.mean(apart**2)))
    # 2000 pairs tell it to 1.4 %; the winsorised variance of ten is 9 % below that of many, their root 5 %
    assert made.smallest[n] == pytest.approx(half, rel=0.03 if n == 5 else 0.07)
    assert made.smallest[n] > 0.99 * half


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
