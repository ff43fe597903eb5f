"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ragmem.types import Scope

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="RAGMEM_STORE", help="The store's folder.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SettingsOption = Annotated[
    Path | None, typer.Option("--settings", help="A TOML file with settings.")
]
TenantOption = Annotated[str, typer.Option("--tenant", help="Whose documents.")]
UserOption = Annotated[str | None, typer.Option("--user", help="Who is asking.")]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", help="A group the user is in; repeatable.")
]

DEFAULT_STORE = Path("store")


def scope_of(*, tenant: str, user: str | None, groups: list[str] | None) -> Scope:
    """The scope that the options describe."""
    return Scope(tenant=tenant, user=user, groups=frozenset(groups or ()))
