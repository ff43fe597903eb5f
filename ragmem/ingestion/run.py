"""One run over one source: list, compare, read what may have changed, commit, delete what went."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace

from ragmem.errors import PermanentSourceError, SourceError
from ragmem.ingestion.deletion import drop_items
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.tally import Tally
from ragmem.ingestion.writer import DocumentWriter, PreparedDocument
from ragmem.ports import Chunker, Connector, Parser
from ragmem.store.documents import content_hash_of, document_id_of
from ragmem.store.embeddings import delete_unused_embeddings
from ragmem.store.sources import ItemState, Source, put_items
from ragmem.store.store import Store
from ragmem.types import (
    PUBLIC,
    Document,
    Metadata,
    ParsedDocument,
    RawDocument,
    SkippedItem,
    SourceItem,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSizes:
    """How much work is done before the next step.

    Attributes:
        chunks, documents: a group is committed when it holds this many of either: large enough
            that sorting by length pays and commits cost little, small enough that a kill loses
            seconds.
        indexing: the indexes follow when this many documents wait: each of their commits costs
            tens of milliseconds.
    """

    chunks: int = 512
    documents: int = 256
    indexing: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What the caller says about the documents of a source.

    Attributes:
        tenant: whose they are.
        acl: principals who may see them; where given, it replaces what the source says.
        metadata: added to each document's own.
        delete_missing: whether documents that the source no longer lists are deleted.
    """

    tenant: str = "default"
    acl: frozenset[str] = PUBLIC
    metadata: Metadata = field(default_factory=dict)
    delete_missing: bool = True


