"""`bench install`: an environment for a framework that does not fit beside the others, or is not wanted there."""

from __future__ import annotations

from typing import Annotated

import typer


def install(
    framework: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FRAMEWORK[@VERSION]]…", help="Folders of backends, such as blackjax, or numpyro@0.21."
        ),
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="PATH", help="Interpreter to make it with. [default: one that suits]")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="What is there and what each needs; installs nothing.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the environments of these.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Make it anew although it is there.")] = False,
) -> None:
    """Make an environment of its own for a framework; its backends are then fitted there by all other verbs.

    It gets the versions of the framework's requirements.lock, or else those that the harness asks for. The interpreter
    is the one that runs here where it suits, else a python3.x on the PATH or of pyenv. Environments lie in .envs of the
    checkout, or where BENCH_ENVS says. A version, numpyro@0.21, stands beside the others: its backends are
    numpyro@0.21.nuts and so on, as in bench ab numpyro@0.21.nuts numpyro.nuts. What that stands on is the newest that
    its packages allow; numpyro@0.20+jax@0.8 names its version, too. What cannot be imported is not kept.

    \b
    Examples:
      bench install --list
      bench install blackjax stan
      bench install pymc --python /usr/bin/python3.12
      bench install numpyro@0.21 numpyro@0.20+jax@0.8
      bench install stan --remove

    Exit codes: 0 ready · 2 usage · 3 an installation failed, and nothing of it is left · 130 interrupted, likewise.
    """
    from bench.cli import installing

    if list_:
        installing.show()
    elif remove:
        installing.remove(framework or [])
    else:
        installing.make(framework or [], python, again=again)
