"""Nothing outlives this process: a second, idle one kills its children and removes its temporary folders.

The guardian is this file, run as a script without any package. It holds the reading end of a pipe whose other end
closes when this process ends, however that happens. A child asks the system to be killed with its parent (see
bench.measure.worker), but that does not reach what the child itself has started; the guardian kills whole process
groups.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_started: list[subprocess.Popen[bytes]] = []
_watched: dict[str, None] = {}
_telling = threading.Lock()
MARK = "BENCH_MARK"
"""A variable in the environment of whatever is started, inherited through every fork, exec, new session and orphanage:
processes that carry the mark of a child are the child's, wherever they hang in the process table."""
REMOVE_SECONDS = 5.0
"""For how long a dying process may still put files where they are being removed."""


def watch_group(pid: int) -> None:
    """When this process ends, kill this process group, and what carries its leader's mark."""
    key = f"g{pid} {_mark(pid)}"
    _watched[key] = None
    _tell(f"+{key}")


def release_group(pid: int) -> None:
    """The group is gone."""
    for key in [k for k in list(_watched) if k.startswith(f"g{pid} ")]:
        del _watched[key]
        _tell(f"-{key}")


@contextlib.contextmanager
def scratch(what: str) -> Iterator[Path]:
    """A temporary folder `bench-<what>-…`, removed at the end of the block or of this process."""
    import tempfile  # here: most commands make no such folder

    folder = tempfile.mkdtemp(prefix=f"bench-{what}-")
    _watched[f"f{folder}"] = None
    try:
        _tell(f"+f{folder}")
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if _watched.pop(f"f{folder}", 0) is None:
            _tell(f"-f{folder}")


def run(args: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of a command that does not outlive this process, its output captured as text."""
    with subprocess.Popen(
        args,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        watch_group(process.pid)
        try:
            out, err = process.communicate()
        except BaseException:
            process.kill()
            raise
        finally:
            release_group(process.pid)
    return subprocess.CompletedProcess(args, process.returncode, out, err)


@atexit.register
def close() -> None:
    """Let the guardian do what is left to do, and wait for it."""
    while _started:
        guardian = _started.pop()
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            assert guardian.stdin is not None
            guardian.stdin.close()
            guardian.wait(REMOVE_SECONDS + 1.0)


def _tell(line: str) -> None:
    with _telling:
        if not _started:
            _start()
        elif not _say(_started[0], [line]):
            _started.clear()  # somebody has killed it
            _start()


def _start() -> None:
    guardian = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    _started.append(guardian)
    _say(guardian, [f"+{key}" for key in list(_watched)])


def _say(guardian: subprocess.Popen[bytes], lines: Iterable[str]) -> bool:
    assert guardian.stdin is not None
    try:
        guardian.stdin.write("".join(f"{line}\n" for line in lines).encode())
        guardian.stdin.flush()
    except OSError:
        return False
    return True


def _mark(pid: int) -> str:
    """The mark of a process, which tells its descendants from others; empty where it has none."""
    with contextlib.suppress(OSError):
        variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        return next((v.removeprefix(f"{MARK}=") for v in variables if v.startswith(f"{MARK}=")), "")
    return ""


def marked(mark: str) -> Iterator[int]:
    """Living processes, ours to look at, whose environment carries the mark; zombies carry none."""
    line = f"{MARK}={mark}".encode()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if line in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def kill(pids: Iterable[int]) -> bool:
    """Kill these processes; whether there were any."""
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def guard() -> None:
    """Listen until the other process is gone, then end what is left of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left: dict[str, None] = {}
    for raw in sys.stdin.buffer:
        line = raw.decode().rstrip("\n")
        if line.startswith("+"):
            left[line[1:]] = None
        else:
            left.pop(line[1:], None)
    for key in left:
        if key.startswith("g"):
            group, _, mark = key[1:].partition(" ")
            with contextlib.suppress(OSError):
                os.killpg(int(group), signal.SIGKILL)
            while mark and kill(marked(mark)):
                pass
    until = time.monotonic() + REMOVE_SECONDS
    for folder in (key[1:] for key in left if key.startswith("f")):
        while os.path.isdir(folder) and time.monotonic() < until:
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.01)


if __name__ == "__main__":
    guard()
