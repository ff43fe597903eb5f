"""The default embedder: a sentence-transformers model in ONNX Runtime, without torch.

Making the graph is `onnx_export.py`'s business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ragmem.errors import ModelError
from ragmem.models.bert_graph import ATTENTION_MASK, EMBEDDING, INPUT_IDS, TOKENS
from ragmem.models.cores import default_threads
from ragmem.models.onnx_export import export
from ragmem.models.token_offsets import offsets_within
from ragmem.types import FloatMatrix, FloatVector, TokenVectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FloatArray = npt.NDArray[np.float32]

# Texts a second and core with MiniLM and 94 tokens a text: 82 with batches of 512 padded tokens,
# 78 with 1,024 and 62 with 4,096; small batches stay in the core's own cache.
_BATCH_TOKENS = 512
_COUNTED_AT_ONCE = 1024  # encodings are large: those of a long document are not all kept


class OnnxEmbedder:
    """Embeds with ONNX Runtime on the CPU; thread-safe.

    Batches run side by side, each on one thread: no thread waits for another inside a batch, so a
    busy machine slows this down only by what it takes away.
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Point at a model; it is opened when it is first needed.

        Args:
            folder: a sentence-transformers model; converted now if that has not been done.
            threads: how many batches run side by side; by default one a core, at most 8.

        Raises:
            ModelError: the model cannot be converted.
        """
        self._exported = export(folder)
        self._name = folder.resolve().name
        self._threads = threads if threads is not None else default_threads()
        self._lock = threading.Lock()
        self._opened: tuple[Tokenizer, list[int], list[int]] | None = None
        self._session: Any = None

    @property
    def model_id(self) -> str:
        """Name, digest of weights and tokenizer, pooling and length."""
        model = self._exported.model
        digest = self._exported.digest[:12]
        return f"{self._name}@{digest}:{model.pooling}:{model.max_length}"

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return self._exported.model.dimensions

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read, special tokens left out."""
        _, prefix, suffix = self._tokenizer()
        return self._exported.model.max_length - len(prefix) - len(suffix)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens left out, nothing cut."""
        tokenizer, _, _ = self._tokenizer()
        return [
            len(encoding)
            for at in range(0, len(texts), _COUNTED_AT_ONCE)
            for encoding in tokenizer.encode_batch_fast(
                list(texts[at : at + _COUNTED_AT_ONCE]), add_special_tokens=False
            )
        ]

    def embed_documents(self, texts: Sequence[str]) -> FloatMatrix:
        """Embed texts to be found; shape (len(texts), dimensions), rows of length one."""
        prompt = self._exported.model.document_prompt
        return self._embed([f"{prompt}{text}" for text in texts])

    def embed_query(self, text: str) -> FloatVector:
        """Embed a question; shape (dimensions,), length one."""
        vector: FloatVector = self._embed([f"{self._exported.model.query_prompt}{text}"])[0]
        return vector

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Embed every token of each text, special tokens and the document prompt left out.

        The model reads the text as `embed_documents` does, special tokens and prompt included, and
        its mean pooling counts them: the mean of these rows is near that vector but not it.
        """
        tokenizer, prefix, suffix = self._tokenizer()
        prompt = self._exported.model.document_prompt
        whole = [f"{prompt}{text}" for text in texts]
        encodings = tokenizer.encode_batch(
            [text.strip() for text in whole], add_special_tokens=False
        )
        limit = self.max_tokens
        tokens = [[*prefix, *encoding.ids[:limit], *suffix] for encoding in encodings]
        found: dict[int, TokenVectors] = {}

        def keep(rows: list[int], vectors: FloatArray) -> None:
            for row, matrix in zip(rows, vectors, strict=True):
                # Offsets are those in the stripped text, with the prompt before it.
                before = len(prompt) - (len(whole[row]) - len(whole[row].lstrip()))
                spans = encodings[row].offsets[:limit]
                kept, offsets = offsets_within(spans, before=before, length=len(texts[row]))
                own = matrix[len(prefix) : len(prefix) + len(spans)]
                found[row] = TokenVectors(vectors=own[kept], offsets=offsets)

        self._run(TOKENS, tokens, keep)
        return [found[row] for row in range(len(texts))]

    def _embed(self, texts: Sequence[str]) -> FloatMatrix:
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)

        def keep(rows: list[int], found: FloatArray) -> None:
            vectors[rows] = found

        self._run(EMBEDDING, self._tokenize(texts), keep)
        return vectors

    def _run(
        self,
        output: str,
        tokens: Sequence[Sequence[int]],
        keep: Callable[[list[int], FloatArray], None],
    ) -> None:
        """Compute one output of the graph, batch by batch, and hand it over with its rows."""
        batches = list(_batches(tokens))
        session = self._open_session()

        def run(rows: list[int]) -> None:
            keep(rows, session.run([output], _inputs([tokens[row] for row in rows]))[0])

        if len(batches) < 2 or self._threads == 1:
            for rows in batches:
                run(rows)
        else:
            with ThreadPoolExecutor(min(self._threads, len(batches))) as pool:
                list(pool.map(run, batches))

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        tokenizer, prefix, suffix = self._tokenizer()
        stripped = [text.strip() for text in texts]
        encodings = tokenizer.encode_batch_fast(stripped, add_special_tokens=False)
        limit = self.max_tokens
        return [[*prefix, *encoding.ids[:limit], *suffix] for encoding in encodings]

    def _tokenizer(self) -> tuple[Tokenizer, list[int], list[int]]:
        """The tokenizer, and the special tokens it puts before and after a text."""
        with self._lock:
            if self._opened is None:
                from tokenizers import Tokenizer

                tokenizer = Tokenizer.from_file(str(self._exported.tokenizer))
                tokenizer.no_padding()
                tokenizer.no_truncation()
                mask = tokenizer.encode("a").special_tokens_mask
                ids = tokenizer.encode("a").ids
                first = mask.index(0)
                last = len(mask) - mask[::-1].index(0)
                self._opened = (tokenizer, ids[:first], ids[last:])
            return self._opened

    def _open_session(self) -> Any:
        with self._lock:
            if self._session is None:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                # The graph is written fused; looking for more only costs time at each start.
                level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
                options.graph_optimization_level = level
                options.log_severity_level = 3
                graph = self._exported.graph
                try:
                    self._session = onnxruntime.InferenceSession(
                        str(graph), options, providers=["CPUExecutionProvider"]
                    )
                except Exception as error:  # onnxruntime's errors share no base
                    raise ModelError(
                        f"{graph} is damaged, delete its folder and it is made again: {error}"
                    ) from error
            return self._session


def _batches(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Rows of similar length together, longest first so that the last batches are short."""
    order = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * len(tokens[batch[0]]) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _inputs(tokens: Sequence[Sequence[int]]) -> dict[str, np.ndarray[Any, np.dtype[np.int32]]]:
    shape = (len(tokens), max(len(row) for row in tokens))
    ids = np.zeros(shape, dtype=np.int32)
    mask = np.zeros(shape, dtype=np.int32)
    for row, values in enumerate(tokens):
        ids[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return {INPUT_IDS: ids, ATTENTION_MASK: mask}
