"""The machine, the code and the versions a run was made with."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog import frameworks

CORE = ("numpy", "scipy", "arviz", "arviz-stats", "pandas", "pyarrow", "xarray")
"""What computes or scores whatever the framework."""


def facts() -> dict[str, Any]:
    """Machine facts, without names of hosts or users; `machine` tells two machines apart."""
    import psutil

    cpu = _cpu_model()
    memory = psutil.virtual_memory().total
    cores = psutil.cpu_count(logical=False)
    return {
        "machine": hashlib.sha256(f"{cpu}|{cores}|{os.cpu_count()}|{memory}".encode()).hexdigest()[:12],
        "cpu": cpu,
        "cores": cores,
        "logical_cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        **_gpus(),
    }


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a result."""
    return frameworks.versions_of(CORE) | frameworks.versions()


@cache
def commit(folder: Path) -> tuple[str, bool]:
    """(commit, whether tracked files differ from it) of a checkout; ("", False) outside git."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "", False


def _gpus() -> dict[str, str]:
    """Names of the NVIDIA devices and version of their driver."""
    lines = nvidia("--query-gpu=name,driver_version", "--format=csv,noheader")
    found = [line.rpartition(", ") for line in lines if ", " in line]
    return {"gpu": ", ".join(name for name, _, _ in found), "gpu_driver": found[0][2]} if found else {}


def nvidia(*query: str) -> list[str]:
    """The lines in which the tool of NVIDIA devices answers; none where it does not, and `bench doctor` says why."""
    try:
        return _said("nvidia-smi", *query, timeout=60).splitlines()
    except (OSError, subprocess.SubprocessError):
        return []


def _git(folder: Path, *args: str) -> str:
    return _said("git", "-C", str(folder), *args).strip()


def _said(*command: str, timeout: float | None = None) -> str:
    """What a program prints; CalledProcessError where it fails."""
    how: Any = {"capture_output": True, "encoding": "utf-8", "errors": "replace", "timeout": timeout}
    return str(subprocess.run(command, check=True, **how).stdout)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
