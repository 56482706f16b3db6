"""`pytest --bench-check 'mine.*'`: an item per backend, which holds it against its contract as `bench check` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.catalog.backends import backend
from bench.catalog.places import backend_files
from bench.errors import UsageError
from bench.pytest_plugin.items import Made
from bench.selection import Selector, expand, parse


class Broken(Exception):
    """A contract that is not kept; the message has a line for each problem."""


class Contract(pytest.Item):
    """One backend with the options that were named."""

    selector: Selector

    def runtest(self) -> None:
        """Fail with all problems that `bench check` finds; skip where a package is missing."""
        from bench.check import backend as of_backend
        from bench.measure import local

        info = backend(self.selector.name)
        if info.home.missing:
            pytest.skip(f"{', '.join(info.home.missing)} is not installed: {info.home.install}")
        options = info.validate(self.selector.values)
        found = of_backend.findings(info, options, lambda text: None, local.Local())
        problems = [f"{one.where}: {one.what}" for one in found if one.state == "problem"]
        if problems:
            raise Broken("\n".join(problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The problems, without a traceback of ours."""
        return str(excinfo.value) if isinstance(excinfo.value, Broken) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What a failure is headed by."""
        return self.path, 0, f"contract of {self.selector.name}"


class ContractSession:
    """The contracts of one pytest session."""

    def __init__(self, config: pytest.Config, names: Sequence[str]) -> None:
        self.config, self.chosen = config, list[Selector]()
        for selector in map(parse, names):
            for name in expand(selector, backend_files(), "backend"):
                backend(name).validate(selector.values)
                self.chosen.append(Selector(name, selector.values))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add an item per backend."""
        parent: Made = Made.from_parent(session, name="contracts", path=self.config.rootpath, nodeid="bench")
        for selector in self.chosen:
            item: Contract = Contract.from_parent(parent, name=f"contract/{selector.name}")
            item.selector = selector
            items.append(item)


def register(config: pytest.Config, names: Sequence[str]) -> None:
    """Take part in this session; pytest's usage error where a backend cannot be."""
    try:
        config.pluginmanager.register(ContractSession(config, names), "bench-contracts")
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
