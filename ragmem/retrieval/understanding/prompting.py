"""Asking a chat model for JSON about text that nobody vouches for.

What is asked, and what a reply means, is the techniques' business (`rewording` for those that want
texts); nothing here touches a query.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from ragmem.errors import GenerationError
from ragmem.models.neutralising import neutralise
from ragmem.ports import ChatModel
from ragmem.types import Message

LONGEST_QUESTION = 1000
"""Longer questions, in characters, are searched for as they are: they hold enough words."""

_LONGEST_REASON = 200

Data = Mapping[str, str]
"""Texts of others, by the name of their tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is told: our own words, always the same, so that an engine caches them.

    Attributes:
        instruction: what to do.
        examples: data and the reply to it; small models follow these better than any instruction.
    """

    instruction: str
    examples: Sequence[tuple[Data, Mapping[str, object]]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answered.

    Attributes:
        value: the object it wrote; not known to follow the schema.
        cost: the model, its tokens and its seconds, for a note.
    """

    value: Mapping[str, object]
    cost: Mapping[str, object]


def ask(
    chat: ChatModel,
    prompt: Prompt,
    data: Data,
    *,
    schema: Mapping[str, object],
    max_tokens: int,
) -> Reply:
    """Ask once for a JSON object.

    Args:
        chat: the model.
        prompt: what it is told.
        data: what it is told about, in the user's message.
        schema: what the object must be.
        max_tokens: the most tokens of the reply.

    Raises:
        GenerationError: the engine failed, or the reply is no JSON object.
    """
    began = perf_counter()
    messages = [Message(role="system", content=prompt.instruction)]
    for shown, answer in prompt.examples:
        messages += [
            Message(role="user", content=_tagged(shown)),
            Message(role="assistant", content=json.dumps(answer, ensure_ascii=False)),
        ]
    messages.append(Message(role="user", content=_tagged(data)))
    completion = chat.chat(messages, max_tokens=max_tokens, json_schema=schema)
    try:
        value = json.loads(completion.text)
    except (ValueError, RecursionError) as error:
        raise GenerationError(f"the reply is not JSON: {completion.text[:80]!r}") from error
    if not isinstance(value, dict):
        raise GenerationError(f"the reply is no JSON object: {completion.text[:80]!r}")
    cost = {
        "model": chat.model_id,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "seconds": perf_counter() - began,
    }
    return Reply(value=value, cost=cost)


def object_schema(properties: Mapping[str, object]) -> dict[str, object]:
    """The schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _tagged(data: Data) -> str:
    return "\n".join(
        f"<{tag}>\n{neutralise(text, tags=data)}\n</{tag}>" for tag, text in data.items()
    )


def reason(error: Exception) -> str:
    """Why something failed, short enough for a note."""
    return str(error)[:_LONGEST_REASON]
