"""LlamaIndex documents: what identifies one, when it has changed, and what it becomes here.

Readers and how they are called are elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import PurePath
from typing import Any

from ragmem.errors import PermanentSourceError
from ragmem.types import MetadataValue, RawDocument

from .storable_text import storable

_RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# Where readers say what a document came from, the surest first.
_ORIGINS = ("file_path", "url", "URL", "source_url", "link", "permalink", "page_id", "message_id")
_WEAK_ORIGINS = ("source", "path", "file_name", "filename")
_PAGES = ("page_label", "page", "page_number")
_MODIFIED = ("last_modified_date", "last_modified", "modified_at", "updated_at")
# They change when a document is merely read.
_VOLATILE = frozenset({"last_accessed_date", "last_accessed"})
# Formats that readers hand over as they are; from others they extract plain text.
_TEXT_SUFFIXES = frozenset(
    {".md", ".markdown", ".txt", ".rst", ".py", ".js", ".ts", ".java", ".go", ".rs", ".c", ".h"}
    | {".cpp", ".hpp", ".cs", ".rb", ".php", ".kt", ".swift", ".sh", ".sql", ".json", ".yaml"}
)
# What prose never has; a file read as if it were text has much of it.
_BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_LOOKED_AT_CHARACTERS = 4096
_LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A document of a reader, as plain values.

    Attributes:
        identity: what tells it from the source's other documents; pages of one file share it.
        page: which page of them it is, empty where the reader does not say.
    """

    identity: str
    page: str
    text: str
    metadata: Mapping[str, MetadataValue]

    @property
    def fingerprint(self) -> str:
        """Changes with the text and the metadata, reading times left out."""
        lasting = {key: value for key, value in self.metadata.items() if key not in _VOLATILE}
        return _hash(json.dumps([self.text, lasting], sort_keys=True))

    def as_raw(self, uri: str) -> RawDocument:
        """The document as every connector gives it."""
        title = self.metadata.get("title")
        return RawDocument(
            uri=uri,
            name=self._name(),
            content=self.text,
            title=title if isinstance(title, str) and title.strip() else None,
            modified_at=self._modified_at(),
            metadata=self.metadata,
        )

    def _name(self) -> str:
        for key in ("file_name", "filename", "file_path"):
            if isinstance(value := self.metadata.get(key), str) and value.strip():
                name = PurePath(value).name or "document"
                suffix = PurePath(name).suffix.lower()
                is_html = suffix in (".html", ".htm") and self.text.lstrip().startswith("<")
                return name if suffix in _TEXT_SUFFIXES or is_html else f"{name}.txt"
        return "document.txt"

    def _modified_at(self) -> datetime | None:
        for key in _MODIFIED:
            if isinstance(value := self.metadata.get(key), str):
                try:
                    when = datetime.fromisoformat(value)
                except ValueError:
                    continue
                return when if when.tzinfo else when.replace(tzinfo=UTC)
        return None


def reading_of(document: Any, *, identity: tuple[str, ...]) -> Reading:
    """A LlamaIndex document as plain values.

    Args:
        document: a `llama_index.core.schema.Document`.
        identity: the metadata fields that identify it, or `id_` for its own id; empty to find out.

    Raises:
        PermanentSourceError: it is no document, lacks a field of its identity, or holds a binary
            file as if it were text.
    """
    from llama_index.core.schema import BaseNode, MetadataMode

    if not isinstance(document, BaseNode):
        raise PermanentSourceError(
            f"the reader gave a {type(document).__name__}; expected a LlamaIndex Document"
        )
    metadata = {
        storable(str(key)): plain
        for key, value in document.metadata.items()
        if (plain := _plain(value)) is not None
    }
    content = document.get_content(metadata_mode=MetadataMode.NONE)
    text = storable(content)
    known_as = (
        _named_identity(document.id_, metadata, identity)
        if identity
        else _found_identity(document, metadata, text)
    )
    if _is_binary(content):
        raise PermanentSourceError(
            f"{known_as} is a binary file that the reader took for text; give the reader an "
            "extractor for it (pip install llama-index-readers-file), or leave it out"
        )
    return Reading(
        identity=known_as,
        page=next((str(metadata[key]) for key in _PAGES if key in metadata), ""),
        text=text,
        metadata=metadata,
    )


def _named_identity(id_: str, metadata: Mapping[str, MetadataValue], names: tuple[str, ...]) -> str:
    parts = []
    for name in names:
        value = id_ if name == "id_" else metadata.get(name)
        if value is None:
            raise PermanentSourceError(
                f"a document has no metadata field {name!r} to identify it; it has "
                f"{', '.join(metadata) or 'none'}"
            )
        parts.append(storable(str(value)))
    return "/".join(parts)


def _found_identity(document: Any, metadata: Mapping[str, MetadataValue], text: str) -> str:
    """The reader's id where it chose one, else the origin in the metadata, else the content."""
    own = str(document.ref_doc_id or document.id_)
    # Without an id of the reader's, LlamaIndex draws a new random one at each load; the same one
    # in the metadata is the source's own.
    if not _RANDOM_ID.fullmatch(own) or own in metadata.values():
        return storable(own)
    for key in (*_ORIGINS, *_WEAK_ORIGINS):
        if isinstance(value := metadata.get(key), str) and value.strip():
            return value
    return _hash(text)


def _is_binary(text: str) -> bool:
    start = text[:_LOOKED_AT_CHARACTERS]
    return start.startswith("%PDF-") or len(_BINARY.findall(start)) > max(8, len(start) // 50)


def _plain(value: object) -> MetadataValue | None:
    """A value as filters compare it, None where there is nothing to compare."""
    if value is None or isinstance(value, bytes):
        return None
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        each = sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
        if all(isinstance(item, str) for item in each):
            return tuple(storable(item) for item in each)
        value = each
    if isinstance(value, list | dict):
        return storable(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))
    return storable(str(value))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
