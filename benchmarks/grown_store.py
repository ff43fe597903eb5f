"""Makes a store of any size without embedding every chunk: real chunks, then altered copies.

A copy has its vector jittered, and part of its words replaced by words drawn from the whole text,
so that both indexes meet as many different vectors and as long postings as a real store of that
size would give them. Everything goes through the store's tables, and the indexes are built from
them as `ragmem reindex` does it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from figures import tell

from ragmem import Settings
from ragmem.app import Parts
from ragmem.store.chunks import replace_chunks, text_hash_of
from ragmem.store.document_uris import document_id_of
from ragmem.store.documents import put_document
from ragmem.store.embeddings import put_embeddings
from ragmem.store.index_id import claim_indexes
from ragmem.store.index_ops import append_rebuild
from ragmem.store.store import Store, open_store, settle_stamp
from ragmem.types import PUBLIC, Chunk, Document, FloatMatrix, FloatVector, ParsedDocument

RESTRICTED = frozenset({"group:staff"})
"""The access list of every fourth document."""

_FORMAT = 3
_REPLACED_WORDS = 0.3
_JITTER = 0.6  # the length of what is added to a vector of length one
_DOCUMENTS_A_TRANSACTION = 1000
_TOLD_EVERY = 25 * 2048  # the indexer tells of batches of 2,048


@dataclass(frozen=True, slots=True)
class Grown:
    """One document of one chunk, with its vector."""

    document: Document
    chunk: Chunk
    vector: FloatVector


def grown_store(texts: Sequence[str], *, chunks: int, cache: Path) -> Path:
    """The folder of a store of so many chunks, one a document; built where it is not there yet.

    Document n has the metadata `half` (n % 2), `hundredth` (n % 100) and `ten_thousandth`. What a
    build that was cut off has written is used again; a million chunks take hours.
    """
    key = hashlib.sha256(json.dumps([_FORMAT, *texts]).encode()).hexdigest()[:12]
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


def _seeds(parts: Parts, texts: Sequence[str], cached: Path) -> tuple[list[str], FloatMatrix]:
    """The chunks of the texts and their vectors."""
    found = [
        chunk.text
        for text in texts
        for chunk in parts.chunker.chunk(ParsedDocument(text=text, text_format="plain"))
    ]
    if not cached.exists():
        tell(f"embedding {len(found):,} chunks ...")
        np.save(cached, parts.embedder.embed_documents(found))
    return found, np.load(cached)


def _grow(seeds: Sequence[str], vectors: FloatMatrix) -> Iterator[Grown]:
    """The seeds, then altered copies without end."""
    random = np.random.default_rng(0)
    vocabulary = np.array(" ".join(seeds).split())  # frequent words as often as they occur
    noise = _JITTER / vectors.shape[1] ** 0.5
    for number in range(2**40):
        row = number % len(seeds)
        text, vector = seeds[row], vectors[row]
        if number >= len(seeds):
            words = np.array(text.split(), dtype=vocabulary.dtype)
            replaced = random.random(len(words)) < _REPLACED_WORDS
            words[replaced] = random.choice(vocabulary, int(replaced.sum()))
            text = f"{' '.join(words)} {number}"
            vector = vector + random.normal(scale=noise, size=vector.shape)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        yield Grown(_document(number, text), Chunk(start=0, end=len(text), text=text), vector)


def _document(number: int, text: str) -> Document:
    uri = f"bench:{number}"
    return Document(
        id=document_id_of(tenant="default", uri=uri),
        uri=uri,
        text=text,
        text_format="plain",
        title="",
        pages=(),
        language="en",
        media_type="text/plain",
        metadata={
            "half": number % 2,
            "hundredth": number % 100,
            "ten_thousandth": number % 10_000,
        },
        tenant="default",
        acl=RESTRICTED if number % 4 == 0 else PUBLIC,
    )


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
    with store.writing() as connection:
        put_embeddings(
            connection,
            model_id=model_id,
            text_hashes=[text_hash_of(each.chunk.embedded_text) for each in batch],
            vectors=np.stack([each.vector for each in batch]),
        )
        for each in batch:
            put_document(connection, each.document, content_hash="")
            replace_chunks(connection, each.document.id, [each.chunk])
