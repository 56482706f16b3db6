"""The machine, the code and the versions a run was made with."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
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
    """Names of the NVIDIA devices and version of their driver, as their own tool says; empty where it does not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {}
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):  # `bench doctor` says what is wrong with it
        return {}
    found = [line.rpartition(", ") for line in done.stdout.splitlines() if ", " in line]
    return {"gpu": ", ".join(name for name, _, _ in found), "gpu_driver": found[0][2]} if found else {}


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *args],  # noqa: S607
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=True,
    )
    return done.stdout.strip()


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
