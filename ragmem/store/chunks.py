"""Reads and writes chunks, and says which of a document's chunks changed."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from ragmem.store.document_uris import other_uris
from ragmem.store.insert import batches
from ragmem.store.metadata import from_json
from ragmem.store.schema import chunks, documents
from ragmem.store.signatures import read_signatures
from ragmem.types import Chunk, IndexEntry, Scope, StoredChunk

_LEAST_CHARACTERS = 16


def text_hash_of(text: str) -> str:
    """The key of a text in the embedding cache: SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def chunk_ids_of(
    document_id: str, chunked: Sequence[Chunk], *, text_hashes: Sequence[str] | None = None
) -> list[str]:
    """Ids that follow the content: an unchanged chunk keeps its id wherever it moves.

    The n-th chunk with the same embedded text in a document has n in its id.

    Args:
        text_hashes: the key of each chunk in the embedding cache, where that is not the hash of
            its own text alone: a chunk whose vector changes changes its id.
    """
    seen: Counter[str] = Counter()
    ids = []
    for text_hash in text_hashes or text_hashes_of(chunked):
        key = f"{document_id}\0{text_hash}\0{seen[text_hash]}"
        ids.append(hashlib.sha256(key.encode()).hexdigest()[:32])
        seen[text_hash] += 1
    return ids


def text_hashes_of(chunked: Sequence[Chunk]) -> list[str]:
    """The keys of chunks that are embedded each by itself."""
    return [text_hash_of(chunk.embedded_text) for chunk in chunked]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkChange:
    """What replacing a document's chunks came to."""

    added: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]


def replace_chunks(
    connection: Connection,
    document_id: str,
    chunked: Sequence[Chunk],
    *,
    text_hashes: Sequence[str] | None = None,
) -> ChunkChange:
    """Make these the document's chunks.

    Args:
        text_hashes: the key of each in the embedding cache, where it is not embedded by itself.

    Returns:
        The ids that are new, those that stay (though their offsets may move), those that went.
    """
    text_hashes = text_hashes or text_hashes_of(chunked)
    ids = chunk_ids_of(document_id, chunked, text_hashes=text_hashes)
    before = set(chunk_ids_of_documents(connection, [document_id]))
    if before:
        connection.execute(delete(chunks).where(chunks.c.document_id == document_id))
    rows = [
        {
            "id": chunk_id,
            "document_id": document_id,
            "position": position,
            "start": chunk.start,
            "end": chunk.end,
            "page": chunk.page,
            "tokens": chunk.tokens,
            "heading_path": list(chunk.heading_path),
            "context": chunk.context,
            "text": chunk.text,
            "text_hash": text_hash,
        }
        for position, (chunk_id, text_hash, chunk) in enumerate(
            zip(ids, text_hashes, chunked, strict=True)
        )
    ]
    if rows:
        connection.execute(insert(chunks), rows)
    return ChunkChange(
        added=tuple(chunk_id for chunk_id in ids if chunk_id not in before),
        kept=tuple(chunk_id for chunk_id in ids if chunk_id in before),
        removed=tuple(sorted(before.difference(ids))),
    )


def chunk_ids_of_documents(connection: Connection, document_ids: Sequence[str]) -> list[str]:
    """The ids of all chunks of these documents."""
    found: list[str] = []
    for batch in batches(document_ids):
        query = select(chunks.c.id).where(chunks.c.document_id.in_(batch)).order_by(chunks.c.id)
        found += connection.execute(query).scalars()
    return found


def chunks_of_document(connection: Connection, document_id: str) -> list[Chunk]:
    """A document's chunks, in order."""
    query = select(chunks).where(chunks.c.document_id == document_id).order_by(chunks.c.position)
    return [_chunk(row) for row in connection.execute(query).mappings()]


def text_hashes_of_document(connection: Connection, document_id: str) -> list[str]:
    """The keys of a document's chunks in the embedding cache, in order."""
    own = chunks.c.document_id == document_id
    query = select(chunks.c.text_hash).where(own).order_by(chunks.c.position)
    return list(connection.execute(query).scalars())


