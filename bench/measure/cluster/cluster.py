"""The slots of a run: who joins, who is lost, who is free; an executor over all of them."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client

from bench.errors import ClusterError, UsageError
from bench.measure.cluster import scheduler, slot
from bench.measure.cluster.joining import Gate, Refused
from bench.measure.cluster.remote import Remote
from bench.measure.cluster.shares import Terms
from bench.measure.executor import End, Needs, Request, SlotLost
from bench.measure.executor import Slot as AnySlot
from bench.plan import Plan

TRIES = 5
"""How often a request may lose its slot before it is taken to be the cause."""
RENEW_SECONDS, LOOK_SECONDS = 5.0, 0.2
ALONE_SECONDS, LOCAL_ALONE_SECONDS = 60.0, 180.0
"""How long a run waits for slots where there is none, beyond `slot.LEASE`; local ones come, once they have imported."""
FEW = 3
"""How many machines a sentence names."""


class Cluster:
    """A `bench.measure.executor.Wide` over the processes of a scheduler of Dask.

    `say` is told of slots that are lost or left out. With `local` all are of this machine, and share its memory.
    """

    def __init__(self, client: Client, plan: Plan, terms: Terms, say: Callable[[str], None], *, local: int = 0) -> None:
        self.patient, self._client, self._say, self._owner = False, client, say, uuid.uuid4().hex
        self._gate = Gate(client, plan, terms, self._owner, local=local)
        self._slots: dict[str, Remote] = {}
        self._free: deque[Remote] = deque()
        self._met: set[str] = set()
        self._lock, self._closed = threading.RLock(), threading.Event()
        self._events: SimpleQueue[str] = SimpleQueue()
        self._wanted: Mapping[Needs, set[str]] = {}
        self._imports: list[dict[str, Any]] = []
        self._waited, self._last, self._gone = 0.0, "", ""
        self._seen, self._patience = time.monotonic(), LOCAL_ALONE_SECONDS if local else ALONE_SECONDS
        self._keepers = [threading.Thread(target=do, daemon=True) for do in (self._keep, self._renew)]

    def begin(self, least: int, tick: Callable[[str], None]) -> None:
        """Take what processes there are, once there are as many as `least`.

        UsageError where none of them can be a slot, or one of them is unlike this machine.
        """
        try:
            refused = self._first(least, tick)
        except ClusterError as error:
            raise UsageError(f"--executor: {error}") from None
        if unlike := [one for one in refused if one.unlike]:
            raise UsageError(f"a run is made with one set of code: {_some(unlike)}")
        if not self._slots:
            raise UsageError(f"--executor: there is no slot: {_some(refused) or 'it has no worker processes'}")
        for one in refused:
            self._say(f"left out: {one}")
        for keeper in self._keepers:
            keeper.start()

    def _first(self, least: int, tick: Callable[[str], None]) -> list[Refused]:
        """The first slots; who is none. ClusterError as `scheduler.addresses`."""
        what = f"waiting for slots, {least} at least"
        look = partial(tick, what)
        self._client.subscribe_topic("all", self._hear)
        self._await(lambda: len(scheduler.addresses(self._client, look)) >= least, look)
        refused = self._join(scheduler.addresses(self._client, look), look)
        # those of a leader that was killed are free when its lease has ended, and one that was killed is started again
        self._await(lambda: bool(self._slots) or self._retried(refused, look), look)
        return refused

    def _await(self, done: Callable[[], bool], look: Callable[[], None]) -> None:
        """Wait until it is done, where a run is patient however long that takes."""
        until = time.monotonic() + self._patience
        while not done() and (self.patient or time.monotonic() < until):
            look()
            time.sleep(LOOK_SECONDS)

    def _retried(self, refused: list[Refused], look: Callable[[], None]) -> bool:
        """Ask again those that may be slots by now; whether there is nothing to wait for, and who was refused."""
        if not all(one.passing for one in refused):
            return True
        self._met.clear()
        refused[:] = self._join(scheduler.addresses(self._client, look), look)
        return bool(self._slots)

    def _hear(self, event: tuple[float, Any]) -> None:
        """What the scheduler says, in the thread of the client's loop."""
        message = event[1]
        if not isinstance(message, dict):
            return
        address = str(message.get("worker", ""))
        if message.get("action") == "add-worker":
            self._events.put(address)
        elif message.get("action") == "remove-worker" and (lost := self._slots.get(address)) is not None:
            lost.lost.set()

    def _keep(self) -> None:
        """Take what joins, until it is closed."""
        looked = time.monotonic()
        while not self._gone and not self._closed.wait(LOOK_SECONDS):
            joined = []
            while True:
                try:
                    joined.append(self._events.get_nowait())
                except Empty:
                    break
            try:
                if time.monotonic() - looked > RENEW_SECONDS:
                    looked, now = time.monotonic(), set(scheduler.addresses(self._client))
                    self._look(now)
                    joined += now - self._met
                for one in self._join(joined):
                    if one.why != self._last:
                        self._say(f"left out: {one}")
                    self._last = one.why
            except ClusterError as error:
                self._gone = str(error)
                for silent in list(self._slots.values()):
                    silent.lost.set()
            except Exception as error:  # noqa: BLE001 -- whatever Dask raises when its scheduler is gone: `check` says so
                self._last = f"{type(error).__name__}: {error}"

    def _renew(self) -> None:
        """Renew leases, until it is closed; nobody waits for the answers, since a process that is frozen has none."""

        while not self._closed.wait(RENEW_SECONDS):
            scheduler.touch(self._client, self._owner, list(self._slots))

    def _look(self, there: set[str]) -> None:
        for address, one in list(self._slots.items()):
            if address not in there:
                one.lost.set()
            if one.lost.is_set():
                self._drop(one)

    def _join(self, addresses: Iterable[str], look: Callable[[], None] = lambda: None) -> list[Refused]:
        """Have these processes be slots; those that are none. Each is asked once: of what was lost without its process
        having ended nothing good is to be expected.
        """
        new = [address for address in dict.fromkeys(addresses) if address not in self._met]
        self._met.update(new)
        if not new:
            return []
        made, refused = self._gate.admit(new, [one for one in self._slots.values() if not one.lost.is_set()], look)
        for one in made:
            self._slots[one.address] = one
            if not self._wanted or self._prepared(one, lambda: None):
                self.give(one)
        return refused

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[str], None]) -> None:
        """Import ahead in every slot, those that join later included."""
        self._wanted, began = wanted, time.perf_counter()
        stop = threading.Event()

        def look() -> None:
            if stop.is_set():
                raise KeyboardInterrupt

        taken = []
        while (one := self.take()) is not None:
            taken.append(one)
        threads = [threading.Thread(target=self._quietly, args=(one, look)) for one in taken]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                tick(f"{', '.join(sorted({n.framework for n in wanted}))} in {len(taken)} slots")
                time.sleep(LOOK_SECONDS / 4)
        except BaseException:
            stop.set()
            raise
        finally:
            for thread in threads:
                thread.join()
            self._waited += time.perf_counter() - began
            for one in taken:
                self.give(one)

    def _quietly(self, one: Remote, look: Callable[[], None]) -> None:
        """`_prepared`, in a thread that ends without a word when it is asked to."""
        try:
            self._prepared(one, look)
        except KeyboardInterrupt:
            return

    def _prepared(self, one: Remote, look: Callable[[], None]) -> bool:
        try:
            found = one.prepare(self._wanted, look)
        except SlotLost as lost:
            self._last = str(lost)
            return False
        self._imports += [{**entry, "host": one.host, "slot": one.number} for entry in found["each"]]
        return True

    def imports(self) -> dict[str, Any]:
        """As `Executor.imports`, each with its host and slot."""
        return {"seconds": self._waited, "each": sorted(self._imports, key=lambda e: (e["slot"], e["framework"]))}

    def slowness(self) -> float:
        """That of the slowest machine."""
        return max((one.slowness() for one in self._slots.values()), default=1.0)

    def submit(self, request: Request, into: Path, tick: Callable[[], None]) -> End:
        """Have whichever slot is free do the work, another where it is lost."""
        for _ in range(TRIES):
            while (one := self.take()) is None:
                tick()
                self.check()
                time.sleep(LOOK_SECONDS / 4)
            try:
                return one.submit(request, into, tick)
            except SlotLost as lost:
                self._last = str(lost)
            finally:
                self.give(one)
        raise ClusterError(f"{request.work} lost its slot {TRIES} times, the last time: {self._last}")

    def width(self) -> int:
        """How many slots there are now."""
        return sum(not one.lost.is_set() for one in self._slots.values())

    def threads(self) -> int:
        """How many CPUs every slot has."""
        return self._gate.terms.threads or 1

    def machines(self) -> dict[str, dict[str, Any]]:
        """{host: facts} of all on which there have been slots."""
        return dict(self._gate.machines)

    def take(self) -> Remote | None:
        """A slot that is free, and is the caller's from now on."""
        with self._lock:
            while self._free:
                one = self._free.popleft()
                if not one.lost.is_set():
                    return one
                self._drop(one)
        return None

    def give(self, slot: AnySlot) -> None:
        """Let others take it, unless it is lost."""
        with self._lock:
            if isinstance(slot, Remote):
                if slot.lost.is_set():
                    self._drop(slot)
                else:
                    self._free.append(slot)

    def _drop(self, one: Remote) -> None:
        with self._lock:
            if self._slots.get(one.address) is one:
                del self._slots[one.address]
                self._say(f"slot {one.number} on {one.host} is lost; its work is done by others")

    def check(self) -> None:
        """ClusterError where the scheduler is gone, or no slot has been there for a while."""
        if self._gone or self._client.status != "running":
            raise ClusterError(self._gone or scheduler.GONE)
        if self.width():
            self._seen = time.monotonic()
        elif not self.patient and time.monotonic() - self._seen > self._patience:
            raise ClusterError(
                f"no slot has been left for {self._patience:.0f} s" + (f": {self._last}" if self._last else "")
            )

    def close(self) -> None:
        """End what is at work in every slot; the processes themselves are whoever's started them."""
        self._closed.set()
        if self._client.status == "running":
            scheduler.within(slot.RELEASE_SECONDS, self._client.run, slot.release, self._owner, on_error="return")


def _some(refused: list[Refused]) -> str:
    more = len(refused) - FEW
    return "; ".join(map(str, refused[:FEW])) + (f"; and {more} more" if more > 0 else "")
