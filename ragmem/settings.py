"""Every setting, with its default: from code, from RAGMEM_* variables or from a TOML file.

Only `ragmem.parts` and `ragmem.opening` read settings; the rooms take plain arguments.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from ragmem.errors import UsageError
from ragmem.models.registry import DEFAULT_CHAT, DEFAULT_EMBEDDING
from ragmem.retrieval.fusion import FusionMethod

_PREFIX = "RAGMEM_"
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
        reranker: `features`, `none`, or a cross-encoder for sentence-transformers.
        threads: threads of each model's engine; 0 chooses by the machine.
        chunk_tokens: the most tokens of a chunk with its context, in the embedder's tokens; 0 is
            what the embedder reads, at most 254.
        overlap_tokens: how much of a chunk's end is repeated in the next, at most a quarter of it.
        max_file_bytes: larger files are skipped, unread.
        candidates: chunks that each index proposes.
        fusion: how dense and lexical rankings become one.
        dense_weight: the dense share where dense and lexical list are fused.
        least_sufficiency: below this score of the best evidence the documents do not answer;
            calibrated for the default embedding model, so set it with another one.
        rerank_candidates: how many fused chunks the reranker reads.
        collapse_near_duplicates: leave out hits that only repeat a better one of a document that
            is nearly the same.
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
    threads: int = Field(default=0, ge=0)
    chunk_tokens: int = Field(default=0, ge=0)
    overlap_tokens: int = Field(default=32, ge=0)
    max_file_bytes: int = Field(default=100 * 2**20, ge=1)
    candidates: int = Field(default=100, ge=1)
    fusion: FusionMethod = "min_max_convex"
    dense_weight: float = Field(default=0.6, ge=0.0, le=1.0)
    least_sufficiency: float = 0.67
    rerank_candidates: int = Field(default=20, ge=1)
    collapse_near_duplicates: bool = True
    max_characters: int = Field(default=10_000_000, ge=1)
    parse_workers: int = Field(default=2, ge=1)
    parse_timeout_seconds: float = Field(default=60.0, gt=0)
    parse_memory_bytes: int = Field(default=2**30, ge=2**26)


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
    if problem["type"] == "extra_forbidden":
        return f"{name} is no setting; known are {', '.join(sorted(Settings.model_fields))}"
    return f"{name} is {problem['input']!r}: {problem['msg']}"
