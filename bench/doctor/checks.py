"""Findings about the machine: each with what was read, whether it is a concern, and what to do about it. No root."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from bench.catalog import frameworks as catalog
from bench.measure import host, noise
from bench.measure.environment import THREAD_VARIABLES, default_threads

State = Literal["ok", "note", "warning"]
CPUS = Path("/sys/devices/system/cpu")
LOOK_SECONDS = 1.0
BUSY, LITTLE_MEMORY, LITTLE_DISK = 0.1, 2 * 2**30, 2**30


class Finding(NamedTuple):
    """One line of the doctor: topic, what was read, whether it is a concern, and what to do (empty: nothing)."""

    topic: str
    state: State
    read: str
    advice: str = ""


def findings(results: Path) -> Iterator[Finding]:
    """Everything but the noise floor; the CPUs are watched for a second."""
    yield machine()
    yield threads()
    yield from variables(os.environ)
    yield sharing()
    yield frequency(CPUS)
    yield memory()
    yield disk(results)
    yield gpu()
    yield from frameworks()


def machine() -> Finding:
    """What the run folder will say of this machine."""
    facts = host.facts()
    cores = f"{facts['cores'] or '?'} cores, {facts['logical_cpus']} logical CPUs"
    return Finding("machine", "ok", f"{facts['cpu']}, {cores}, {facts['system']}, Python {facts['python']}")


def threads() -> Finding:
    """CPUs a child is bound to."""
    usable, total = default_threads(), os.cpu_count() or 1
    read = f"children get {usable} of {total} CPUs, by affinity and thread variables alike"
    advice = "use --threads N with fewer than all: the system needs one now and then" if usable > 2 else ""
    return Finding("threads", "ok", read, advice)


def variables(environment: Iterable[str]) -> Iterator[Finding]:
    """Thread variables of the user's that children do not inherit."""
    names = sorted(set(environment) & set(THREAD_VARIABLES))
    if names:
        read = f"{', '.join(names)} set in this shell: children get --threads instead"
        yield Finding("environment", "note", read, f"unset {' '.join(names)}, or pass --threads")


def sharing(seconds: float = LOOK_SECONDS) -> Finding:
    """Who else computes here, watched for `seconds` while this process sleeps."""
    cpus = sorted(os.sched_getaffinity(0))
    before = noise.look(cpus)
    time.sleep(seconds)
    shares = noise.between(before, noise.look(cpus), len(cpus))
    load = f"load average {os.getloadavg()[0]:.2f}"
    if shares is None:
        return Finding(
            "other load", "note", f"{load}; this system tells no CPU times", "watch the load average yourself"
        )
    read = f"others use {shares.foreign:.0%} of the CPUs, the host withholds {shares.stolen:.0%}; {load}"
    if shares.worst <= BUSY:
        return Finding("other load", "ok", read)
    remedy = (
        "end other programs" if shares.foreign >= shares.stolen else "the virtual machine shares its host: try later"
    )
    return Finding("other load", "warning", read, f"{remedy}, or run with --max-disturbance {BUSY}")


def frequency(folder: Path) -> Finding:
    """Frequency scaling, where the system shows it."""
    governors = {f.read_text(encoding="utf-8").strip() for f in folder.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    if not governors:
        read = "no frequency scaling to be seen (a virtual machine hides it from its guests)"
        return Finding("frequency", "note", read, "trust rounds, not single fits: the host may change the clock")
    boost = folder / "intel_pstate" / "no_turbo"
    turbo = "; turbo is on" if boost.is_file() and boost.read_text(encoding="utf-8").strip() == "0" else ""
    read = f"governor {', '.join(sorted(governors))}{turbo}"
    if governors == {"performance"}:
        return Finding("frequency", "ok", read)
    return Finding("frequency", "warning", read, "ask for the governor `performance` (cpupower frequency-set)")


def memory() -> Finding:
    """Memory that children can have, and whether the system swaps."""
    import psutil

    free, swap = psutil.virtual_memory().available, psutil.swap_memory()
    read = f"{free / 2**30:.1f} GiB free, {swap.used / 2**30:.1f} GiB swapped out"
    if free < LITTLE_MEMORY:
        return Finding("memory", "warning", read, "end other programs: frameworks take 0.3 to 1 GiB per child")
    if swap.used:
        return Finding("memory", "note", read, "a child that meets swapped pages is slow: watch `disturbance`")
    return Finding("memory", "ok", read)


def disk(results: Path) -> Finding:
    """Room for runs."""
    folder = results.resolve()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    read = f"{free / 2**30:.1f} GiB free for {results}"
    return Finding("disk", "ok" if free > LITTLE_DISK else "warning", read, "" if free > LITTLE_DISK else "remove runs")


def gpu() -> Finding:
    """State of NVIDIA devices, from their own tool; without importing a framework."""
    query = "name,memory.used,memory.total,utilization.gpu,clocks.sm,clocks.max.sm,persistence_mode"
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("GPU", "ok", "none (no nvidia-smi)", "")
    done = subprocess.run(
        [tool, f"--query-gpu={query}", "--format=csv,noheader"], capture_output=True, encoding="utf-8", errors="replace"
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        return Finding(
            "GPU", "warning", f"nvidia-smi fails: {(done.stderr or done.stdout).strip()[:200]}", "see its driver"
        )
    busy = [line for line in lines if not line.split(", ")[3].startswith("0 ")]
    advice = "another program computes there: end it or choose another device" if busy else ""
    return Finding("GPU", "warning" if busy else "ok", "; ".join(lines), advice)


def frameworks() -> Iterator[Finding]:
    """Which frameworks are installed, in which versions, and how to get the others."""
    for name, framework in catalog.frameworks().items():
        if framework.broken:
            yield Finding(name, "warning", framework.broken, "mend that file")
        elif framework.missing:
            yield Finding(name, "note", f"{', '.join(framework.missing)} not installed", framework.install)
        else:
            yield Finding(name, "ok", ", ".join(f"{p} {version}" for p, version in framework.versions.items()))
