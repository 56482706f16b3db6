"""The errors a user can cause; the CLI prints their text and nothing else."""

from __future__ import annotations

import difflib
import reprlib
import traceback
import unicodedata
from collections.abc import Iterable

VALUE_LIMIT = 200
MESSAGE_LIMIT = 4000


class UsageError(ValueError):
    """Bad input: the message, one line, says what, where, and what is allowed. Exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MESSAGE_LIMIT))


class ScenarioError(UsageError):
    """A scenario that cannot be: names the file, the key, the value (None: it is not there) and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str, file: str = "") -> None:
        self.key, self.value, self.allowed, self.file = key, value, allowed, file
        where = f"{file}: " if file else ""
        name = printable(key, VALUE_LIMIT)
        wrong = f"{name} is missing" if value is None else f"{name} = {shown(value)} is not allowed"
        super().__init__(f"{where}{wrong}; {allowed}")

    def at(self, file: str) -> ScenarioError:
        """The same error, naming the file it was found in."""
        return ScenarioError(self.key, self.value, self.allowed, file)


class StorageError(Exception):
    """A file system that takes no more: the message says which, and how to go on. Exit code 3."""


class ClusterError(StorageError):
    """Slots on which fits are made are gone: the message says which, and how to go on. Exit code 3."""


class NoReference(Exception):
    """A posterior without an exact reference; the message is the reason shown to the reader."""


MOST_NAMED = 100
"""Known names that a message lists; more are counted."""


def unknown(what: str, name: str, known: Iterable[str]) -> UsageError:
    """An unknown name, with the nearest known ones first."""
    names = sorted(known)
    # longer ones are no typing errors, and comparing them takes long
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) if len(name) <= VALUE_LIMIT else []
    hint = f"did you mean {', '.join(near)}? " if near else ""
    listed = f"known: {', '.join(names) or 'none'}" if len(names) <= MOST_NAMED else f"{len(names)} names are known"
    return UsageError(f"unknown {what} {shown(name)}; {hint}{listed}")


def shown(value: object) -> str:
    """A value as a message shows it: its repr, cut where it is long, and whatever its size in little time."""
    try:
        text = _Short().repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes, or a tree of more levels
        text = f"({type(value).__name__}, too large to show)"
    return text if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}…"


def described(error: Exception) -> str:
    """An error that nobody foresaw, on one line: its type, what it says, and the last place it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {printable(str(error), VALUE_LIMIT) or 'no reason given'}{place}"


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 4, 12, 12, 12
        self.maxstring = self.maxlong = self.maxother = VALUE_LIMIT


def printable(text: str, limit: int) -> str:
    """Text on one line of at most so many characters, with what a terminal or a reader's eye would obey escaped."""
    text = " ".join(text[: 4 * limit].split())
    kept = escaped(text)
    return kept if len(kept) <= limit else f"{kept[:limit]}…"


def escaped(line: str) -> str:
    """A line with what a terminal or a reader's eye would obey escaped."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(c if unicodedata.category(c) not in _OBEYED else repr(c)[1:-1] for c in line)


def tame(text: str) -> str:
    """Lines, each escaped so."""
    return "\n".join(map(escaped, text.split("\n")))


_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control characters, invisible format characters (bidirectional ones among them), surrogates, line separators."""
