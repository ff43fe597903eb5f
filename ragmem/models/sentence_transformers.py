"""Any sentence-transformers model as an embedder, any cross-encoder as a reranker, through torch.

The default embedder does not come through here (`onnx_embedder.py`). Models are loaded when they
are first needed, from a folder or from what the Hugging Face cache holds.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ragmem.errors import ModelError, ModelUnavailable
from ragmem.models.token_offsets import offsets_within
from ragmem.types import FloatMatrix, FloatVector, Hit, TokenVectors

_BATCH_TEXTS = 32
_COUNTED_AT_ONCE = 1024  # encodings are large: those of a long document are not all kept
_WITHOUT_SCORES = ("Model", "ForMaskedLM", "ForPreTraining")
"""How transformers' names of architectures end that give no score for a text."""


class SentenceTransformersEmbedder:
    """Embeds with a sentence-transformers model on any device torch knows; thread-safe."""

    def __init__(
        self, name_or_folder: str | Path, *, device: str | None = None, download: bool = False
    ) -> None:
        """Name the model; it is loaded when it is first needed.

        Args:
            name_or_folder: a model of the Hugging Face hub, or a folder.
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
        """Name, digest of the weights, and length."""
        with self._lock:
            model = self._model()
            if not self._digest:
                self._digest = weights_digest(model)
            name = self._name.rstrip("/").rpartition("/")[2]
            return f"{name}@{self._digest[:12]}:torch:{model.max_seq_length}"

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return int(self._model().get_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, special tokens left out."""
        model = self._model()
        return int(model.max_seq_length) - int(model.tokenizer.num_special_tokens_to_add())

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens left out, nothing cut."""
        counts: list[int] = []
        for at in range(0, len(texts), _COUNTED_AT_ONCE):
            batch = list(texts[at : at + _COUNTED_AT_ONCE])
            with self._lock:
                encoded = self._model().tokenizer(
                    batch, add_special_tokens=False, truncation=False, verbose=False
                )
            counts += [len(ids) for ids in encoded["input_ids"]]
        return counts

    def embed_documents(self, texts: Sequence[str]) -> FloatMatrix:
        """Embed texts to be found; shape (len(texts), dimensions), rows of length one."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        with self._lock:
            vectors = self._model().encode_document(
                list(texts),
                batch_size=_BATCH_TEXTS,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)

    def embed_query(self, text: str) -> FloatVector:
        """Embed a question; shape (dimensions,), length one."""
        with self._lock:
            vector = self._model().encode_query(
                text, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vector, dtype=np.float32)

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Embed every token of each text, special tokens and the document prompt left out.

        The model reads the text as `embed_documents` does, special tokens and prompt included, and
        its mean pooling counts them: the mean of these rows is near that vector but not it.

        Raises:
            ModelError: the model's tokenizer does not tell where its tokens stand.
        """
        found: list[TokenVectors] = []
        with self._lock:
            model = self._model()
            prompt = _document_prompt(model)
            for at in range(0, len(texts), _BATCH_TEXTS):
                batch = list(texts[at : at + _BATCH_TEXTS])
                read = model.encode_document(
                    batch,
                    prompt=prompt,
                    output_value=None,
                    batch_size=_BATCH_TEXTS,
                    show_progress_bar=False,
                )
                encodings = self._encodings([f"{prompt}{text}" for text in batch])
                for text, features, encoding in zip(batch, read, encodings, strict=True):
                    rows = features["token_embeddings"][features["attention_mask"].bool()]
                    matrix = np.asarray(rows.cpu().float(), dtype=np.float32)
                    if len(matrix) != len(encoding):
                        raise ModelError(f"{self._name} gives no vector for each token")
                    own = np.array(encoding.special_tokens_mask) == 0
                    spans = [span for span, kept in zip(encoding.offsets, own, strict=True) if kept]
                    kept, offsets = offsets_within(spans, before=len(prompt), length=len(text))
                    found.append(TokenVectors(vectors=matrix[own][kept], offsets=offsets))
        return found

    def _encodings(self, texts: Sequence[str]) -> Sequence[Any]:
        """The texts as the model reads them, cut at its length, without padding."""
        model = self._model()
        encoded = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
        if encoded.encodings is None:
            raise ModelError(
                f"the tokenizer of {self._name} does not tell where its tokens stand in a text"
            )
        encodings: Sequence[Any] = encoded.encodings
        return encodings

    def _model(self) -> Any:
        with self._lock:
            if self._loaded is None:
                import sentence_transformers

                with loading(self._name):
                    self._loaded = sentence_transformers.SentenceTransformer(
                        self._name, device=self._device, local_files_only=not self._download
                    )
            return self._loaded


class CrossEncoderReranker:
    """Scores question and passage together with a cross-encoder; thread-safe.

    Nogueira and Cho 2019, "Passage Re-ranking with BERT".
    """

    def __init__(
        self, name_or_folder: str | Path, *, device: str | None = None, download: bool = False
    ) -> None:
        """Name the model; it is loaded when it is first needed.

        Args:
            name_or_folder: a cross-encoder of the Hugging Face hub, or a folder.
            device: such as `cuda` or `cpu`; by default what torch finds best.
            download: whether the hub may be asked for a model that is not on this machine.
        """
        self._name = str(name_or_folder)
        self._device = device
        self._download = download
        self._lock = threading.RLock()
        self._loaded: Any = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """The model's score for each hit, in the order given; higher is better.

        Raises:
            ModelError: the model gives more than one score a pair, or none.
            ModelUnavailable: the model is not on this machine.
        """
        if not hits:
            return []
        pairs = [(question, hit.text_in_context) for hit in hits]
        with self._lock:
            scores = self._model().predict(pairs, batch_size=_BATCH_TEXTS, show_progress_bar=False)
        return [float(score) for score in scores]

    def _model(self) -> Any:
        with self._lock:
            if self._loaded is None:
                import sentence_transformers

                with loading(self._name):
                    model = sentence_transformers.CrossEncoder(
                        self._name, device=self._device, local_files_only=not self._download
                    )
                if model.num_labels != 1:
                    raise ModelError(
                        f"{self._name} gives {model.num_labels} scores a pair; a reranker gives one"
                    )
                architecture = (model.config.architectures or [""])[0]
                if architecture.endswith(_WITHOUT_SCORES):
                    # It would be given a layer for scores at random.
                    raise ModelError(f"{self._name} is no cross-encoder but a {architecture}")
                self._loaded = model
            return self._loaded


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Without progress bars and reports on the terminal, with ragmem's own errors."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    # Weights that do not fit the configuration are a RuntimeError.
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if Path(name).exists():
            raise ModelError(f"{name} cannot be loaded: {error}") from error
        if Path(name).is_absolute() or name.startswith("."):
            raise ModelUnavailable(f"there is no folder {name}") from error
        raise ModelUnavailable(
            f"{name} is not on this machine: run `hf download {name}` where the hub can be "
            "reached, or give a folder that holds the model"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _document_prompt(model: Any) -> str:
    """What `encode_document` puts before a text."""
    for name in ("document", "passage", "corpus"):
        if name in model.prompts:
            return str(model.prompts[name])
    return str(model.prompts.get(model.default_prompt_name, ""))


def weights_digest(model: Any) -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        # Not used for sentence vectors, and filled at random where a checkpoint leaves it out.
        if ".pooler." in name:
            continue
        digest.update(name.encode())
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()
