"""Other processes of this machine, for work that holds Python's lock: scoring and drawing. They end with this one.

They are forked from a process that has imported what they need, so that several cost one import, beside this process's
own. Nothing here runs while a fit is measured.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import forkserver, resource_tracker
from types import ModuleType
from typing import TypeVar

from bench.measure.environment import environment

Item = TypeVar("Item")
Result = TypeVar("Result")

WATCH_SECONDS = 0.2
_running: list[ProcessPoolExecutor] = []
_refused: list[bool] = []


def start(*modules: str) -> bool:
    """Begin to import modules where the others will be forked from; does not wait for it, and does it once.

    One per CPU. False on one CPU, and where the system grants none (no room for a socket's file, or a path too long for
    one): `each` works in this one then.
    """
    count = len(os.sched_getaffinity(0))
    if _running or _refused or count == 1:
        return bool(_running)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    try:
        resource_tracker.ensure_running()  # it would let Ctrl-C through again below
        with _environment(), _signals_blocked(), _no_main():
            forkserver.ensure_running()
    except OSError:
        _refused.append(True)
        return False
    _running.append(ProcessPoolExecutor(count, context, initializer=_begin))
    return True


def wait_until_ready(tick: Callable[[], None]) -> None:
    """Wait for the end of what `start` has begun; `tick` as in `each`."""
    if _running:
        list(each(abs, [0], tick))


def each(
    function: Callable[[Item], Result], items: Sequence[Item], tick: Callable[[], None]
) -> Iterator[tuple[Item, Result]]:
    """Items with what the function, known by its name there, makes of them, as they are done.

    `tick` is called a few times a second; whatever it or the function raises ends the processes at once.
    """
    start()
    if not _running:
        for item in items:
            tick()
            yield item, function(item)
        return
    executor = _running[0]
    try:
        with _no_main():
            left: dict[Future[Result], Item] = {executor.submit(function, item): item for item in items}
        while left:
            tick()
            done, _ = wait(left, WATCH_SECONDS, FIRST_COMPLETED)
            for future in done:
                yield left.pop(future), future.result()
    except BaseException:
        close()
        raise


def close() -> None:
    """End them, at work or not."""
    _refused.clear()
    while _running:
        executor = _running.pop()
        for process in list((executor._processes or {}).values()):
            process.kill()
        executor.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """End this process with the first one, whatever ends that."""
    threading.Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    # not by die_with_parent: the process that this one is forked from lives on while one of these does
    first = multiprocessing.parent_process()
    assert first is not None
    first.join()
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Processes started meanwhile import this checkout, whatever else has its name in the present folder.

    Their linear algebra has one thread: there is a process per CPU.
    """
    before = dict(os.environ)
    os.environ.update(environment(1), PYTHONSAFEPATH="1")
    try:
        yield
    finally:
        for name in os.environ.keys() - before:
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Processes started meanwhile, and theirs, ignore Ctrl-C and a closed terminal, which the first handles."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Processes started meanwhile do not import the user's script, which would run it once more."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before
