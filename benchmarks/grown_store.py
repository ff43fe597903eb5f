"""Makes a store of any size without embedding every chunk: real chunks, then altered copies.

A copy has its vector jittered, and part of its words replaced by words drawn from the whole text,
so that both indexes meet as many different vectors and as long postings as a real store of that
size would give them. Everything goes through the store's tables and the indexer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from figures import tell

from ragmem import Agent, Settings
from ragmem.app import Parts
from ragmem.store.chunks import replace_chunks, text_hash_of
from ragmem.store.documents import all_document_ids, document_id_of, put_document
from ragmem.store.documents import read_documents_by_id as read_documents
from ragmem.store.embeddings import put_embeddings, read_embeddings
from ragmem.store.index_ops import append_op
from ragmem.store.store import Store, open_store, settle_stamp
from ragmem.types import Chunk, Document, FloatMatrix, Metadata, TextDocument

_FORMAT = 1
_REPLACED_WORDS = 0.3
_JITTER = 0.6
_DOCUMENTS_A_TRANSACTION = 1000
RESTRICTED = frozenset({"group:staff"})
"""The access list of every fourth document."""


def grown_store(texts: Sequence[TextDocument], *, chunks: int, cache: Path) -> Path:
    """The folder of a store of so many chunks, one a document; built where it is not there yet."""
    key = text_hash_of(json.dumps([text.text for text in texts]))[:12]
    folder = cache / f"{key}-{chunks}"
    done = folder / "grown.json"
    if done.exists() and json.loads(done.read_text())["format"] == _FORMAT:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    seeds, vectors = _seeds(texts, cache / f"{key}-seeds")
    tell(f"growing {len(seeds):,} embedded chunks to {chunks:,} ...")
    parts = Parts(folder, Settings())
    store = open_store(folder)
    settle_stamp(store, parts.stamp)
    grown = _grow(seeds, vectors, chunks)
    while batch := list(islice(grown, _DOCUMENTS_A_TRANSACTION)):
        _write(store, batch, parts.embedder.model_id)
    tell("indexing ...")
    parts.indexer(store).apply_pending()
    parts.close()
    store.close()
    done.write_text(json.dumps({"format": _FORMAT}))
    return folder


def _seeds(texts: Sequence[TextDocument], folder: Path) -> tuple[list[str], FloatMatrix]:
    """Each document's first chunk and its vector, from a store that ragmem ingested."""
    tell(f"embedding {len(texts):,} texts, unless that has been done ...")
    with Agent.open(folder) as agent:
        agent.knowledge.add_texts(texts)
    parts = Parts(folder, Settings())
    store = open_store(folder, read_only=True)
    found: list[str] = []
    rows = []
    with store.reading() as connection:
        for document in read_documents(connection, all_document_ids(connection)):
            chunk = parts.chunker.chunk(_parsed(document))[0]
            key = text_hash_of(chunk.embedded_text)
            vector = read_embeddings(
                connection, model_id=parts.embedder.model_id, text_hashes=[key]
            )
            found.append(chunk.text)
            rows.append(vector[key])
    store.close()
    return found, np.stack(rows)
