"""`python -m evals COMMAND`, the same as `ragmem eval COMMAND`: every command by its name."""

from __future__ import annotations

import sys

import typer

from ragmem import RagmemError, UsageError

from .ablation.command import ablate
from .suites import beir, multihop
from .tuning.command import tune

app = typer.Typer(
    help="Is it good on this data, did a change help, and how sure is that.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (beir, multihop, tune, ablate):
    app.command()(command)


def main() -> None:
    """Run the command line and exit with its code: 1 failed, 2 wrong usage."""
    try:
        app()
    except RagmemError as error:
        sys.stderr.write(f"evals: {error}\n")
        sys.exit(2 if isinstance(error, UsageError) else 1)


if __name__ == "__main__":
    main()
