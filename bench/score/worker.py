"""A process that imports what scoring and drawing need, and forks workers that call functions for another process.

Started by `bench.score.pool` as `python -m bench.score.worker PARENT DESCRIPTORS MODULE…`, and ended with the process
PARENT, though it may still import. Each worker owns one end of a socket: it says its own process number first, True
when it is ready; then, for every (function, item) received, (value, None) or (None, error). A module may have a
function `ready`, which starts what cannot be forked: the first READY workers call it, for it may take some memory.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection

from bench.errors import UsageError, described
from bench.measure.worker import die_with_parent
from bench.score import ahead

READY = 4
"""Workers that start what a run's figures need: more would hardly draw faster, and hold 70 MB each."""


def main(parent: str, descriptors: str, *modules: str) -> None:
    """Import the modules, fork a worker per descriptor, and wait for the end of all."""
    die_with_parent(int(parent))
    ahead.load(modules)
    ends = [int(descriptor) for descriptor in descriptors.split(",")]
    for number, own in enumerate(ends):
        if not os.fork():
            for other in ends[number + 1 :]:  # a socket is closed for the first process when its one owner has ended
                os.close(other)
            try:
                _serve(own, modules if number < READY else ())
            finally:
                os._exit(0)
        os.close(own)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _serve(descriptor: int, modules: Sequence[str]) -> None:
    threading.Thread(target=_end_with_the_first, args=[descriptor], daemon=True).start()
    connection = Connection(descriptor)
    connection.send(os.getpid())
    ahead.ready(modules)
    connection.send(True)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, item = connection.recv()
            try:
                value, error = function(item), None
            except Exception as raised:  # noqa: BLE001 -- the first process raises it
                value, error = None, _portable(raised)
            connection.send((value, error))


def _end_with_the_first(descriptor: int) -> None:
    """End this process, at work or not, when the other end of its socket is closed."""
    end = select.poll()
    end.register(descriptor, 0)  # a hang-up needs no asking for
    end.poll()
    os._exit(0)


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same where it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes
    except Exception:  # noqa: BLE001 -- whatever an error's own methods raise
        return UsageError(str(error)) if isinstance(error, UsageError) else RuntimeError(described(error))
    return error


if __name__ == "__main__":
    main(*sys.argv[1:])
