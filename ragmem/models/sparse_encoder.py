"""Learned sparse models of sentence-transformers, such as SPLADE, through torch.

The index that finds with what they give is `ragmem.indexes.sparse`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ragmem.errors import ModelError
from ragmem.models.sentence_transformers import loading, weights_digest
from ragmem.types import TermWeights

_BATCH_TEXTS = 8  # a batch's scores over the whole vocabulary are dense: 30 MB a text of 256 tokens


class SentenceTransformersSparseEncoder:
    """Weighs the terms of a model's vocabulary; thread-safe.

    Formal, Piwowarski and Clinchant, "SPLADE: Sparse Lexical and Expansion Model for First Stage
    Ranking" (SIGIR 2021).
    """

    def __init__(
        self, name_or_folder: str | Path, *, device: str | None = None, download: bool = False
    ) -> None:
        """Name the model; it is loaded when it is first needed.

        Args:
            name_or_folder: a sparse encoder of the Hugging Face hub, or a folder.
            device: such as `cuda` or `cpu`; by default what torch finds best.
            download: whether the hub may be asked for a model that is not on this machine.
        """
        self._name = str(name_or_folder)
        self._device = device
        self._download = download
        # One call at a time: a tokenizer holds its truncation as state.
        self._lock = threading.RLock()
        self._loaded: Any = None
        self._digest = ""

    @property
    def model_id(self) -> str:
        """Name and digest of the weights, and length.

        Raises:
            ModelError: the model is no sparse encoder.
            ModelUnavailable: the model is not on this machine.
        """
        with self._lock:
            model = self._model()
            if not self._digest:
                self._digest = weights_digest(model)
            name = self._name.rstrip("/").rpartition("/")[2]
            return f"{name}@{self._digest[:12]}:{model.max_seq_length}"

    def encode_documents(self, texts: Sequence[str]) -> list[TermWeights]:
        """Encode texts to be found; one result a text.

        Raises:
            ModelUnavailable: the model is not on this machine.
        """
        with self._lock:
            return self._encoded(self._model().encode_document, texts)

    def encode_query(self, text: str) -> TermWeights:
        """Encode a question.

        Raises:
            ModelUnavailable: the model is not on this machine.
        """
        with self._lock:
            return self._encoded(self._model().encode_query, [text])[0]

    def _encoded(self, encode: Any, texts: Sequence[str]) -> list[TermWeights]:
        if not texts:
            return []
        rows = encode(
            list(texts),
            batch_size=_BATCH_TEXTS,
            show_progress_bar=False,
            convert_to_tensor=False,
            save_to_cpu=True,
        )
        return [_term_weights(row.coalesce()) for row in rows]

    def _model(self) -> Any:
        with self._lock:
            if self._loaded is None:
                import sentence_transformers

                with loading(self._name):
                    model = sentence_transformers.SparseEncoder(
                        self._name, device=self._device, local_files_only=not self._download
                    )
                    if not _trained(model, self._name):
                        raise ModelError(f"{self._name} is no sparse encoder")
                self._loaded = model
            return self._loaded


def _trained(model: Any, name: str) -> bool:
    """Whether the weights that make it sparse were there; of other models they are made up."""
    from transformers.utils import cached_file

    if type(model[-1]).__name__ == "SpladePooling":  # it has no weights of its own
        return True
    path = cached_file(
        name,
        "config_sentence_transformers.json",
        local_files_only=True,
        _raise_exceptions_for_missing_entries=False,
    )
    if path is None:
        return False
    saved: object = json.loads(Path(path).read_text(encoding="utf-8"))
    return isinstance(saved, dict) and saved.get("model_type") == "SparseEncoder"


def _term_weights(row: Any) -> TermWeights:
    """A coalesced sparse tensor, whose terms ascend, without what says nothing."""
    terms = np.asarray(row.indices()[0], dtype=np.uint32)
    weights = np.asarray(row.values(), dtype=np.float32)
    kept = weights > 0
    return TermWeights(terms=terms[kept], weights=weights[kept])
