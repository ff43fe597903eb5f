"""A chat model that says what it is told to, for tests and for trying loops without an engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ragmem.errors import GenerationError, UsageError
from ragmem.types import Completion, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedCall:
    """One call as the model received it."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float
    seed: int
    json_schema: Mapping[str, object] | None


Reply = Callable[[ScriptedCall], str]


class ScriptedChat:
    """Replies from a script; a token is what stands between spaces. Thread-safe.

    Attributes:
        calls: every call so far, in order.
    """

    def __init__(self, replies: Sequence[str] | Reply, *, context_tokens: int = 4096) -> None:
        """Take the script.

        Args:
            replies: texts, one a call, or a function that makes the reply from the call.
            context_tokens: the most tokens of prompt and reply together.
        """
        self.calls: list[ScriptedCall] = []
        self._replies = replies
        self._context_tokens = context_tokens
        self._lock = threading.Lock()
        self._closed = False

    @property
    def model_id(self) -> str:
        """Always `scripted`."""
        return "scripted"

    @property
    def context_tokens(self) -> int:
        """The most tokens a prompt and its completion may have together."""
        return self._context_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of words of each text."""
        return [len(text.split()) for text in texts]

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        json_schema: Mapping[str, object] | None = None,
    ) -> Completion:
        """The next reply, cut at `max_tokens`; see `ragmem.ports.ChatModel.chat`."""
        call = ScriptedCall(
            messages=tuple(messages),
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            json_schema=json_schema,
        )
        prompt_tokens = self._check(call)
        words = self._reply(call).split(" ")
        text = " ".join(words[:max_tokens])
        cut = len(words) > max_tokens
        if json_schema is not None:
            try:
                json.loads(text)
            except ValueError as error:
                raise GenerationError(f"the reply is cut off or not JSON: {text!r}") from error
        return Completion(
            text=text,
            prompt_tokens=prompt_tokens,
            completion_tokens=min(len(words), max_tokens),
            finish_reason="length" if cut else "stop",
        )

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """The next reply word by word; see `ragmem.ports.ChatModel.stream`."""
        completion = self.chat(messages, max_tokens=max_tokens, temperature=temperature, seed=seed)
        first, *rest = completion.text.split(" ")
        return iter([first, *(f" {word}" for word in rest)])

    def close(self) -> None:
        """Say nothing any more."""
        self._closed = True

    def _check(self, call: ScriptedCall) -> int:
        if self._closed:
            raise GenerationError("scripted was closed")
        if not call.messages or call.max_tokens < 1:
            raise UsageError(
                f"{len(call.messages)} messages and max_tokens {call.max_tokens}: both need 1"
            )
        prompt_tokens = sum(self.count_tokens([message.content for message in call.messages]))
        if prompt_tokens + call.max_tokens > self._context_tokens:
            raise GenerationError(
                f"the prompt has {prompt_tokens:,} tokens; with {call.max_tokens:,} for the reply "
                f"that is more than the context of {self._context_tokens:,}"
            )
        return prompt_tokens

    def _reply(self, call: ScriptedCall) -> str:
        with self._lock:
            self.calls.append(call)
            number = len(self.calls)
        if callable(self._replies):
            return self._replies(call)
        if number > len(self._replies):
            raise GenerationError(f"the script has {len(self._replies)} replies, asked {number}")
        return self._replies[number - 1]
