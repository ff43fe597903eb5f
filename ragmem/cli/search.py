"""`ragmem search`: the passages that answer a question best."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from ragmem.cli.options import (
    DEFAULT_STORE,
    GroupOption,
    JsonOption,
    SettingsOption,
    StoreOption,
    TenantOption,
    UserOption,
    scope_of,
)
from ragmem.cli.output import name_of, print_json, print_text, print_trace
from ragmem.types import Hit


def search(
    question: Annotated[str, typer.Argument(help="What to look for.")],
    store: StoreOption = DEFAULT_STORE,
    k: Annotated[int, typer.Option("--k", "-k", help="The most hits.")] = 5,
    as_json: JsonOption = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show how the hits came about.")] = False,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Compare with every vector: slow, and nothing is missed."),
    ] = False,
    tenant: TenantOption = "default",
    user: UserOption = None,
    group: GroupOption = None,
    settings: SettingsOption = None,
) -> None:
    """Find the passages that answer a question best."""
    from ragmem.app import Agent
    from ragmem.settings import load_settings

    with Agent.open(store, settings=load_settings(settings), read_only=True) as agent:
        scope = scope_of(tenant=tenant, user=user, groups=group)
        result = agent.knowledge.search(question, k=k, scope=scope, exact=exact)
    if as_json:
        found: dict[str, object] = {"hits": [_as_json(hit) for hit in result.hits]}
        print_json(found | ({"trace": result.trace} if trace else {}))
        return
    if not result.hits:
        print_text("nothing found")
    for number, hit in enumerate(result.hits, start=1):
        page = "" if hit.page is None else f", page {hit.page}"
        print_text(
            f"{number}. {hit.document_title or name_of(hit.document_uri)}{page}  ({hit.score:.3f})"
        )
        print_text(f"   {hit.document_uri}")
        for label, uris in (("also", hit.other_uris), ("nearly the same", hit.near_duplicates)):
            for uri in uris:
                print_text(f"   {label}: {uri}")
        print_text(textwrap.indent(textwrap.fill(_preview(hit.text), width=96), "   "))
    if trace:
        print_trace(result.trace)


def _as_json(hit: Hit) -> dict[str, object]:
    return {
        "document_uri": hit.document_uri,
        "other_uris": hit.other_uris,
        "near_duplicates": hit.near_duplicates,
        "chunk_id": hit.chunk_id,
        "text": hit.text,
        "start": hit.start,
        "end": hit.end,
        "matched": hit.matched,
        "page": hit.page,
        "score": hit.score,
        "scores": hit.scores,
    }


def _preview(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 300 else flat[:299].rstrip() + "…"
