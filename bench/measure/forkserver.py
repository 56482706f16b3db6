"""A process that has imported a framework and forks a worker for every request: the import is paid once.

Started as `python -m bench.measure.forkserver FRAMEWORK DEVICE DTYPE THREADS TRACK METHOD…`. Its environment has TURN,
a pipe whose end tells it to import, and FAMILIES, names of families to import as well. Then it reads one JSON request
per line from stdin and answers on its first stdout. Before it forks it touches no device and starts no thread pool of
its own, so that a child finds what a fresh interpreter would have imported. The `answer` of what a request names as
`module` does the work.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from bench.catalog.backends import backend
from bench.catalog.scenarios import scenario
from bench.data import family
from bench.errors import UsageError
from bench.measure.contender import load
from bench.measure.environment import FAMILIES, TURN
from bench.measure.residency import Mapped, mapped_files
from bench.measure.worker import die_with_parent
from bench.types import Place


def serve(framework: str, place: Place, track: str, methods: list[str]) -> None:
    """When told to, import and say how long it took; then fork a child per request and say how each ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    families = os.environ.pop(FAMILIES, "").split()
    if turn := os.environ.pop(TURN, ""):  # an older harness waits for the import at once
        with os.fdopen(int(turn), "rb") as pipe:
            pipe.read()
    seconds = load(framework, place, track, methods)
    for method in methods:
        with contextlib.suppress(UsageError):  # a child will say so
            _ = backend(method).digest  # kept for the children: reading all there is takes as long as a small fit
    for name in families:
        with contextlib.suppress(Exception):  # a child will say so
            family(name)
    gc.collect()  # and no freezing: a fresh interpreter's collector walks what was imported, too
    server, mapped, known, met = os.getpid(), mapped_files(), len(sys.modules), set[str]()
    _say(answers, {"import": seconds})
    for line in sys.stdin:
        request = json.loads(line)
        name = request.get("cell", {}).get("scenario", "")
        if name and name not in met:
            met.add(name)
            with contextlib.suppress(Exception):  # a child will say so
                scenario(name, along=Path(request["folder"]))  # imports its family, once for all children
            if len(sys.modules) > known:
                mapped, known = mapped_files(), len(sys.modules)
        with contextlib.suppress(ChildProcessError):  # what earlier children left has been killed: bury it
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pid = os.fork()
        if not pid:
            answers.close()
            _child(request, seconds, server, mapped)
        _say(answers, {"pid": pid})
        _, status, usage = os.wait4(pid, 0)
        _say(answers, {"code": os.waitstatus_to_exitcode(status), "peak_rss_bytes": usage.ru_maxrss * 1024})


def _say(answers: Any, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _child(request: dict[str, Any], seconds: float, server: int, mapped: list[Mapped]) -> None:
    """Become a session of its own with the log as output, work, and leave without returning."""
    code = 1
    try:
        os.setsid()
        die_with_parent(server)
        log, nothing = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        faulthandler.enable()
        importlib.import_module(request.get("module", "bench.measure.worker")).answer(request, seconds, mapped)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:  # noqa: BLE001 -- the interpreter above this frame is the server's, not this child's
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(framework: str, device: str, dtype: str, threads: str, track: str, *methods: str) -> None:
    """Serve until stdin closes or the runner dies."""
    die_with_parent(int(os.environ["BENCH_RUNNER"]))
    serve(framework, Place(device, dtype, int(threads)), track, list(methods))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
