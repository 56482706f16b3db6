"""Parse, compose, print, exit codes: nowhere else prints or exits. Verbs import what they need when called."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from bench import __version__
from bench.cli import signals, streams
from bench.errors import StorageError, UsageError, shown

OK, REGRESSION, USAGE, FAILED, NOTHING, NO_BASELINE, NOT_COMPARABLE = 0, 1, 2, 3, 4, 5, 6
INTERRUPTED = signals.INTERRUPTED

VERBS: Mapping[str, str] = {
    "run": "run.run",
    "init": "init.init",
    "new": "new.new",
    "import": "importing.import_",
    "install": "install.install",
    "list": "catalog.list_",
    "info": "catalog.info",
    "verify": "verify.verify",
    "score": "results.score",
    "report": "report.report",
    "plot": "plot.plot",
    "compare": "compare.compare",
    "ab": "ab.ab",
    "gate": "gate.gate",
    "calibrate": "calibrate.calibrate",
    "reference": "reference.reference",
    "doctor": "doctor.doctor",
    "check": "check.check",
    "history": "history.history",
    "query": "results.query",
    "export": "export.export",
    "publish": "publish.publish",
}
"""Each verb with its module in this package and its function there."""


NUMBERS: Mapping[Callable[[Any], Any], str] = {int: "whole number", float: "number"}


class _AsTyped:
    """Conversion of a value by calling `kind`; None where the user gave none, UsageError for what is no number."""

    def __init__(self, kind: Callable[[Any], Any], name: str) -> None:
        self.kind, self.name = kind, name

    def coerce(self, value: Any, **_: Any) -> Any:
        try:
            return None if value is None else self.kind(value)
        except ValueError:
            wanted = f"it must be a {NUMBERS.get(self.kind, 'value')}"
            raise UsageError(f"{self.name} {shown(str(value))} is not allowed; {wanted}") from None


class _Light:
    """Texts, paths, flags and numbers are taken as typed: typer imports pydantic to convert them, 0.1 s of every start.

    A version of typer that converts in another way does not look at the attribute that is set here.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's parameters, `--help` among them."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            kind: Any = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
            if kind in (str, Path, bool, *NUMBERS):
                parameter.get_runtime_param = partial(_AsTyped, kind, parameter.opts[0])
        return parameters


class Verb(_Light, TyperCommand):
    """One verb."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The same, each with the names that a shell completes."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            parameter._custom_shell_complete = self._completed
        return parameters

    def _completed(self, context: Any, parameter: Any, incomplete: str) -> Any:
        from bench.cli.completion import complete

        return complete(context.info_name, parameter.name, context, incomplete) or []

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence of its help, whole: the page of all verbs breaks lines."""
        return " ".join((self.help or "").partition("\n\n")[0].split())


class Verbs(_Light, TyperGroup):
    """All verbs, each imported when it is named; all of them for the help page and to suggest from."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help page."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        for verb in [cmd_name] if cmd_name in VERBS else VERBS:
            if verb not in self.commands:
                module, _, function = VERBS[verb].partition(".")
                one = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
                one.command(verb, cls=Verb)(getattr(importlib.import_module(f"bench.cli.{module}"), function))
                self.commands[verb] = get_command(one)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="bench",
    cls=Verbs,
    help="For this model and this data: which inference backend gives how good an answer, after how many seconds?",
    epilog="Start with `bench run` (a few minutes), then open the report it names. `bench VERB --help` has examples. "
    "Exit code 74 of any verb: all was done, but standard output took no more.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"posterior-bench {__version__}\n")
        raise typer.Exit


@app.callback()
def bench(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Nothing else is to be set before the verb."""


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    streams.install()
    signals.install()
    atexit.register(gc.freeze)  # what is left ends with this process: to look through it all takes a tenth of a second
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what a library says of its own lines is no message to a user
    try:
        app()
        code = OK
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else OK
    except (UsageError, StorageError) as error:
        sys.stderr.write(f"error: {error}\n")
        code = USAGE if isinstance(error, UsageError) else FAILED
    except OSError as error:
        from bench.disk.durable import unwritable

        if error.errno == errno.ENAMETOOLONG:  # of a path that was typed, wherever it is looked at first
            sys.stderr.write(f"error: no file can have the name {shown(error.filename)}\n")
            code = USAGE
        elif unwritable(error):
            sys.stderr.write(f"error: {error}\n")
            code = FAILED
        elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EACCES):  # a file in a folder's place
            sys.stderr.write(f"error: cannot use {shown(error.filename)}: {error.strerror}\n")
            code = USAGE
        else:
            raise
    sys.exit(streams.code(code))
