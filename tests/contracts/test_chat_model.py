"""What every chat model does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ragmem.errors import GenerationError, UsageError
from ragmem.models.cache import model_path
from ragmem.models.llama_cpp import LlamaCppChat
from ragmem.models.registry import DEFAULT_CHAT
from ragmem.models.scripted import ScriptedCall, ScriptedChat
from ragmem.ports import ChatModel
from ragmem.types import Message

QUESTION = [
    Message(role="system", content="You answer in one sentence."),
    Message(role="user", content="What is the capital of France?"),
]
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def reply(call: ScriptedCall) -> str:
    if call.json_schema is not None:
        return '{"name": "Ana", "age": 42}'
    return "The capital of France is Paris, and it has been for a long time."


@pytest.fixture(
    scope="module", params=["scripted", pytest.param("llama.cpp", marks=pytest.mark.models)]
)
def model(request: pytest.FixtureRequest) -> Iterator[ChatModel]:
    chat: ChatModel
    if request.param == "scripted":
        chat = ScriptedChat(reply, context_tokens=512)
    else:
        chat = LlamaCppChat(model_path(DEFAULT_CHAT), context_tokens=512)
    yield chat
    chat.close()


def test_a_reply_is_counted_and_says_why_it_ended(model: ChatModel) -> None:
    completion = model.chat(QUESTION, max_tokens=40)

    assert "Paris" in completion.text
    assert completion.finish_reason == "stop"
    assert completion.prompt_tokens >= sum(model.count_tokens([m.content for m in QUESTION]))
    assert 0 < completion.completion_tokens <= 40


def test_a_reply_that_does_not_fit_is_cut_off(model: ChatModel) -> None:
    completion = model.chat(QUESTION, max_tokens=2)

    assert completion.finish_reason == "length"
    assert completion.completion_tokens == 2


def test_temperature_zero_repeats_itself(model: ChatModel) -> None:
    first, second = (model.chat(QUESTION, max_tokens=12).text for _ in range(2))

    assert first == second


def test_a_stream_is_the_reply_in_pieces(model: ChatModel) -> None:
    pieces = list(model.stream(QUESTION, max_tokens=12))

    assert len(pieces) > 1
    assert "".join(pieces) == model.chat(QUESTION, max_tokens=12).text


def test_a_closed_stream_leaves_the_model_usable(model: ChatModel) -> None:
    stream = model.stream(QUESTION, max_tokens=300)
    assert next(stream)
    if close := getattr(stream, "close", None):
        close()

    assert "Paris" in model.chat(QUESTION, max_tokens=40).text


def test_a_schema_gives_json(model: ChatModel) -> None:
    completion = model.chat(QUESTION, max_tokens=100, json_schema=SCHEMA)

    assert json.loads(completion.text).keys() == {"name", "age"}


def test_json_that_is_cut_off_is_an_error(model: ChatModel) -> None:
    with pytest.raises(GenerationError, match="cut off"):
        model.chat(QUESTION, max_tokens=3, json_schema=SCHEMA)


def test_a_prompt_beyond_the_context_is_refused_before_generation(model: ChatModel) -> None:
    long = [Message(role="user", content="word " * 600)]

    with pytest.raises(GenerationError, match=r"tokens.*context of 512"):
        model.chat(long, max_tokens=10)
    with pytest.raises(GenerationError, match=r"tokens.*context of 512"):
        list(model.stream(QUESTION, max_tokens=512))


def test_a_call_without_messages_or_tokens_is_wrong(model: ChatModel) -> None:
    with pytest.raises(UsageError):
        model.chat([], max_tokens=10)
    with pytest.raises(UsageError):
        model.chat(QUESTION, max_tokens=0)


def test_counting(model: ChatModel) -> None:
    one, two, empty = model.count_tokens(["word", "word word", ""])

    assert (one, two, empty) == (1, 2, 0)
    assert model.count_tokens([]) == []


def test_threads_are_served_side_by_side(model: ChatModel) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: model.chat(QUESTION, max_tokens=8).text, range(6)))

    assert all("capital" in text for text in replies)


def test_it_names_itself(model: ChatModel) -> None:
    assert model.model_id
    assert model.context_tokens == 512


def test_a_closed_model_says_so() -> None:
    model = ScriptedChat(["hello"])
    model.close()

    with pytest.raises(GenerationError, match="closed"):
        model.chat(QUESTION, max_tokens=3)


@pytest.mark.models
def test_a_closed_engine_says_so_and_can_be_closed_again() -> None:
    model = LlamaCppChat(model_path(DEFAULT_CHAT), context_tokens=512)
    assert model.count_tokens(["word"]) == [1]
    model.close()
    model.close()

    with pytest.raises(GenerationError, match="closed"):
        model.chat(QUESTION, max_tokens=3)
