"""`ragmem models`: which models there are, and bringing them onto this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragmem.cli.options import JsonOption
from ragmem.cli.output import bar, print_json, print_text

if TYPE_CHECKING:
    from ragmem.models.pull import PullProgress

models = typer.Typer(help="List and fetch models.", no_args_is_help=True)

FolderOption = Annotated[
    Path | None,
    typer.Option("--models", envvar="RAGMEM_MODELS", help="The folder models are cached in."),
]


@models.command("list")
def list_models(as_json: JsonOption = False, folder: FolderOption = None) -> None:
    """List the known models and whether they are on this machine."""
    from ragmem.models.cache import installed
    from ragmem.models.registry import CARDS

    rows = [(card, installed(card, cache_folder=folder)) for card in CARDS]
    if as_json:
        print_json(
            {
                "models": [
                    {
                        "name": card.name,
                        "role": card.role,
                        "license": card.license,
                        "homepage": card.homepage,
                        "bytes": card.size_bytes,
                        "installed": there,
                    }
                    for card, there in rows
                ]
            }
        )
        return
    for card, there in rows:
        size = f"{card.size_bytes / 1e6:.0f} MB" if card.size_bytes else "size unknown"
        state = "installed" if there else "not installed"
        print_text(f"{card.name:40} {card.role:10} {size:12} {card.license:12} {state}")


@models.command("pull")
def pull_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; the defaults otherwise.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Touch no network.")] = False,
    folder: FolderOption = None,
) -> None:
    """Fetch models, verify their SHA-256 and prepare them; what is there is not fetched again."""
    from ragmem.models.pull import pull
    from ragmem.models.registry import DEFAULT_CHAT, DEFAULT_EMBEDDING, card

    for name in names or (DEFAULT_EMBEDDING, DEFAULT_CHAT):
        known = card(name)
        with bar(name) as update:
            path = pull(
                name,
                cache_folder=folder,
                offline=offline,
                on_progress=None if update is None else partial(_show, update),
            )
        print_text(f"{name} ({known.license}): {path}")


def _show(update: Callable[[int, int, str], None], progress: PullProgress) -> None:
    update(progress.received_bytes, progress.total_bytes, progress.name)


@models.command("verify")
def verify_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; the defaults otherwise.")
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Read models again and compare their SHA-256; a wrong file is deleted."""
    from ragmem.models.cache import verify
    from ragmem.models.registry import DEFAULT_CHAT, DEFAULT_EMBEDDING

    for name in names or (DEFAULT_EMBEDDING, DEFAULT_CHAT):
        verify(name, cache_folder=folder)
        print_text(f"{name}: as it should be")