def neighbour_ids(connection: Connection, chunk_id: str, *, characters: int) -> list[str]:
    """The chunks sharing a span of so many characters with a chunk, in order; none if it is gone.

    Args:
        characters: the longest span from the first one's start to the last one's end, the chunk
            itself in between.
    """
    own = chunks.alias()
    # Only near rows are looked at, however long the document: most chunks have far more characters.
    reach = characters // _LEAST_CHARACTERS + 1
    query = (
        select(chunks.c.id)
        .join(own, own.c.document_id == chunks.c.document_id)
        .where(
            own.c.id == chunk_id,
            chunks.c.position.between(own.c.position - reach, own.c.position + reach),
            (chunks.c.start >= own.c.end - characters) | (chunks.c.id == chunk_id),
            (chunks.c.end <= own.c.start + characters) | (chunks.c.id == chunk_id),
        )
        .order_by(chunks.c.position)
    )
    return list(connection.execute(query).scalars())


def all_chunk_ids(connection: Connection) -> set[str]:
    """The ids of all chunks of all tenants."""
    return set(connection.execute(select(chunks.c.id)).scalars())


def count_chunks(connection: Connection) -> int:
    """How many chunks there are, over all tenants."""
    return int(connection.execute(select(func.count()).select_from(chunks)).scalar_one())


def read_chunks(
    connection: Connection, chunk_ids: Sequence[str], *, scope: Scope
) -> Mapping[str, StoredChunk]:
    """Chunks by id; those that are not there or that the scope may not see are left out."""
    found: dict[str, StoredChunk] = {}
    rows = _rows_with_documents(connection, chunk_ids)
    document_ids = sorted({row["document_id"] for row in rows})
    others = other_uris(connection, document_ids)
    signatures = read_signatures(connection, document_ids)
    for row in rows:
        if scope.sees(tenant=row["tenant"], acl=frozenset(row["acl"])):
            found[row["id"]] = StoredChunk(
                id=row["id"],
                document_id=row["document_id"],
                document_uri=row["uri"],
                document_title=row["title"],
                metadata=from_json(row["metadata"]),
                chunk=_chunk(row),
                other_uris=others.get(row["document_id"], ()),
                signature=signatures.get(row["document_id"], b""),
            )
    return found


def read_index_entries(
    connection: Connection, chunk_ids: Sequence[str]
) -> list[tuple[IndexEntry, str]]:
    """What the indexes must hold for these chunks, each with the hash of its embedded text.

    Chunks that are not there any more are left out.
    """
    return [
        (_index_entry(row), row["text_hash"]) for row in _rows_with_documents(connection, chunk_ids)
    ]


def _rows_with_documents(connection: Connection, chunk_ids: Sequence[str]) -> list[RowMapping]:
    rows: list[RowMapping] = []
    for batch in batches(chunk_ids):
        query = (
            select(
                chunks,
                documents.c.tenant,
                documents.c.acl,
                documents.c.uri,
                documents.c.title,
                documents.c.language,
                documents.c.metadata,
            )
            .join(documents, documents.c.id == chunks.c.document_id)
            .where(chunks.c.id.in_(batch))
        )
        rows += connection.execute(query).mappings()
    return rows


def _chunk(row: RowMapping) -> Chunk:
    return Chunk(
        start=row["start"],
        end=row["end"],
        text=row["text"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        tokens=row["tokens"],
        context=row["context"],
    )


def _index_entry(row: RowMapping) -> IndexEntry:
    return IndexEntry(
        chunk_id=row["id"],
        document_id=row["document_id"],
        tenant=row["tenant"],
        acl=frozenset(row["acl"]),
        title=f"{row['title']} {_name_words(row['uri'])}".strip(),
        text=_chunk(row).embedded_text,
        language=row["language"],
        metadata=from_json(row["metadata"]),
    )


def _name_words(uri: str) -> str:
    """The words of a file's name, so that "the 2023 report" finds `report-2023.pdf`."""
    path = urlsplit(uri).path
    if "/" not in path:
        return ""  # an id rather than a path
    return " ".join(re.findall(r"[^\W_]+", unquote(path.rsplit("/", 1)[1].rsplit(".", 1)[0])))
