"""The scripted chat model's own ways; the contract suite tests the rest."""

from __future__ import annotations

import pytest

from ragmem.errors import GenerationError
from ragmem.models.scripted import ScriptedChat
from ragmem.types import Message

HELLO = [Message(role="user", content="hello there")]


def test_replies_come_in_order_and_calls_are_kept() -> None:
    model = ScriptedChat(["one", "two"])

    texts = [model.chat(HELLO, max_tokens=5, seed=seed).text for seed in (3, 4)]

    assert texts == ["one", "two"]
    assert [call.seed for call in model.calls] == [3, 4]
    assert model.calls[0].messages == tuple(HELLO)


def test_a_script_that_ran_out_says_so() -> None:
    model = ScriptedChat(["one"])
    model.chat(HELLO, max_tokens=5)

    with pytest.raises(GenerationError, match="1 replies, asked 2"):
        model.chat(HELLO, max_tokens=5)


def test_a_function_sees_the_call() -> None:
    model = ScriptedChat(lambda call: f"{call.messages[-1].content} {call.max_tokens}")

    assert model.chat(HELLO, max_tokens=5).text == "hello there 5"
