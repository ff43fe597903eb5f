"""Reads one item of a source: fetch, compare, parse, chunk. Nothing is written here."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ragmem.errors import PermanentSourceError
from ragmem.ingestion.checks import check_acl, check_metadata, check_text
from ragmem.ingestion.guarding import guarded
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.ingestion.pipeline import Stopped
from ragmem.ingestion.signing import sign
from ragmem.ingestion.tally import Tally
from ragmem.ingestion.writer import CopiedItem, PreparedDocument
from ragmem.ports import Chunker, Connector, Parser, ReportsChunking
from ragmem.store.document_uris import WrittenAs, document_id_of, written_as
from ragmem.store.sources import ItemState
from ragmem.store.store import Store
from ragmem.types import (
    PUBLIC,
    Chunk,
    Document,
    Metadata,
    ParsedDocument,
    RawDocument,
    SourceItem,
)

_LARGEST_PAGE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What the caller says about the documents of a source.

    Attributes:
        tenant: whose they are.
        acl: principals who may see them; where given, it replaces what the source says, and
            `everyone` opens them. Where neither says anything, a document keeps the list it has:
            a later run never opens what an earlier one closed.
        mapping: what becomes of the metadata of source and format.
        delete_missing: whether documents that the source no longer lists are deleted.
        allow_mass_delete: whether that may be more than half of them.
        retry_failed: whether items are read again that failed for good and have not changed.
    """

    tenant: str = "default"
    acl: frozenset[str] = PUBLIC
    mapping: MetadataMapping = field(default_factory=MetadataMapping)
    delete_missing: bool = True
    allow_mass_delete: bool = False
    retry_failed: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not be stored or would admit nobody.

        Raises:
            UsageError: a principal is none, or the tenant's name cannot be stored.
        """
        check_acl(self.acl)
        check_text(self.tenant)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedItem:
    """An item that is to be parsed: what the source said of it, and what it came to.

    Attributes:
        content_hash: the same again means unchanged.
        content_key: the same for items that are stored as one document.
    """

    raw: RawDocument
    acl: frozenset[str]
    content_hash: str
    content_key: str
    state: ItemState


class ItemReader:
    """Turns items into documents that are ready to be written. Thread-safe where its parts are."""

    def __init__(
        self,
        *,
        store: Store,
        parser: Parser,
        chunker: Chunker,
        connector: Connector,
        options: SyncOptions,
        tally: Tally,
        stop: threading.Event,
    ) -> None:
        """Prepare; `stop` makes a chunker that takes long over a document give up."""
        self._store = store
        self._parser = parser
        self._chunker = chunker
        self._connector = connector
        self._options = options
        self._tally = tally
        self._stop = stop
        self._settings_hash = _hash(
            parser.fingerprint,
            chunker.fingerprint,
            sorted(options.acl),
            options.mapping.fingerprint,
        )[:16]

    def token(self, item: SourceItem) -> str:
        """What an item's fingerprint and the settings come to: the same again means unchanged."""
        return f"{item.fingerprint}|{self._settings_hash}"

    def fetch(self, item: SourceItem) -> FetchedItem | ItemState:
        """Fetch an item.

        Returns:
            What is to be parsed; or only the item's new state where the content is as it was.

        Raises:
            SourceError: it cannot be fetched, or what was fetched cannot be stored.
        """
        with self._tally.stopwatch.timing("fetch"):
            raw = guarded("the connector", lambda: self._connector.fetch(item))
        # What it gave may be of any kind; only the store's own failures are not the item's.
        given = guarded(
            "the connector", lambda: self._checked(raw, item), kind=PermanentSourceError
        )
        document_id = document_id_of(tenant=self._options.tenant, uri=item.uri)
        with self._store.reading() as connection:
            before = written_as(connection, [document_id]).get(document_id)
        fetched = self._compared(given, item, before)
        unchanged = before is not None and before.content_hash == fetched.content_hash
        return fetched.state if unchanged else fetched

    def _checked(self, raw: RawDocument, item: SourceItem) -> RawDocument:
        if raw.uri != item.uri:
            raise PermanentSourceError(f"the connector fetched {raw.uri} instead of {item.uri}")
        if not isinstance(raw.content, bytes | str):
            raise PermanentSourceError(
                f"the connector gave {type(raw.content).__name__} as content, not bytes or text"
            )
        if raw.modified_at is not None:
            check_text(raw.modified_at.isoformat())
        if raw.title is not None:
            check_text(raw.title)
        check_text(raw.name)
        return replace(
            raw,
            metadata=check_metadata(raw.metadata),
            acl=None if raw.acl is None else check_acl(raw.acl),
        )

    def _compared(
        self, raw: RawDocument, item: SourceItem, before: WrittenAs | None
    ) -> FetchedItem:
        acl = self._acl(raw, before)
        facets = (raw.title, sorted(acl), self._settings_hash)
        content_hash = _hash(*facets, raw.name, _lasting(raw.metadata), content=raw.content)
        # A name without a suffix may itself be what tells the format, as that of a Makefile does.
        kind = PurePosixPath(raw.name).suffix.lower() or raw.name.lower()
        return FetchedItem(
            raw=raw,
            acl=acl,
            content_hash=content_hash,
            content_key=_hash(*facets, kind, *_kind(raw), content=raw.content),
            state=ItemState(
                uri=item.uri,
                fingerprint=self.token(item),
                status="ok",
                content_hash=content_hash,
            ),
        )

    def prepare(self, fetched: FetchedItem) -> PreparedDocument:
        """Parse and chunk an item.

        Raises:
            SourceError: it cannot be read, or what was read cannot be stored.
        """
        with self._tally.stopwatch.timing("parse"):
            parsed = guarded(
                "the parser", lambda: self._parsed(fetched.raw), kind=PermanentSourceError
            )
        with self._tally.stopwatch.timing("chunk"):
            chunks, remarks = guarded(
                "the chunker", lambda: self._chunked(parsed), kind=PermanentSourceError
            )
        with self._tally.stopwatch.timing("sign"):
            signature = sign(parsed.text)
        return PreparedDocument(
            document=self._document(fetched, parsed),
            content_hash=fetched.content_hash,
            content_key=fetched.content_key,
            chunks=tuple(chunks),
            signature=signature,
            item=fetched.state,
            warnings=(*parsed.warnings, *remarks),
        )

    def _chunked(self, parsed: ParsedDocument) -> tuple[list[Chunk], tuple[str, ...]]:
        if isinstance(self._chunker, ReportsChunking):
            return self._chunker.chunk_reporting(parsed, on_progress=self._chunking)
        return self._chunker.chunk(parsed), ()

    def _chunking(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Stopped
        self._tally.writing_contexts(done, total)

    def as_copy(self, fetched: FetchedItem) -> CopiedItem:
        """An item whose content is that of a document already."""
        return CopiedItem(
            document_id=document_id_of(tenant=self._options.tenant, uri=fetched.raw.uri),
            content_hash=fetched.content_hash,
            content_key=fetched.content_key,
            metadata=self._mapped({}, fetched),
            item=fetched.state,
        )

    def _parsed(self, raw: RawDocument) -> ParsedDocument:
        parsed = self._parser.parse(raw)
        for text in (parsed.text, parsed.title, parsed.language, parsed.media_type):
            check_text(text)
        if any(not 0 <= page.number <= _LARGEST_PAGE for page in parsed.pages):
            raise PermanentSourceError("the parser numbered a page beyond all bounds")
        return replace(parsed, metadata=check_metadata(parsed.metadata))

    def _acl(self, raw: RawDocument, before: WrittenAs | None) -> frozenset[str]:
        if self._options.acl:
            return check_acl(self._options.acl)
        if raw.acl is not None:
            return raw.acl
        return PUBLIC if before is None else before.acl

    def _document(self, fetched: FetchedItem, parsed: ParsedDocument) -> Document:
        raw = fetched.raw
        return Document(
            id=document_id_of(tenant=self._options.tenant, uri=raw.uri),
            uri=raw.uri,
            text=parsed.text,
            text_format=parsed.text_format,
            title=parsed.title,
            pages=parsed.pages,
            language=parsed.language,
            media_type=parsed.media_type,
            metadata=self._mapped(parsed.metadata, fetched),
            tenant=self._options.tenant,
            acl=fetched.acl,
        )

    def _mapped(self, parsed: Metadata, fetched: FetchedItem) -> Metadata:
        told = {**parsed, **fetched.raw.metadata}
        if fetched.raw.modified_at is not None:
            told.setdefault("modified_at", fetched.raw.modified_at.isoformat())
        return self._options.mapping.apply(told)


def _hash(*facets: object, content: bytes | str = b"") -> str:
    digest = hashlib.sha256(json.dumps(facets).encode())
    digest.update(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return digest.hexdigest()


def _lasting(metadata: Metadata) -> list[tuple[str, object]]:
    """Metadata without the time of change: touching a file changes nothing in it."""
    return sorted((key, value) for key, value in metadata.items() if key != "modified_at")


def _kind(raw: RawDocument) -> tuple[object, ...]:
    """What keeps copies apart where it differs: other fields, or values that are no texts.

    Only texts can stand side by side in one field.
    """
    fixed = {key: v for key, v in raw.metadata.items() if not isinstance(v, str | tuple)}
    return (sorted(raw.metadata), sorted(fixed.items()), raw.modified_at is None)
