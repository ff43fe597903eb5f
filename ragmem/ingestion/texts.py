"""A source of documents that the program itself hands over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from ragmem.errors import UsageError
from ragmem.types import RawDocument, SkippedItem, SourceItem, TextDocument

_SUFFIXES = {"plain": ".txt", "markdown": ".md"}


class TextDocuments:
    """A `Connector` over documents in memory."""

    def __init__(self, documents: Sequence[TextDocument], *, source_uri: str) -> None:
        """Take documents.

        Raises:
            UsageError: two documents have the same URI.
        """
        self._source_uri = source_uri
        self._documents: dict[str, TextDocument] = {}
        for document in documents:
            if document.uri in self._documents:
                raise UsageError(f"two documents have the URI {document.uri}; each needs its own")
            self._documents[document.uri] = document

    @property
    def source_uri(self) -> str:
        """The name under which these documents belong together."""
        return self._source_uri

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the documents."""
        for document in self._documents.values():
            yield SourceItem(uri=document.uri, fingerprint=_fingerprint(document))

    def fetch(self, item: SourceItem) -> RawDocument:
        """Hand over one document as text."""
        document = self._documents[item.uri]
        suffix = _SUFFIXES.get(document.text_format)
        own_name = urlsplit(document.uri).path.rsplit("/", 1)[-1]
        return RawDocument(
            uri=document.uri,
            name=own_name if suffix is None else f"document{suffix}",
            content=document.text,
            title=document.title or None,
            metadata=document.metadata,
            acl=document.acl,
        )


def _fingerprint(document: TextDocument) -> str:
    facets = [
        document.title,
        document.text,
        document.text_format,
        None if document.acl is None else sorted(document.acl),
        sorted(document.metadata.items()),
    ]
    return hashlib.sha256(json.dumps(facets).encode()).hexdigest()
