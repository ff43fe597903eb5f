"""Makes a store of any size without embedding every chunk: real chunks, then altered copies.

A copy has its vector jittered, and part of its words replaced by words drawn from all texts, so
that the indexes meet as many different vectors and as long postings as a real store of that size
would give them; its title is a longer one, and its signature is drawn, so that it is nobody's
near-duplicate. Rows are written many at a time; the indexes are built from them as
`ragmem reindex` does it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from figures import tell
from sqlalchemy import Table, insert

from ragmem import Settings
from ragmem.app import Parts
from ragmem.chunking.names import names_in, title_names
from ragmem.store.chunks import chunk_ids_of, text_hash_of
from ragmem.store.clock import utc_now
from ragmem.store.document_uris import document_id_of
from ragmem.store.embeddings import put_embeddings
from ragmem.store.index_id import claim_indexes
from ragmem.store.index_ops import append_rebuild
from ragmem.store.names import NamedChunk, put_names
from ragmem.store.schema import chunks as chunk_rows
from ragmem.store.schema import document_uris, documents, signatures
from ragmem.store.store import Store, open_store, settle_stamp
from ragmem.types import PUBLIC, Chunk, FloatMatrix, FloatVector, ParsedDocument, TextDocument

RESTRICTED = frozenset({"group:staff"})
"""The access list of every fourth document."""

_FORMAT = 4
_REPLACED_WORDS = 0.3
_JITTER = 0.6  # the length of what is added to a vector of length one
_SIGNATURE_BYTES = 512
_TENANT = "default"
_DOCUMENTS_A_TRANSACTION = 1000
_TOLD_EVERY = 25 * 2048  # the indexer tells of batches of 2,048


@dataclass(frozen=True, slots=True)
class Grown:
    """One document of one chunk, with its vector."""

    number: int
    title: str
    chunk: Chunk
    vector: FloatVector
    signature: bytes


def grown_store(texts: Sequence[TextDocument], *, chunks: int, cache: Path) -> Path:
    """The folder of a store of so many chunks, one a document; built where it is not there yet.

    Document n has the metadata `half` (n % 2), `hundredth` (n % 100) and `ten_thousandth`. What a
    build that was cut off has written is used again; a million chunks take hours.
    """
    named = [[each.title, each.text] for each in texts]
    key = hashlib.sha256(json.dumps([_FORMAT, *named]).encode()).hexdigest()[:12]
    folder = cache / f"{key}-{chunks}"
    rows, done = folder / "rows-written", folder / "grown"
    if done.exists():
        return folder
    parts = Parts(folder, Settings())
    if not rows.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        seeds, vectors = _seeds(parts, texts, cache / f"{key}.npy")
        tell(f"growing {len(seeds):,} chunks to {chunks:,} ...")
        _write_all(folder, parts, islice(_grow(seeds, vectors), chunks))
        rows.touch()
    tell(f"indexing {chunks:,} chunks ...")
    store = open_store(folder)
    parts.indexer(store).apply_pending(on_progress=_tell_progress)
    claim_indexes(store)
    parts.close()
    store.close()
    done.touch()
    return folder


def _tell_progress(done: int, total: int) -> None:
    if done % _TOLD_EVERY == 0 or done == total:
        tell(f"  {done:,} of {total:,}")


def _seeds(
    parts: Parts, texts: Sequence[TextDocument], cached: Path
) -> tuple[list[tuple[str, Chunk]], FloatMatrix]:
    """The chunks of the texts with the titles of these, and their vectors."""
    found = [
        (each.title, chunk)
        for each in texts
        for chunk in parts.chunker.chunk(
            ParsedDocument(text=each.text, title=each.title, text_format="plain")
        )
    ]
    if not cached.exists():
        tell(f"embedding {len(found):,} chunks ...")
        np.save(cached, parts.embedder.embed_documents([each.embedded_text for _, each in found]))
    return found, np.load(cached)


def _grow(seeds: Sequence[tuple[str, Chunk]], vectors: FloatMatrix) -> Iterator[Grown]:
    """The seeds, then altered copies without end."""
    random = np.random.default_rng(0)
    # Frequent words as often as they occur.
    vocabulary = np.array(" ".join(chunk.text for _, chunk in seeds).split())
    noise = _JITTER / vectors.shape[1] ** 0.5
    for number in range(2**40):
        row = number % len(seeds)
        (title, chunk), vector = seeds[row], vectors[row]
        text, context = chunk.text, chunk.context
        if number >= len(seeds):
            words = np.array(text.split(), dtype=vocabulary.dtype)
            replaced = random.random(len(words)) < _REPLACED_WORDS
            words[replaced] = random.choice(vocabulary, int(replaced.sum()))
            text = f"{' '.join(words)} {number}"
            title = context = f"{title} {random.choice(vocabulary)}" if title else ""
            vector = vector + random.normal(scale=noise, size=vector.shape)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        altered = replace(chunk, text=text, start=0, end=len(text), context=context)
        yield Grown(number, title, altered, vector, random.bytes(_SIGNATURE_BYTES))


def _write_all(folder: Path, parts: Parts, grown: Iterator[Grown]) -> None:
    """Write the rows, and the wish that the indexes be built from them."""
    store = open_store(folder)
    settle_stamp(store, parts.stamp)
    while batch := list(islice(grown, _DOCUMENTS_A_TRANSACTION)):
        _write(store, batch, parts.embedder.model_id)
    with store.writing() as connection:
        append_rebuild(connection)
    store.close()


def _write(store: Store, batch: Sequence[Grown], model_id: str) -> None:
    """What `put_document`, `put_signature`, `replace_chunks` and `name_chunks` write for each."""
    rows: dict[Table, list[dict[str, object]]] = {}
    names, hashes = [], []
    for each in batch:
        document, place, chunk = _rows(each)
        for table, row in ((documents, document), (document_uris, place), (chunk_rows, chunk)):
            rows.setdefault(table, []).append(row)
        signature = {"document_id": document["id"], "signature": each.signature}
        rows.setdefault(signatures, []).append(signature)
        titled, mentioned = title_names(each.title), names_in(each.chunk.text)
        names.append(
            NamedChunk(chunk_id=str(chunk["id"]), titled=titled, mentioned=mentioned - titled)
        )
        hashes.append(str(chunk["text_hash"]))
    vectors = np.stack([each.vector for each in batch])
    with store.writing() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)
        put_names(connection, names, tenant=_TENANT)
        put_embeddings(connection, model_id=model_id, text_hashes=hashes, vectors=vectors)


def _rows(grown: Grown) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """The rows of a document, of its URI and of its chunk."""
    number, chunk, now = grown.number, grown.chunk, utc_now()
    uri = f"bench:{number}"
    document_id = document_id_of(tenant=_TENANT, uri=uri)
    metadata = {
        "half": number % 2,
        "hundredth": number % 100,
        "ten_thousandth": number % 10_000,
    }
    document = {
        "id": document_id,
        "tenant": _TENANT,
        "uri": uri,
        "title": grown.title,
        "text": chunk.text,
        "text_format": "plain",
        "pages": [],
        "language": "en",
        "media_type": "text/plain",
        "metadata": metadata,
        "acl": sorted(RESTRICTED if number % 4 == 0 else PUBLIC),
        "content_key": "",
        "created_at": now,
        "updated_at": now,
    }
    place = {
        "id": document_id,
        "document_id": document_id,
        "uri": uri,
        "metadata": metadata,
        "content_hash": "",
    }
    row = {
        "id": chunk_ids_of(document_id, [chunk])[0],
        "document_id": document_id,
        "position": 0,
        "start": chunk.start,
        "end": chunk.end,
        "page": None,
        "tokens": chunk.tokens,
        "heading_path": [],
        "context": chunk.context,
        "text": chunk.text,
        "text_hash": text_hash_of(chunk.embedded_text),
    }
    return document, place, row