class SyncRun:
    """The state of one run; `run` it once."""

    def __init__(
        self,
        *,
        store: Store,
        parser: Parser,
        chunker: Chunker,
        writer: DocumentWriter,
        indexer: Indexer,
        connector: Connector,
        source: Source,
        options: SyncOptions,
        before: dict[str, ItemState],
        tally: Tally,
        sizes: GroupSizes,
    ) -> None:
        """Prepare a run.

        Args:
            before: what became of each item of the source at its last run, by URI.
            tally: counts what the run does.
            sizes: how much work is done before the next step.
        """
        self._store = store
        self._parser = parser
        self._chunker = chunker
        self._writer = writer
        self._indexer = indexer
        self._connector = connector
        self._source = source
        self._options = options
        self._before = before
        self._tally = tally
        self._sizes = sizes
        self._settings_hash = _hash(
            chunker.fingerprint, sorted(options.acl), _lasting(options.metadata)
        )[:16]
        self._group: list[PreparedDocument] = []
        self._waiting = 0
        self._leaves_unused_vectors = False

    def run(self) -> bool:
        """Do it.

        Returns:
            Whether the source could be listed to its end.
        """
        items, skipped, complete = self._discover()
        for item in items.values():
            self._handle(item)
        self._flush()
        for left_out in skipped.values():
            self._tally.skipped(left_out.uri, left_out.reason)
        gone = self._before.keys() - items.keys() - skipped.keys()
        # An incomplete listing proves nothing about what it does not name.
        if complete and self._options.delete_missing:
            self._drop(gone)
        self._drop(self._before.keys() & skipped.keys())
        self._index()
        if self._leaves_unused_vectors:
            with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
                delete_unused_embeddings(connection)
        return complete

    def _discover(self) -> tuple[dict[str, SourceItem], dict[str, SkippedItem], bool]:
        items: dict[str, SourceItem] = {}
        skipped: dict[str, SkippedItem] = {}
        complete = True
        with self._tally.stopwatch.timing("discover"):
            try:
                for found in self._connector.discover():
                    if found.uri in items or found.uri in skipped:
                        continue
                    if isinstance(found, SkippedItem):
                        skipped[found.uri] = found
                    else:
                        items[found.uri] = found
                    self._tally.discovered(found.uri)
            except SourceError as error:
                self._tally.failed(self._connector.source_uri, str(error))
                complete = False
        return items, skipped, complete

    def _handle(self, item: SourceItem) -> None:
        """Decide by the fingerprint alone where it tells enough; else read the item."""
        token = f"{item.fingerprint}|{self._settings_hash}"
        known = self._before.get(item.uri)
        same = bool(item.fingerprint) and known is not None and known.fingerprint == token
        removed = known is not None and known.document_id is None
        if same and known is not None and known.status == "ok" and not removed:
            self._tally.unchanged(item.uri)
            return
        if same and known is not None and known.status == "failed":
            self._tally.failed(item.uri, known.reason)
            return
        try:
            self._read(item, token)
        except SourceError as error:
            state = ItemState(
                uri=item.uri,
                fingerprint=token,
                status="failed" if isinstance(error, PermanentSourceError) else "retry",
                reason=str(error),
                # What was readable before stays until the source drops the item.
                document_id=None if known is None else known.document_id,
            )
            with self._store.writing() as connection:
                put_items(connection, self._source.id, [state])
            self._tally.failed(item.uri, str(error))

    def _read(self, item: SourceItem, token: str) -> None:
        with self._tally.stopwatch.timing("fetch"):
            raw = self._connector.fetch(item)
        raw = replace(raw, acl=self._options.acl or raw.acl)
        document_id = document_id_of(tenant=self._options.tenant, uri=item.uri)
        state = ItemState(uri=item.uri, fingerprint=token, status="ok", document_id=document_id)
        content_hash = _hash(
            raw.title,
            raw.name,
            sorted(raw.acl),
            _lasting(raw.metadata),
            self._settings_hash,
            content=raw.content,
        )
        with self._store.reading() as connection:
            same = content_hash_of(connection, document_id) == content_hash
        if same:
            with self._store.writing() as connection:
                put_items(connection, self._source.id, [state])
            self._tally.unchanged(item.uri)
            return
        with self._tally.stopwatch.timing("parse"):
            parsed = self._parser.parse(raw)
        with self._tally.stopwatch.timing("chunk"):
            chunks = tuple(self._chunker.chunk(parsed))
        self._tally.parsed(item.uri)
        self._group.append(
            PreparedDocument(
                document=_document(document_id, raw, parsed, self._options),
                content_hash=content_hash,
                chunks=chunks,
                item=state,
                warnings=parsed.warnings,
            )
        )
        chunks_waiting = sum(len(prepared.chunks) for prepared in self._group)
        if chunks_waiting >= self._sizes.chunks or len(self._group) >= self._sizes.documents:
            self._flush()

    def _flush(self) -> None:
        """Embed and commit the documents that are prepared."""
        group, self._group = self._group, []
        if not group:
            return
        texts = [chunk.embedded_text for prepared in group for chunk in prepared.chunks]
        with self._tally.stopwatch.timing("embed"):
            embedded = self._writer.embed_missing(texts, on_progress=self._tally.embedding)
        self._tally.embedded(embedded)
        with self._tally.stopwatch.timing("store"):
            new_ids = self._writer.write(self._source.id, group)
        for prepared in group:
            is_new = prepared.document.id in new_ids
            self._leaves_unused_vectors |= not is_new
            self._tally.committed(
                prepared.document.uri,
                is_new=is_new,
                chunks=len(prepared.chunks),
                warnings=prepared.warnings,
            )
        self._waiting += len(group)
        if self._waiting >= self._sizes.indexing:
            self._index()

    def _index(self) -> None:
        with self._tally.stopwatch.timing("index"):
            self._indexer.apply_pending(on_progress=self._tally.indexing)
        self._waiting = 0

    def _drop(self, uris: set[str]) -> None:
        """Forget items, and delete the documents that only they stood for."""
        if not uris:
            return
        states = [self._before[uri] for uri in sorted(uris)]
        documents = {s.document_id: s.uri for s in states if s.document_id is not None}
        with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
            dropped = drop_items(
                connection, self._source, [state.uri for state in states], list(documents)
            )
        self._leaves_unused_vectors = True
        for document_id in dropped:
            self._tally.deleted(documents[document_id])


def _hash(*facets: object, content: bytes | str = b"") -> str:
    digest = hashlib.sha256(json.dumps(facets).encode())
    digest.update(content.encode("utf-8", "replace") if isinstance(content, str) else content)
    return digest.hexdigest()


def _lasting(metadata: Metadata) -> list[tuple[str, object]]:
    """Metadata without the time of change: touching a file changes nothing in it."""
    return sorted((key, value) for key, value in metadata.items() if key != "modified_at")


def _document(
    document_id: str, raw: RawDocument, parsed: ParsedDocument, options: SyncOptions
) -> Document:
    metadata = {**parsed.metadata, **raw.metadata, **options.metadata}
    if raw.modified_at is not None:
        metadata.setdefault("modified_at", raw.modified_at.isoformat())
    return Document(
        id=document_id,
        uri=raw.uri,
        text=parsed.text,
        text_format=parsed.text_format,
        title=parsed.title,
        pages=parsed.pages,
        language=parsed.language,
        media_type=parsed.media_type,
        metadata=metadata,
        tenant=options.tenant,
        acl=raw.acl,
    )
