"""The default chat model: a GGUF file run by llama.cpp inside this process.

Starting and talking to the engine is `llama_engine.py`'s business.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ragmem.errors import GenerationError, UsageError
from ragmem.models.cores import default_threads
from ragmem.models.gguf import read_header
from ragmem.models.llama_engine import LlamaEngine
from ragmem.types import Completion, Message

_CHAT = "/v1/chat/completions"
# Below this size a token is generated sooner by one thread than by several that wait for each
# other: measured 96 against 109 tokens/s on two idle cores, 81 against 38 with one core taken.
_ONE_THREAD_BYTES = 256 << 20
_SAMPLED_BYTES = 1 << 20


class LlamaCppChat:
    """A chat model in a GGUF file; thread-safe, started when it is first asked something."""

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int = 4096,
        threads: int | None = None,
        parallel: int = 2,
    ) -> None:
        """Check the file's header; nothing is loaded yet.

        Args:
            path: a GGUF file.
            context_tokens: the most tokens of prompt and reply together; at most what the model
                was trained with.
            threads: for reading prompts and generating; by default chosen by cores and file size.
            parallel: how many calls are served side by side, each with the whole context.

        Raises:
            ModelError: not a GGUF file, or a damaged one.
        """
        header = read_header(path)
        size = path.stat().st_size
        cores = default_threads()
        self._path = path
        self._model_id = f"{path.stem}@{_fingerprint(path, size)}"
        self._context_tokens = min(context_tokens, header.context_tokens)
        self._parallel = parallel
        self._prompt_threads = threads or cores
        self._generation_threads = threads or (1 if size < _ONE_THREAD_BYTES else cores)
        texts = sorted(filter(None, header.control_tokens), key=len, reverse=True)
        self._control_tokens = re.compile("|".join(map(re.escape, texts)) or r"(?!)")
        self._lock = threading.Lock()
        self._engine: LlamaEngine | None = None
        self._closed = False

    @property
    def model_id(self) -> str:
        """The file's name and a digest of its size, first and last megabyte."""
        return self._model_id

    @property
    def context_tokens(self) -> int:
        """The most tokens a prompt and its completion may have together."""
        return self._context_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text by the model's own tokenizer; starts the engine."""
        bodies = [{"content": text, "parse_special": False} for text in texts]
        answers = self._started().ask_each("/tokenize", bodies)
        return [len(answer["tokens"]) for answer in answers]

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        json_schema: Mapping[str, object] | None = None,
    ) -> Completion:
        """Generate a reply; see `ragmem.ports.ChatModel.chat`."""
        body = self._request(messages, max_tokens, temperature, seed)
        if json_schema is not None:
            kind = {"type": "json_schema", "json_schema": {"schema": json_schema}}
            body["response_format"] = kind
        # Streamed although all of it is wanted: only so the engine stops when the caller goes away.
        body["stream_options"] = {"include_usage": True}
        completion = _completion(self._started().stream(_CHAT, body))
        if json_schema is not None:
            _check_json(completion, max_tokens)
        return completion

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """Generate a reply piece by piece; see `ragmem.ports.ChatModel.stream`."""
        body = self._request(messages, max_tokens, temperature, seed)
        return _pieces(self._started().stream(_CHAT, body))

    def close(self) -> None:
        """Stop the engine's threads and free its memory; the model cannot be asked any more."""
        with self._lock:
            self._closed = True
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    def _started(self) -> LlamaEngine:
        with self._lock:
            if self._closed:
                raise GenerationError(f"{self._model_id} was closed")
            if self._engine is None:
                self._engine = LlamaEngine(
                    self._path,
                    context_tokens=self._context_tokens,
                    parallel=self._parallel,
                    prompt_threads=self._prompt_threads,
                    generation_threads=self._generation_threads,
                )
            return self._engine

    def _request(
        self, messages: Sequence[Message], max_tokens: int, temperature: float, seed: int
    ) -> dict[str, Any]:
        """What is sent, once it is known to fit the context."""
        if not messages or max_tokens < 1:
            raise UsageError(f"{len(messages)} messages and max_tokens {max_tokens}: both need 1")
        conversation = [
            {"role": message.role, "content": self._disarm(message.content)} for message in messages
        ]
        counted = self._started().ask(f"{_CHAT}/input_tokens", {"messages": conversation})
        prompt_tokens = counted["input_tokens"]
        if prompt_tokens + max_tokens > self._context_tokens:
            raise GenerationError(
                f"the prompt has {prompt_tokens:,} tokens; with {max_tokens:,} for the reply that "
                f"is more than the context of {self._context_tokens:,}"
            )
        return {
            "messages": conversation,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "cache_prompt": True,
        }

    def _disarm(self, text: str) -> str:
        """Break up what the tokenizer would read as a command, such as the end of a turn.

        Retrieved text holds whatever its author wrote; no message may end itself and begin one
        in another role.
        """
        return self._control_tokens.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def _completion(events: Iterator[Mapping[str, Any]]) -> Completion:
    pieces: list[str] = []
    reason: Literal["stop", "length"] | None = None
    prompt_tokens = completion_tokens = 0
    for event in events:
        for choice in event["choices"]:
            pieces.append(choice["delta"].get("content") or "")
            if ending := choice.get("finish_reason"):
                reason = "length" if ending == "length" else "stop"
        if usage := event.get("usage"):
            prompt_tokens = usage["prompt_tokens"]
            completion_tokens = usage["completion_tokens"]
    if reason is None:
        raise GenerationError("llama.cpp ended the reply before it was complete")
    return Completion(
        text="".join(pieces),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        finish_reason=reason,
    )


def _check_json(completion: Completion, max_tokens: int) -> None:
    if completion.finish_reason == "length":
        raise GenerationError(
            f"the JSON reply was cut off after {max_tokens:,} tokens; allow more, or bound the "
            "schema's texts and lists"
        )
    try:
        json.loads(completion.text)
    except ValueError as error:
        raise GenerationError(f"the reply is not JSON: {completion.text[:80]!r}") from error


def _pieces(events: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    for event in events:
        for choice in event["choices"]:
            if piece := choice["delta"].get("content"):
                yield piece


def _fingerprint(path: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        digest.update(stream.read(_SAMPLED_BYTES))
        stream.seek(max(0, size - _SAMPLED_BYTES))
        digest.update(stream.read(_SAMPLED_BYTES))
    return digest.hexdigest()[:12]
