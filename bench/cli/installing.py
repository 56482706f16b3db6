"""How `bench install` makes, shows and removes environments of frameworks."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from bench.catalog.environments import LINKS, READY, environment, environments, python_in, versions
from bench.catalog.frameworks import Framework, contents, forget, framework, frameworks, named, sha256
from bench.catalog.places import root
from bench.cli import FAILED, INTERRUPTED, OK, output, signals
from bench.cli.progress import Status
from bench.disk.durable import write_json
from bench.errors import UsageError, printable
from bench.words import program

CHILD = ("numpy", "scipy")
"""What the harness itself imports in a child."""
LOG = "install.log"
TOLD = 15
"""Lines of an installer's output that are shown when it fails."""


def make(names: Sequence[str], python: str | None, *, again: bool) -> None:
    """Make the environments of these frameworks one after another; exits with the code of the outcome."""
    if not names:
        raise UsageError(
            f"name a framework, as in: {program.command('install', 'blackjax')}; --list shows which there are"
        )
    wanted = [named(name) for name in dict.fromkeys(names)]
    interpreters = [_interpreter(one, python) for one in wanted]  # before anything is installed
    code = OK
    for one, chosen in zip(wanted, interpreters, strict=True):
        own = environment(one.name)
        if own is not None and not again and own.facts.get("digest") == _digest(one, chosen) and not one.missing:
            output.OUT.print(f"{_described(one)}: ready already")
            continue
        try:
            with signals.undoing():
                why = _make(one, chosen)
        except KeyboardInterrupt:
            output.ERR.print(f"{one.name}: interrupted, and nothing of it is left")
            raise typer.Exit(INTERRUPTED) from None
        if why:
            output.ERR.print(f"{one.name}: {why}")
            code = FAILED
            continue
        forget()
        output.OUT.print(f"{_described(named(one.name))}: ready")
        output.OUT.print(f"  {program.command('run', '-s', 's0-uniform', '-b', f'{one.name}.*')}")
    raise typer.Exit(code)


def remove(names: Sequence[str]) -> None:
    """Remove the environments of these frameworks."""
    if not names:
        raise UsageError("name the frameworks whose environments are to go")
    folders = [environments() / named(name).name for name in names]
    if absent := [folder.name for folder in folders if not folder.is_dir()]:
        raise UsageError(f"{', '.join(absent)} has no environment in {environments()}")
    for folder in folders:
        shutil.rmtree(folder)
        output.OUT.print(f"{folder} is gone")


def show() -> None:
    """A table of all frameworks: where each is installed, and what it needs."""
    rows = []
    every = (framework(one.folder, v) for one in frameworks().values() for v in ("", *versions(one.module)))
    for one in every:
        own = environment(one.name)
        if one.broken:
            state, found = "broken", one.broken
        elif one.missing:
            state, found = "not installed", program.command("install", one.name)
        else:
            state = f"ready in {_short(own.folder)}" if own else "ready beside the harness"
            known = one.versions.items()
            found = ", ".join(f"{name.partition('/')[2] or name} {version}" for name, version in known)
        needs = ", ".join([*one.packages.values(), *([f"Python {one.python}"] if one.python else [])])
        rows.append((one.name, state, found, needs))
    output.show_table(["framework", "state", "versions, or what to do", "needs"], rows)


def _described(one: Framework) -> str:
    own = environment(one.name)
    assert own is not None
    versions = ", ".join(f"{name.partition('/')[2]} {version}" for name, version in one.versions.items())
    return f"{one.name} in {_short(own.folder)} ({versions})"


def _short(folder: Path) -> str:
    return os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)


