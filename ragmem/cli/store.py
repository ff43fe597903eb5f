"""`ragmem show | status | reindex`: what a store holds, and building its indexes again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
from ragmem.cli.output import bar, print_json, print_text, remark
from ragmem.types import Scope

if TYPE_CHECKING:
    from ragmem.store.reader import StoreReader
    from ragmem.store.status import SourceStatus

_DOCUMENTS_SHOWN = 20


def show(
    uri: Annotated[str, typer.Argument(help="A document's URI or path.")],
    store: StoreOption = DEFAULT_STORE,
    start: Annotated[int, typer.Option("--start", min=0, help="The first character.")] = 0,
    end: Annotated[int | None, typer.Option("--end", min=0, help="After the last one.")] = None,
    as_json: JsonOption = False,
    tenant: TenantOption = "default",
    user: UserOption = None,
    group: GroupOption = None,
    settings: SettingsOption = None,
) -> None:
    """Print a document's text as it is stored, the text that citations point into."""
    from ragmem.opening import read_store
    from ragmem.settings import load_settings

    scope = scope_of(tenant=tenant, user=user, groups=group)
    with read_store(store, settings=load_settings(settings)) as reader:
        document = reader.document(uri, scope=scope)
    text = document.text[start:end]
    if as_json:
        print_json(
            {
                "uri": document.uri,
                "title": document.title,
                "language": document.language,
                "media_type": document.media_type,
                "metadata": document.metadata,
                "pages": document.pages,
                "text": text,
            }
        )
    else:
        print_text(text)


def status(
    store: StoreOption = DEFAULT_STORE,
    duplicates: Annotated[
        bool,
        typer.Option("--duplicates", help="Show what is there twice, or nearly, instead."),
    ] = False,
    all_documents: Annotated[
        bool, typer.Option("--all", help=f"List every document, not only {_DOCUMENTS_SHOWN}.")
    ] = False,
    as_json: JsonOption = False,
    tenant: TenantOption = "default",
    user: UserOption = None,
    group: GroupOption = None,
    settings: SettingsOption = None,
) -> None:
    """Show sources, their last runs and failures, and the documents."""
    from ragmem.opening import read_store
    from ragmem.settings import load_settings

    scope = scope_of(tenant=tenant, user=user, groups=group)
    with read_store(store, settings=load_settings(settings)) as reader:
        if duplicates:
            _print_duplicates(reader, scope=scope, as_json=as_json)
            return
        found = reader.status(scope=scope)
    if as_json:
        print_json(
            {
                "embedding_model": found.embedding_model,
                "documents": found.documents,
                "chunks": found.chunks,
                "pending": found.pending,
                "sources": found.sources,
            }
        )
        return
    print_text(
        f"{len(found.documents)} documents, {found.chunks} chunks, "
        f"embedded with {found.embedding_model or 'nothing yet'}"
    )
    if found.pending:
        print_text(f"{found.pending} changes are not indexed yet; the next opening does it")
    for source in found.sources:
        _print_source(source)
    shown = found.documents if all_documents else found.documents[:_DOCUMENTS_SHOWN]
    for document in shown:
        print_text(f"{document.uri}  {document.chunks} chunks  {document.title}".rstrip())
        for uri in document.other_uris:
            print_text(f"  the same: {uri}")
    if len(shown) < len(found.documents):
        print_text(f"and {len(found.documents) - len(shown)} more; --all lists them")


def _print_source(source: SourceStatus) -> None:
    with_connector = f" ({source.connector})" if source.connector else ""
    counts = ", ".join(f"{count} {name}" for name, count in source.counts.items() if count)
    print_text(f"source {source.uri}{with_connector}: {_ended(source)}{counts and ': '}{counts}")
    for item in source.failed:
        print_text(f"  failed {remark(item.uri, item.reason)}")


def _ended(source: SourceStatus) -> str:
    """How and when the last run ended, in the reader's time."""
    at = source.finished_at or source.started_at
    if at is None:
        return source.status
    when = f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
    again = "; ragmem ingest --retry-failed tries again"
    if source.status == "interrupted":
        return f"interrupted, began {when}{again}"
    if source.status == "failed":
        why = f" ({source.reason})" if source.reason else ""
        return f"failed {when}{why}{again}"
    return f"{source.status} {when}"


def _print_duplicates(reader: StoreReader, *, scope: Scope, as_json: bool) -> None:
    from ragmem.retrieval.near_duplicates import near_duplicates_in

    copies = [
        (each.uri, *each.other_uris) for each in reader.documents(scope=scope) if each.other_uris
    ]
    near = [
        tuple(document.uri for document in group)
        for group in near_duplicates_in(reader, scope=scope)
    ]
    if as_json:
        print_json({"copies": copies, "near_duplicates": near})
        return
    for title, groups in (("the same, stored once", copies), ("nearly the same", near)):
        for group in groups:
            print_text(f"{title}:")
            for uri in group:
                print_text(f"  {uri}")
    if not copies and not near:
        print_text("nothing is there twice")


def remove(
    uri: Annotated[str, typer.Argument(help="A document's or a source's URI or path.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    tenant: TenantOption = "default",
    user: UserOption = None,
    group: GroupOption = None,
    settings: SettingsOption = None,
) -> None:
    """Remove a document, or a source with all its documents; ingesting again brings it back."""
    from ragmem.app import Agent
    from ragmem.settings import load_settings

    scope = scope_of(tenant=tenant, user=user, groups=group)
    with Agent.open(store, settings=load_settings(settings), create=False) as agent:
        removed = agent.knowledge.remove(uri, scope=scope)
    if as_json:
        print_json({"removed": removed})
    else:
        kept = "" if removed else "; what it held belongs to other sources too"
        print_text(f"{uri}: {removed} documents removed{kept}")


def reindex(
    store: StoreOption = DEFAULT_STORE,
    embed: Annotated[
        bool, typer.Option("--embed", help="Chunk and embed again with the models in settings.")
    ] = False,
    settings: SettingsOption = None,
) -> None:
    """Build every index again from the stored documents."""
    from ragmem.app import Agent
    from ragmem.opening import embed_store_again
    from ragmem.settings import load_settings

    chosen = load_settings(settings)
    with bar("indexing") as update:

        def show_progress(done: int, total: int) -> None:
            if update is not None:
                update(done, total, "embedding" if embed else "indexing")

        if embed:
            embed_store_again(store, settings=chosen, on_progress=show_progress)
        else:
            with Agent.open(store, settings=chosen, create=False) as agent:
                agent.reindex(on_progress=show_progress)
    print_text(f"{store}: every index is built again")
