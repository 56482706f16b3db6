"""Which processes of a scheduler may be slots of a run: those with the same code and data, and room of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from distributed import Client

from bench.catalog.kept import bring
from bench.measure import guardian
from bench.measure.cluster import likeness, shares, slot
from bench.measure.cluster.remote import Remote, in_loop, kept, until_done
from bench.measure.cluster.shares import Terms
from bench.measure.executor import SlotLost
from bench.plan import Plan

TAKEN = "at work for another run"
ANSWER_SECONDS, AT_ONCE = 120.0, 100
"""How long a process may take to say what it is, and how many are asked at once."""


class Refused(NamedTuple):
    """Which process or machine is no slot, and why.

    `unlike` where that is since it would not make the same fits, `passing` where it may be one in a while.
    """

    where: str
    why: str
    unlike: bool = False
    passing: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class Gate:
    """Who lets processes in for one plan.

    `machines` {host: facts} are those that it has let in. With `local` so many slots share this machine, and each
    process leaves the session of the terminal.
    """

    def __init__(self, client: Client, plan: Plan, terms: Terms, owner: str, *, local: int = 0) -> None:
        self.machines: dict[str, dict[str, Any]] = {}
        self.terms = terms
        self._client, self._plan, self._owner, self._local = client, plan, owner, local
        self._here = likeness.machine()["host"]
        self._backends = sorted({p.backend.name for p in plan.cells})

    def admit(
        self, addresses: Iterable[str], present: Collection[Remote], look: Callable[[], None] = lambda: None
    ) -> tuple[list[Remote], list[Refused]]:
        """The slots that these processes are from now on beside those that are there, and why some are none.

        `look` is called a few times a second while they are asked.
        """
        answers = self._ask(list(addresses), slot.facts, self._backends, look=look)
        here, made, refused = likeness.code(self._backends), list[Remote](), list[Refused]()
        for address, found in sorted(answers.items(), key=lambda one: (_name(one[1]), one[0])):
            if isinstance(found, OSError):
                refused.append(Refused(address, f"does not answer: {found}", passing=True))
                continue
            if isinstance(found, BaseException):
                why = f"cannot be asked ({type(found).__name__}: {found}); is posterior-bench installed there?"
                refused.append(Refused(address, why, unlike=True))
                continue
            where = f"{found['host']} ({address})"
            if differences := list(likeness.differences(found["code"], here)):
                refused.append(Refused(where, "; ".join(differences), unlike=True))
            elif found["owner"] not in ("", self._owner):
                refused.append(Refused(where, TAKEN, passing=True))
            elif isinstance(one := self._arranged(address, found, [*present, *made]), str | OSError):
                refused.append(Refused(where, str(one), passing=isinstance(one, OSError)))
            else:
                made.append(one)
        for one in {one.host: one for one in made if one.host not in self.machines}.values():
            if differences := self._other_data(one):
                refused.append(Refused(one.host, "; ".join(differences), unlike=True))
                made = [other for other in made if other.host != one.host]
        self.machines |= {one.host: dict(answers[one.address]["facts"]) for one in made}
        return made, refused

    def _ask(
        self,
        addresses: Sequence[str],
        function: Callable[..., Any],
        *args: Any,
        look: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """What a function gives in each of these processes, or its error: TimeoutError of one that is frozen."""
        few = asyncio.Semaphore(AT_ONCE)

        async def one(address: str) -> Any:
            async with few:
                try:
                    called = self._client.run(function, *args, workers=[address])
                    return (await asyncio.wait_for(called, ANSWER_SECONDS))[address]
                except TimeoutError:
                    return TimeoutError(f"no answer within {ANSWER_SECONDS:.0f} s")
                except Exception as error:  # noqa: BLE001 -- whatever it raised there
                    return error

        async def all_() -> list[Any]:
            return await asyncio.gather(*map(one, addresses))

        return dict(zip(addresses, until_done(in_loop(self._client, all_()), look).result(), strict=True))

    def _arranged(self, address: str, found: Mapping[str, Any], present: Collection[Remote]) -> Remote | str | OSError:
        """A slot in that process, which has its CPUs and memory from now on; or why there is none."""
        host = str(found["host"])
        memory = int(shares.FREE * found["facts"]["memory_bytes"] / self._local) if self._local else None
        share = shares.share(found, self.terms, [one.share for one in present if one.host == host], memory=memory)
        if isinstance(share, str):
            return share
        share = share._replace(apart=bool(self._local))
        number = next(n for n in count() if n not in {one.number for one in present})
        answer = self._ask([address], slot.arrange, share, self._owner)[address]
        if isinstance(answer, OSError):  # it has ended meanwhile
            return answer
        if isinstance(answer, BaseException):
            raise answer
        self.terms = Terms(len(share.cpus), self.terms.memory, self.terms.gpu)  # all alike from the first on
        return Remote(self._client, address, self._owner, host, number, share, float(found["slowness"]))

    def _other_data(self, one: Remote) -> list[str]:
        """Scenarios of the plan whose data are others on the machine of a slot, each as a sentence."""
        if one.host == self._here:
            return []
        asked = likeness.asked(self._plan)
        with guardian.scratch("likeness") as folder:
            for planned in self._plan.cells:
                bring(planned.scenario, folder)
            files = {path: content for a in asked for path, content in kept(folder, a.name)}
            try:
                there = one.digests(asked, files, lambda: None)
            except SlotLost as lost:
                return [f"it makes no data: {lost}"]
            here = likeness.digests(asked, folder)
        return [
            f"the data of {a.name} are others there ({x[:60]}, here {y[:60]})"
            for a, x, y in zip(asked, there, here, strict=True)
            if x != y
        ]


def _name(found: Any) -> str:
    """By what slots are numbered: machines, and the names of their processes."""
    return str(found) if isinstance(found, BaseException) else f"{found['host']} {found['name']:>9}"
