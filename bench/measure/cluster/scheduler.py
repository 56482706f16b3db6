"""What a leader asks of Dask's scheduler, which may be gone or frozen: nothing here waits for it without an end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection
from typing import Any

from distributed import Client

from bench.errors import ClusterError
from bench.measure.cluster import slot
from bench.measure.cluster.remote import in_loop, until_done

SILENT_SECONDS = slot.LEASE
"""How long it may be silent: what goes through it renews leases, which have then ended."""
GONE = "the scheduler is gone, and its slots with it"


def addresses(client: Client, look: Callable[[], None] = lambda: None) -> list[str]:
    """Those of its processes, `look` called a few times a second; ClusterError where it is gone or says nothing."""

    async def asked() -> list[str]:
        its: Any = client.scheduler
        return list((await asyncio.wait_for(its.identity(n_workers=-1), SILENT_SECONDS))["workers"])

    try:
        return until_done(in_loop(client, asked()), look).result()
    except TimeoutError:  # an OSError, too
        raise ClusterError(f"the scheduler has not answered for {SILENT_SECONDS:.0f} s") from None
    except (OSError, AttributeError):  # a client that has lost its scheduler has none
        raise ClusterError(GONE) from None


def touch(client: Client, owner: str, processes: Collection[str]) -> None:
    """Renew the leases of these; nobody waits for the answers, since a process that is frozen has none."""

    async def touched() -> None:
        touches = client.run(slot.touch, owner, workers=list(processes), on_error="return")
        await asyncio.wait_for(touches, slot.LEASE)

    in_loop(client, touched())


def within(seconds: float, do: Callable[..., Any], *args: Any, **named: Any) -> None:
    """Do something of Dask's that may wait for what is gone, and go on after so many seconds whatever comes of it."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            do(*args, **named)

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(seconds)
