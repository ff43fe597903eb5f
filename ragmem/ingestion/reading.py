"""Reads one item of a source: fetch, compare, parse, chunk. Nothing is written here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ragmem.errors import (
    PermanentSourceError,
    RagmemError,
    SourceError,
    TransientSourceError,
    UsageError,
)
from ragmem.ingestion.checks import check_acl, check_metadata, check_text
from ragmem.ingestion.tally import Tally
from ragmem.ingestion.writer import PreparedDocument
from ragmem.ports import Chunker, Connector, Parser
from ragmem.store.documents import WrittenAs, document_id_of, written_as
from ragmem.store.sources import ItemState
from ragmem.store.store import Store
from ragmem.types import (
    PUBLIC,
    Document,
    Metadata,
    ParsedDocument,
    RawDocument,
    SourceItem,
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What the caller says about the documents of a source.

    Attributes:
        tenant: whose they are.
        acl: principals who may see them; where given, it replaces what the source says, and
            `everyone` opens them. Where neither says anything, a document keeps the list it has:
            a later run never opens what an earlier one closed.
        metadata: added to each document's own.
        delete_missing: whether documents that the source no longer lists are deleted.
    """

    tenant: str = "default"
    acl: frozenset[str] = PUBLIC
    metadata: Metadata = field(default_factory=dict)
    delete_missing: bool = True

    def __post_init__(self) -> None:
        """Refuse what could not be stored or would admit nobody.

        Raises:
            UsageError: a principal or a metadata value is none.
        """
        check_acl(self.acl)
        check_metadata(self.metadata)
        check_text(self.tenant)


class ItemReader:
    """Turns items into documents that are ready to be written."""

    def __init__(
        self,
        *,
        store: Store,
        parser: Parser,
        chunker: Chunker,
        connector: Connector,
        options: SyncOptions,
        tally: Tally,
    ) -> None:
        self._store = store
        self._parser = parser
        self._chunker = chunker
        self._connector = connector
        self._options = options
        self._tally = tally
        self._settings_hash = _hash(
            parser.fingerprint,
            chunker.fingerprint,
            sorted(options.acl),
            _lasting(options.metadata),
        )[:16]

    def token(self, item: SourceItem) -> str:
        """What an item's fingerprint and the settings come to: the same again means unchanged."""
        return f"{item.fingerprint}|{self._settings_hash}"

    def read(self, item: SourceItem) -> PreparedDocument | ItemState:
        """Read an item.

        Returns:
            The document; or only the item's new state where the content is as it was.

        Raises:
            SourceError: it cannot be read, or what was read cannot be stored.
        """
        with self._tally.stopwatch.timing("fetch"):
            raw = guarded("the connector", lambda: self._connector.fetch(item))
        document_id = document_id_of(tenant=self._options.tenant, uri=item.uri)
        with self._store.reading() as connection:
            before = written_as(connection, [document_id]).get(document_id)
        try:
            acl = self._acl(raw, before)
            metadata = check_metadata(raw.metadata)
        except UsageError as error:
            raise PermanentSourceError(str(error)) from error
        content_hash = _hash(
            raw.title,
            raw.name,
            sorted(acl),
            _lasting(metadata),
            self._settings_hash,
            content=raw.content,
        )
        state = ItemState(
            uri=item.uri,
            fingerprint=self.token(item),
            status="ok",
            document_id=document_id,
            content_hash=content_hash,
        )
        if before is not None and before.content_hash == content_hash:
            return state
        with self._tally.stopwatch.timing("parse"):
            parsed = guarded(
                "the parser", lambda: self._parser.parse(raw), kind=PermanentSourceError
            )
        with self._tally.stopwatch.timing("chunk"):
            chunks = tuple(
                guarded(
                    "the chunker", lambda: self._chunker.chunk(parsed), kind=PermanentSourceError
                )
            )
        return PreparedDocument(
            document=self._document(document_id, raw, parsed, acl=acl, metadata=metadata),
            content_hash=content_hash,
            chunks=chunks,
            item=state,
            warnings=parsed.warnings,
        )

    def _acl(self, raw: RawDocument, before: WrittenAs | None) -> frozenset[str]:
        if self._options.acl:
            return check_acl(self._options.acl)
        if raw.acl is not None:
            return check_acl(raw.acl)
        return PUBLIC if before is None else before.acl

    def _document(
        self,
        document_id: str,
        raw: RawDocument,
        parsed: ParsedDocument,
        *,
        acl: frozenset[str],
        metadata: Metadata,
    ) -> Document:
        merged = {**check_metadata(parsed.metadata), **metadata, **self._options.metadata}
        if raw.modified_at is not None:
            merged.setdefault("modified_at", raw.modified_at.isoformat())
        return Document(
            id=document_id,
            uri=raw.uri,
            text=parsed.text,
            text_format=parsed.text_format,
            title=parsed.title,
            pages=parsed.pages,
            language=parsed.language,
            media_type=parsed.media_type,
            metadata=merged,
            tenant=self._options.tenant,
            acl=acl,
        )


def guarded(
    whose: str, work: Callable[[], Result], *, kind: type[SourceError] = TransientSourceError
) -> Result:
    """Run code that may be anyone's, so that its failure is one item's and not the run's.

    Args:
        whose: whose code it is, for the reason.
        work: the code.
        kind: what an unforeseen failure becomes: bytes that a parser cannot read once, it never
            can; a source may answer next time.

    Raises:
        SourceError: the work failed.
    """
    try:
        return work()
    except SourceError:
        raise
    except RagmemError as error:
        raise PermanentSourceError(str(error)) from error
    except Exception as error:  # a connector or a parser may raise anything
        raise kind(f"{whose} failed: {type(error).__name__}: {error}") from error


def _hash(*facets: object, content: bytes | str = b"") -> str:
    digest = hashlib.sha256(json.dumps(facets).encode())
    digest.update(content.encode("utf-8", "replace") if isinstance(content, str) else content)
    return digest.hexdigest()


def _lasting(metadata: Metadata) -> list[tuple[str, object]]:
    """Metadata without the time of change: touching a file changes nothing in it."""
    return sorted((key, value) for key, value in metadata.items() if key != "modified_at")
