"""The errors a user can cause; the CLI prints their text and nothing else."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Bad input: the message says what, where, and what is allowed. Exit code 2."""


class ScenarioError(UsageError):
    """A scenario that cannot be: names the file, the key, the value and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str, file: str = "") -> None:
        self.key, self.value, self.allowed, self.file = key, value, allowed, file
        where = f"{file}: " if file else ""
        super().__init__(f"{where}{key} = {value!r} is not allowed; {allowed}")

    def at(self, file: str) -> ScenarioError:
        """The same error, naming the file it was found in."""
        return ScenarioError(self.key, self.value, self.allowed, file)


class NoReference(Exception):
    """A posterior without an exact reference; the message is the reason shown to the reader."""


def unknown(what: str, name: str, known: Iterable[str]) -> UsageError:
    """An unknown name, with the nearest known ones first."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return UsageError(f"unknown {what} {name!r}; {hint}known: {', '.join(names) or 'none'}")