def _make(one: Framework, python: str) -> str:
    """Why the environment could not be made; empty when it is ready.

    What is unfinished is removed, however it ends, and one that was there before stays.
    """
    folder, done = environments() / one.name, False
    before, log = folder.with_name(f".{one.name}"), folder.with_name(f"{one.name}.log")
    if before.is_dir() and not (folder / READY).is_file():  # a process that was killed left the new one unfinished
        shutil.rmtree(folder, ignore_errors=True)
        before.replace(folder)
    shutil.rmtree(before, ignore_errors=True)
    log.unlink(missing_ok=True)
    try:
        if folder.is_dir():
            folder.replace(before)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with Status(f"{one.name}: making {_short(folder)}", lines=True) as status:
            for command in _commands(one, python, folder):
                if why := _run(command, log, status, one.name):
                    return why
            (folder / LINKS).mkdir()
            for package in ("bench", "backends", "scenarios"):
                (folder / LINKS / package).symlink_to(root() / package)
            facts = {"python": _version(str(python_in(folder))), "digest": _digest(one, python)}
            write_json(folder / READY, facts)
            forget()
            if missing := named(one.name).missing:
                return f"{', '.join(missing)} cannot be found there after the installation"
            status.update(f"{one.name}: importing {', '.join(one.packages)}")
            if why := _unusable(named(one.name), folder):
                return why
        done = True
        return ""
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror or error}"
    finally:
        if done:
            log.replace(folder / LOG)
            shutil.rmtree(before, ignore_errors=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            if before.is_dir():
                before.replace(folder)
            forget()


def _commands(one: Framework, python: str, folder: Path) -> Iterator[list[str]]:
    """What makes an environment: with the pip that is here, or its own where there is none."""
    borrowed = importlib.util.find_spec("pip") is not None
    yield [python, "-m", "venv", *(["--without-pip"] if borrowed else []), str(folder)]
    pip = [sys.executable, "-m", "pip", "--python", str(folder)] if borrowed else [str(python_in(folder)), "-m", "pip"]
    yield [*pip, "install", "--disable-pip-version-check", "--progress-bar=off", *_requirements(one)]


def _run(command: Sequence[str], log: Path, status: Status, name: str) -> str:
    """Run an installer with its output in a log and its last step on the status line; why it failed, or nothing."""
    lines: list[str] = []
    environ = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    with (
        log.open("a", encoding="utf-8") as stream,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                stream.write(line)
                lines = [*lines[-200:], printable(line.rstrip(), 300)]
                if re.match(r"(Collecting|Installing|Building) ", line):
                    status.update(f"{name}: {printable(line.strip(), 100)}")
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # pip starts others, which build
            raise
    if not process.returncode:
        return ""
    said = [line for line in lines if line and not line.startswith("WARNING")]
    if any(line.startswith("ERROR: No matching distribution") for line in said):
        said.append("If there is one for another Python, name that: --python PATH")
    return "\n".join(
        [f"{command[0]} ended with exit code {process.returncode}; all it said is in {log}", *said[-TOLD:]]
    )


def _unusable(one: Framework, folder: Path) -> str:
    """Why what was installed cannot be imported, and what can be typed instead; nothing where it can."""
    code = [str(python_in(folder)), "-I", "-W", "ignore", "-c", f"import {', '.join(one.packages)}"]
    done = subprocess.run(code, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    if not done.returncode:
        return ""
    said = printable((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1], 300)
    found = ", ".join(f"{name.rpartition('/')[2]} {version}" for name, version in one.versions.items())
    others = [name for name in one.packages.values() if name not in one.pinned]
    way = ""
    if one.version and others:
        typed = program.command("install", f"{one.name}+{others[0]}@VERSION")
        way = f"; if {others[0]} is too new: {typed}"
    return f"installed were {found}, and they cannot be imported: {said}{way}"


def _requirements(one: Framework) -> list[str]:
    """What pip is to install: the framework's lock, or what this distribution asks for, with what every child needs.

    Of a version that was named: that one, the latest of it, and whatever of the framework's other packages suits it,
    or the latest of what was named of these, too.
    """
    if one.lock.is_file() and not one.version:
        return ["-r", str(one.lock)]
    asked = importlib.metadata.requires("posterior-bench") or []
    extra = re.compile(rf"extra == ['\"]{re.escape(one.extra)}['\"]")
    wanted = [line.partition(";")[0].strip() for line in asked if one.extra and extra.search(line)]
    child = [line for line in asked if "extra ==" not in line and re.split(r"[<>=! \[]", line)[0] in CHILD]
    if pinned := one.pinned:
        exact = {name: f"{v}.*" if re.fullmatch(r"[\d.]+", v) else v for name, v in pinned.items()}
        wanted = [f"{name}=={v}" for name, v in exact.items()] + [p for p in one.packages.values() if p not in pinned]
    return list(dict.fromkeys([*child, *(wanted or one.packages.values())]))


def _digest(one: Framework, python: str) -> str:
    """Hash of what an environment follows from."""
    kept = one.lock.is_file() and not one.version
    locked = contents(one.lock) if kept else " ".join(_requirements(one)).encode()
    return sha256(locked + _version(python).encode())[:16]


def _interpreter(one: Framework, named: str | None) -> str:
    """An interpreter that suits the framework: the one named, this one, or the first of those that are found."""
    if named is not None:
        version = _version(named)
        if not version:
            raise UsageError(f"--python {named}: it does not run, or is no Python")
        if not _suits(version, one.python):
            raise UsageError(f"--python {named}: it is Python {version}, and {one.name} needs {one.python}")
        return named
    for candidate in [sys.executable, *_candidates()]:
        if _suits(_version(candidate), one.python):
            return candidate
    raise UsageError(f"{one.name} needs Python {one.python}, and none was found; name one: --python PATH")


def _candidates() -> Iterator[str]:
    """Interpreters on the PATH and of pyenv, newest first."""
    for minor in range(20, 10, -1):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for folder in sorted(
        versions.glob("3.*"), key=lambda f: [int(n) for n in re.findall(r"\d+", f.name)], reverse=True
    ):
        yield str(folder / "bin" / "python")


def _version(python: str) -> str:
    """Its version, `3.12.1`; empty where it does not run."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        ask = "import json, platform; print(json.dumps(platform.python_version()))"
        done = subprocess.run([python, "-I", "-c", ask], capture_output=True, timeout=60, check=True)
        with contextlib.suppress(ValueError):
            return str(json.loads(done.stdout))
    return ""


def _suits(version: str, wanted: str) -> bool:
    """Whether a version of Python, such as 3.12.1, is within `>=3.12,<3.14`; all from 3.11 on where nothing is said."""
    if not version:
        return False
    minor = int(version.split(".")[1])
    least = re.search(r">=3\.(\d+)", wanted or ">=3.11")
    below = re.search(r"<3\.(\d+)", wanted)
    return minor >= int(least[1] if least else 11) and (below is None or minor < int(below[1]))
