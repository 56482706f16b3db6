"""Parse, compose, print, exit codes: nowhere else prints or exits. Verbs import what they need when called."""

from __future__ import annotations

import sys

import typer

from bench.cli import (
    ab,
    calibrate,
    catalog,
    check,
    compare,
    doctor,
    export,
    gate,
    history,
    plot,
    report,
    results,
    run,
    signals,
    verify,
)
from bench.errors import StorageError, UsageError

OK, REGRESSION, USAGE, FAILED, NOTHING, NO_BASELINE, NOT_COMPARABLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130

app = typer.Typer(
    name="bench",
    help="For this model and this data: which inference backend gives how good an answer, after how many seconds?",
    epilog="Start with `bench run` (a few minutes), then open the report it names. `bench VERB --help` has examples.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("list")(catalog.list_)
app.command("info")(catalog.info)
app.command("verify")(verify.verify)
app.command("score")(results.score)
app.command("report")(report.report)
app.command("plot")(plot.plot)
app.command("compare")(compare.compare)
app.command("ab")(ab.ab)
app.command("gate")(gate.gate)
app.command("calibrate")(calibrate.calibrate)
app.command("doctor")(doctor.doctor)
app.command("check")(check.check)
app.command("history")(history.history)
app.command("query")(results.query)
app.command("export")(export.export)


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    signals.install()
    try:
        app()
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(USAGE)
    except StorageError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(FAILED)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            sys.exit(OK)
        from bench.store.durable import unwritable

        if not unwritable(error):
            raise
        sys.stderr.write(f"error: {error}\n")
        sys.exit(FAILED)
