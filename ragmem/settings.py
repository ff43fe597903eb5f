"""Every setting, with its default: from code, from RAGMEM_* variables or from a TOML file.

Only `ragmem.parts` and `ragmem.opening` read settings; the rooms take plain arguments.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ragmem.chunking.choosing import Chunking
from ragmem.errors import UsageError
from ragmem.models.registry import DEFAULT_CHAT, DEFAULT_EMBEDDING
from ragmem.retrieval.fusion import FusionMethod
from ragmem.retrieval.understanding import DATE_FIELDS, DATE_LANGUAGES, Technique

_PREFIX = "RAGMEM_"
_MOST_WEIGHT = 100.0
_MOST_CANDIDATES = 10_000
_MOST_CHARACTERS = 2**31
_OTHER_VARIABLES = frozenset({"RAGMEM_STORE", "RAGMEM_REQUIRE_MODELS"})
"""Read elsewhere: the commands' default store; whether tests may skip what needs models."""


class Settings(BaseSettings):
    """How a store is built, searched and answered from.

    Unknown keys fail; unknown variables are left alone.

    Attributes:
        database_url: another database than the store's own SQLite file.
        models: the folder that models are cached in; by default the platform's cache folder.
        embedding_model: a registered name or a sentence-transformers folder.
        embedding_engine: `onnx` runs without torch; `sentence-transformers` runs any model.
        chat_model: a registered name or a GGUF file; empty for answers that only quote.
        context_tokens: the chat model's window, prompt and answer together.
        reranker: `features`, `none`, `listwise` (the chat model orders), `late_interaction` (token
            by token, for embedding models tuned for it), or a cross-encoder for
            sentence-transformers.
        sparse_model: a sparse encoder (SPLADE) for sentence-transformers whose index proposes
            candidates too; empty for none. Its index is built when a store is next opened.
        sparse_weight: its say in the fusion, where dense and lexical together have 1.
        late_interaction_weight: of token similarity beside the score so far.
        diversity: 0 is off; above it, hits that repeat better ones move down, the more the nearer
            to 1. It can hurt recall badly.
        listwise_window: passages that the listwise reranker shows the chat model at once.
        listwise_step: how far its window slides; less than the window.
        listwise_passage_tokens: how much of a passage it shows, in the chat model's tokens.
        understanding: what reads a question before it is searched for, in this order; all but
            `spelling` and `dates` ask the chat model, once each.
        date_fields: the metadata that `dates` takes for a document's date, the most telling first;
            ISO dates as text.
        date_languages: ISO 639-1 codes of the languages in which `dates` reads times.
        threads: threads of each model's engine; 0 chooses by the machine.
        chunk_tokens: the most tokens of a chunk with its context, in the embedder's tokens; 0 is
            what the embedder reads, at most 254.
        overlap_tokens: how much of a chunk's end is repeated in the next, at most a quarter of it.
        chunking: `structure` packs what belongs together; `sentences` makes a chunk of each
            sentence, best with `enlarge`; `semantic` cuts where the subject changes.
        semantic_percentile: the share of neighbouring sentences that `semantic` keeps together.
        contextual_headers: embed and index each chunk under its title and headings.
        late_chunking: read whole stretches of a document and pool each chunk's tokens; pays for
            chunks much shorter than what the embedder reads, so `chunk_tokens` 0 is a quarter. Not
            together with `write_context`.
        write_context: have the chat model write a sentence that places each chunk in its document,
            embedded and indexed with it: seconds a chunk, once.
        max_file_bytes: larger files are skipped, unread.
        candidates: chunks that each index proposes.
        fusion: how dense and lexical rankings become one.
        dense_weight: the dense share where dense and lexical list are fused.
        least_sufficiency: below this score of the best evidence the documents do not answer;
            calibrated for the default embedding model, so set it with another one.
        corrective_searches: how often an answer searches again, with other words, where the
            documents do not seem to answer.
        corrective_seconds: when it stops doing so.
        rerank_candidates: how many fused chunks the reranker reads.
        collapse_near_duplicates: leave out hits that only repeat a better one of a document that
            is nearly the same.
        question_sentences: embed a question of several sentences sentence by sentence too.
        graph: walk from the best passages to those they mention, for questions whose answer takes
            two passages.
        graph_weight: the say of that walk, where dense and lexical list together have 1.
        neighbours_weight: the say of candidates that are alike in each other's score, where dense
            and lexical list together have 1; 0 leaves it out.
        feedback_weight: the say of a second search towards the best candidates; as above.
        enlarge: return hits with the `sentences` around them or their `section`.
        enlarge_sentences: how many before and how many after.
        enlarge_characters: the longest that a hit grows.
        max_characters: longer texts are refused: about 5,000 pages by default.
        parse_workers: processes that parse side by side.
        parse_timeout_seconds: a document that takes longer to parse fails.
        parse_memory_bytes: a document that needs more memory to parse fails.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    database_url: str | None = None
    models: Path | None = None
    embedding_model: str = DEFAULT_EMBEDDING
    embedding_engine: Literal["onnx", "sentence-transformers"] = "onnx"
    chat_model: str = DEFAULT_CHAT
    context_tokens: int = Field(default=2048, ge=256)
    reranker: str = "features"
    sparse_model: str = ""
    sparse_weight: float = Field(default=0.5, ge=0.0, le=_MOST_WEIGHT)
    late_interaction_weight: float = Field(default=1.0, ge=0.0, le=_MOST_WEIGHT)
    diversity: float = Field(default=0.0, ge=0.0, le=1.0)
    listwise_window: int = Field(default=10, ge=2)
    listwise_step: int = Field(default=5, ge=1)
    listwise_passage_tokens: int = Field(default=64, ge=1)
    understanding: tuple[Technique, ...] = ()
    date_fields: tuple[str, ...] = DATE_FIELDS
    date_languages: tuple[str, ...] = DATE_LANGUAGES
    threads: int = Field(default=0, ge=0)
    chunk_tokens: int = Field(default=0, ge=0)
    overlap_tokens: int = Field(default=32, ge=0)
    chunking: Chunking = "structure"
    semantic_percentile: float = Field(default=95.0, gt=0.0, lt=100.0)
    contextual_headers: bool = True
    late_chunking: bool = False
    write_context: bool = False
    max_file_bytes: int = Field(default=100 * 2**20, ge=1)
    candidates: int = Field(default=100, ge=1, le=_MOST_CANDIDATES)
    fusion: FusionMethod = "min_max_convex"
    dense_weight: float = Field(default=0.6, ge=0.0, le=1.0)
    least_sufficiency: float = 0.67
    corrective_searches: int = Field(default=0, ge=0)
    corrective_seconds: float = Field(default=5.0, ge=0.0)
    rerank_candidates: int = Field(default=20, ge=1, le=_MOST_CANDIDATES)
    collapse_near_duplicates: bool = True
    question_sentences: bool = True
    graph: bool = True
    graph_weight: float = Field(default=0.7, ge=0.0, le=_MOST_WEIGHT)
    neighbours_weight: float = Field(default=0.35, ge=0.0, le=_MOST_WEIGHT)
    feedback_weight: float = Field(default=0.0, ge=0.0, le=_MOST_WEIGHT)
    enlarge: Literal["none", "sentences", "section"] = "none"
    enlarge_sentences: int = Field(default=3, ge=1, le=100)
    enlarge_characters: int = Field(default=2000, ge=1, le=_MOST_CHARACTERS)
    max_characters: int = Field(default=10_000_000, ge=1, le=_MOST_CHARACTERS)
    parse_workers: int = Field(default=2, ge=1)
    parse_timeout_seconds: float = Field(default=60.0, gt=0)
    parse_memory_bytes: int = Field(default=2**30, ge=2**26)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.late_chunking and self.write_context:
            # Chunks read together stand under the context of the first; no other's would be read.
            raise PydanticCustomError(
                "contradiction",
                "late_chunking and write_context exclude each other: turn one of them off",
            )
        return self


def load_settings(path: Path | None = None) -> Settings:
    """Read settings from a TOML file; RAGMEM_* variables fill in what it leaves open.

    Raises:
        UsageError: the file cannot be read, or a key or a value is wrong.
    """
    _refuse_unknown_variables()
    values: dict[str, object] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"the settings file {path} cannot be read: {error}") from error
    try:
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(_explained(problem) for problem in error.errors())
        where = "RAGMEM_ variables" if path is None else str(path)
        raise UsageError(f"wrong settings in {where}: {problems}") from error


def _refuse_unknown_variables() -> None:
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(_PREFIX) and name.upper() not in known
    )
    if unknown:
        raise UsageError(f"{unknown[0]} is no setting; known are {', '.join(sorted(known))}")


def _explained(problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "contradiction":
        return problem["msg"]
    if problem["type"] == "extra_forbidden":
        return f"{name} is no setting; known are {', '.join(sorted(Settings.model_fields))}"
    return f"{name} is {problem['input']!r}: {problem['msg']}"
