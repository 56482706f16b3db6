"""Who gets which CPUs, how much memory and which GPU, so that no two slots of a machine have one in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure.cluster.slot import Share
from bench.words import format as fmt

FREE = 0.8
"""Share of the memory of a machine that is divided between slots."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run asks of every slot: so many CPUs (None: as many as the first slot has threads), so many bytes of
    memory at least (None: any), a GPU.
    """

    threads: int | None = None
    memory: int | None = None
    gpu: bool = False


def spread(cpus: Collection[int], cores: Mapping[int, str]) -> list[int]:
    """CPUs in the order in which they are given away: one of every core, then the second of every core, and so on."""
    met: dict[str, int] = {}
    ranked = []
    for cpu in sorted(cpus):
        core = cores.get(cpu, str(cpu))
        ranked.append((met.setdefault(core, 0), cpu))
        met[core] += 1
    return [cpu for _, cpu in sorted(ranked)]


def fitting(cpus: Collection[int], cores: Mapping[int, str], threads: int) -> int:
    """How many slots of so many CPUs a machine has room for when none shares a core with another, at least 1."""
    own = {cores.get(cpu, str(cpu)) for cpu in cpus}
    return max(1, len(own) // threads)


def share(found: Mapping[str, Any], terms: Terms, others: Iterable[Share], *, memory: int | None = None) -> Share | str:
    """What a process gets beside the `others` on its machine, or why it gets nothing.

    `found` are its `slot.facts`. Cores that no other slot has come first. Memory is Dask's limit for the process, else
    its part by CPUs of 80 % of what is free; `memory` in bytes instead where it is known.
    """
    others = list(others)
    count = terms.threads or int(found["threads"])
    taken = {cpu for other in others for cpu in other.cpus}
    cores = found["cores"]
    busy = {cores.get(cpu, str(cpu)) for cpu in taken}
    free = [cpu for cpu in spread(found["cpus"], cores) if cpu not in taken]
    free.sort(key=lambda cpu: cores.get(cpu, str(cpu)) in busy)  # stable: the rest of a core in use comes last
    if len(free) < count:
        left = f"{len(free) or 'none'} of its {len(found['cpus'])}"
        return f"a slot needs {fmt.count(count, 'CPU')}, and other slots leave {left}"
    bytes_ = memory or int(found["memory"]) or _part(found, count)
    if terms.memory and terms.memory > bytes_:
        return f"--memory asks for {_gib(terms.memory)}, and a slot of it has {_gib(bytes_)}"
    gpu = _gpu(found["gpus"], others) if terms.gpu else ""
    if terms.gpu and not gpu:
        return "there is no GPU that is not another slot's"
    return Share(tuple(sorted(free[:count])), bytes_, gpu)


def _part(found: Mapping[str, Any], count: int) -> int:
    return int(FREE * found["facts"]["memory_bytes"] * count / len(found["cpus"]))


def _gpu(gpus: Sequence[str], others: Iterable[Share]) -> str:
    taken = {other.gpu for other in others}
    return next((gpu for gpu in gpus if gpu not in taken), "")


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
