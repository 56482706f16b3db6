"""A GPU that is none, for PyTorch: its tensors lie on the device `meta` and are computed on the host.

It behaves as CUDA does where it matters to a clock: an operation is queued and returns at once, and its virtual second
passes when the host waits, in `torch.cuda.synchronize`, for a number or for a copy to the host. And it refuses what
CUDA refuses: operands on two devices, and random numbers of a generator of another device.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

META = torch.device("meta")
COPIES = ("aten::_to_copy", "aten::copy_")
ASKED: dict[str, Callable[[torch.Tensor], Any]] = {
    "size": torch.Tensor.size, "stride": torch.Tensor.stride, "numel": torch.Tensor.numel, "dim": torch.Tensor.dim,
    "storage_offset": torch.Tensor.storage_offset, "is_contiguous": torch.Tensor.is_contiguous,
    "is_strides_like_format": lambda _: False, "is_non_overlapping_and_dense": lambda _: False,
}  # fmt: skip
"""What the host knows of a tensor without asking the device; some operations change it in place.

None is called dense: autograd adds to a dense gradient in place if nothing else holds it, and does not see that tensors
of the host may share their numbers.
"""


class Gpu:
    """The device, with its virtual seconds; `operations` were begun on it, `moved` of them copies from the host.

    `unfinished` are the seconds that were still queued when a clock read the time: a phase that ends then is too short.
    """

    def __init__(self) -> None:
        self.now, self.queued, self.operations, self.moved, self.bytes = 0.0, 0.0, 0, 0, 0
        self.unfinished: list[float] = []

    def timer(self) -> float:
        """Virtual seconds so far, of whatever the host has waited for."""
        self.unfinished += [self.queued] if self.queued else []
        return self.now

    def operate(self) -> None:
        """Queue an operation of one second."""
        self.operations, self.queued = self.operations + 1, self.queued + 1.0

    def drain(self) -> None:
        """What stands for `torch.cuda.synchronize`: let the seconds of what is queued pass."""
        self.now, self.queued = self.now + self.queued, 0.0

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One operation of PyTorch, of tensors on the device, on the host, or copied between them."""
        name = func._schema.name
        if (asked := name.removeprefix("aten::").removeprefix("sym_")) in ASKED:
            return ASKED[asked](_host(args[0]))
        ours = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Remote)]
        target = kwargs.get("device")
        onto = bool(ours) if target is None else _is_ours(target)
        if name not in COPIES:
            self._refuse_mixed(name, args, kwargs, bool(ours))
        if ours or onto:
            self.operate()
            self.moved += not ours
        if target is not None:
            kwargs = {**kwargs, "device": "cpu"}
        found = func(*tree_map(_host, args), **tree_map(_host, kwargs))
        if ours and (name == "aten::_local_scalar_dense" or (name in COPIES and not onto)):
            self.drain()
        if func._schema.is_mutable:
            return args[0] if func._schema.returns else None
        return tree_map(self.keep, found) if onto else found

    def keep(self, x: Any) -> Any:
        """A tensor of the host as one of the device."""
        if not isinstance(x, torch.Tensor) or isinstance(x, Remote):
            return x
        self.bytes += x.nbytes
        return Remote(x, self)

    def take(self, x: torch.Tensor) -> Any:
        """A copy of a tensor of the host."""
        self.operate()
        self.moved += 1
        return self.keep(x)

    def _refuse_mixed(self, name: str, args: Any, kwargs: Any, ours: bool) -> None:
        for x in tree_leaves((args, kwargs)) if ours else ():
            if isinstance(x, torch.Tensor) and not isinstance(x, Remote) and x.dim():
                raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found cuda:0 and cpu")


class Remote(torch.Tensor):
    """A tensor on the device, whose numbers a tensor of the host has."""

    @staticmethod
    def __new__(cls, host: torch.Tensor, gpu: Gpu) -> Remote:
        """The same sizes and strides, on `meta`."""
        made: Remote = torch.Tensor._make_wrapper_subclass(
            cls, host.size(), strides=host.stride(), storage_offset=host.storage_offset(),
            dtype=host.dtype, device=META, dispatch_sizes_strides_policy="sizes",
        )  # fmt: skip
        made.host, made.gpu = host, gpu
        return made

    host: torch.Tensor
    gpu: Gpu

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Backward passes run outside every mode."""
        gpu = next(x.gpu for x in tree_leaves((args, kwargs or {})) if isinstance(x, Remote))
        return gpu.run(func, args, kwargs or {})


class Generator(torch.Generator):
    """A generator of the host's numbers that says it is the device's."""

    remote: bool

    def __new__(cls, device: Any = "cpu") -> Generator:
        """Of the host's numbers, whatever the device."""
        made: Generator = super().__new__(cls)
        made.remote = _is_ours(device)
        return made


class _Operations(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """To skip it would import it, which takes seconds; nothing is compiled here."""
        return False

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.gpu.run(func, args, kwargs or {})


class _Made(TorchFunctionMode):
    """What is made on the device is made on the host and taken over."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        generator, ours = kwargs.get("generator"), _is_ours(kwargs.get("device"))
        if isinstance(generator, Generator) and "device" in kwargs and generator.remote != ours:
            wanted = "cuda" if ours else "cpu"
            raise RuntimeError(f"expected a {wanted!r} device type for generator but found another")
        if func in READ and isinstance(args[0], Remote):
            return READ[func](self.gpu, *args, **kwargs)
        if not ours or func is torch.Tensor.to or isinstance(args[0], Remote):
            return func(*args, **kwargs)
        return self.gpu.take(func(*args, **{**kwargs, "device": "cpu"}))


def _numbers(gpu: Gpu, x: Remote) -> Any:
    gpu.operate()
    gpu.drain()
    return x.host.tolist()


def _like(gpu: Gpu, x: Remote, values: Any) -> Any:
    return gpu.take(x.host.new_tensor(values))


READ: dict[Any, Callable[..., Any]] = {torch.Tensor.tolist: _numbers, torch.Tensor.new_tensor: _like}
"""What PyTorch does not offer to tensors of this kind."""


def _is_ours(device: Any) -> bool:
    return device is not None and torch.device(device).type in {"cuda", "meta"}


def _host(x: Any) -> Any:
    return x.host if isinstance(x, Remote) else x


@contextmanager
def standing_in() -> Iterator[Gpu]:
    """A device that `torch.cuda` says is there, until the context ends."""
    gpu = Gpu()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "synchronize", gpu.drain)
        patch.setattr(torch.cuda, "max_memory_allocated", lambda: gpu.bytes)
        patch.setattr(torch, "Generator", Generator)
        patch.setattr(sys.modules["torch.optim.adam"], "_device_dtype_check_for_fused", lambda *_, **__: None)
        stack.enter_context(_Operations(gpu))
        stack.enter_context(_Made(gpu))
        yield gpu
