"""Runs a command and turns what it raises into a message and an exit code.

0 done, 1 failed, 2 wrong usage, 3 done with failed or skipped items,
130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ragmem.cli.ask import ask
from ragmem.cli.doctor import doctor
from ragmem.cli.ingest import ingest
from ragmem.cli.models import models
from ragmem.cli.search import search
from ragmem.cli.store import reindex, remove, show, status
from ragmem.errors import RagmemError, UsageError

app = typer.Typer(
    help="Answers from your documents, with exact citations, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (ingest, remove, search, ask, show, status, reindex, doctor):
    app.command()(command)
app.add_typer(models, name="models")


@app.command(
    "eval",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def evaluate(context: typer.Context) -> None:
    """Measure retrieval on a judged data set; the same as `python -m evals`."""
    from evals.__main__ import app as suites

    suites(args=context.args, prog_name="ragmem eval")


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        for argument in sys.argv[1:]:
            _refuse_broken(argument)
        app()
    except UsageError as error:
        _fail(str(error), code=2)
    except RagmemError as error:
        _fail(str(error), code=1)
    except BrokenPipeError:
        # The reader of our output went away (`ragmem search … | head`); nothing is left to say.
        sys.stderr.close()
        sys.exit(1)


def _refuse_broken(argument: str) -> None:
    try:
        argument.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"an argument is not valid text in this terminal's encoding: {argument!a}"
        ) from error


def _version(wanted: bool) -> None:
    if wanted:
        from ragmem import __version__

        sys.stdout.write(f"ragmem {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    _show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Answers from your documents, with exact citations, on your own machine."""


def _fail(message: str, *, code: int) -> None:
    sys.stderr.write(f"ragmem: {message}\n")
    sys.exit(code)
