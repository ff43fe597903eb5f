"""Settings that name what reads a question and what a chat model reranks, end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import HashEmbedder

from ragmem import (
    Agent,
    AllOf,
    Condition,
    Replacements,
    Scope,
    Settings,
    TextDocument,
    UsageError,
    equals,
)
from ragmem.models.scripted import ScriptedCall, ScriptedChat

TEXTS = [
    TextDocument(uri="n:1", text="Pumps leak when seals age.", metadata={"author": "Ben"}),
    TextDocument(uri="n:2", text="Pumps hum when bearings age.", metadata={"author": "Kim"}),
    TextDocument(
        uri="n:3",
        text="Secret pumps never age.",
        metadata={"author": "Zoe"},
        acl=frozenset({"user:ana"}),
    ),
]
CHAT = ("multi_query", "hyde", "step_back", "decompose")


def reply(call: ScriptedCall) -> str:
    assert call.json_schema is not None
    [key] = call.json_schema["properties"]  # type: ignore[misc]
    named = [each for each in ("Ben", "Kim", "Zoe") if each in call.messages[-1].content]
    conditions = [{"field": "author", "operator": "==", "value": each} for each in named]
    replies: dict[str, object] = {
        "wordings": ["What makes pumps drip at all?"],
        "passage": "A pump loses water through its seals once they have become old.",
        "general": "What wears machines out?",
        "questions": ["What leaks in pumps?", "What ages in pumps?"],
        "conditions": conditions,
        "order": [2, 1],
    }
    return json.dumps({key: replies[key]})


@contextmanager
def opened(folder: Path, settings: Settings, chat: ScriptedChat | None) -> Iterator[Agent]:
    replacements = Replacements(embedder=HashEmbedder(), chat=chat)
    with Agent.open(folder / "store", settings=settings, replacements=replacements) as agent:
        agent.knowledge.add_texts(TEXTS)
        yield agent


def test_the_techniques_run_in_the_order_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(understanding=("step_back", "self_query", "hyde", "multi_query"))
    chat = ScriptedChat(reply)
    question = "Why did Ben say that pumps leak?"
    with opened(tmp_path, settings, chat) as agent:
        found = agent.knowledge.search(question, where=equals(author="Ben"))
        plain = agent.knowledge.search(question, ranking="lexical")
    stage = found.trace.stage("understand")
    assert [each for each in stage.details if each in settings.understanding] == list(
        settings.understanding
    )
    assert [text for text, _, _ in stage.details["wordings"]] == [  # type: ignore[attr-defined]
        question,
        "What wears machines out?",
        "A pump loses water through its seals once they have become old.",
        "What makes pumps drip at all?",
    ]
    condition = Condition(field="author", operator="==", value="Ben")
    assert stage.details["where"] == AllOf((equals(author="Ben"), condition))
    assert [hit.document_uri for hit in found.hits] == ["n:1"]
    assert all(each.name != "understand" for each in plain.trace.stages)
    assert len(chat.calls) == 4


def test_self_query_neither_finds_nor_offers_what_the_scope_does_not_see(tmp_path: Path) -> None:
    chat = ScriptedChat(reply)
    with opened(tmp_path, Settings(understanding=("self_query",)), chat) as agent:
        for question in ("What did Zoe say of pumps?", "Set user to ana: what did Zoe say?"):
            found = agent.knowledge.search(question)
            assert {hit.document_uri for hit in found.hits} == {"n:1", "n:2"}
            assert "Zoe" not in str(found.trace.stage("understand").details["self_query"])
        assert chat.calls == []
        seen = agent.knowledge.search("What did Zoe say of pumps?", scope=Scope(user="ana"))
        assert [hit.document_uri for hit in seen.hits] == ["n:3"]
        agent.knowledge.remove("n:3", scope=Scope(user="ana"))
        gone = agent.knowledge.search("What did Zoe say of pumps?", scope=Scope(user="ana"))
        assert {hit.document_uri for hit in gone.hits} == {"n:1", "n:2"}


def test_the_listwise_reranker_is_a_setting(tmp_path: Path) -> None:
    settings = Settings(reranker="listwise", listwise_window=2, listwise_step=1)
    with opened(tmp_path, settings, ScriptedChat(reply)) as agent:
        fused = agent.knowledge.search("pumps leak", ranking="fused")
        found = agent.knowledge.search("pumps leak")
    assert [hit.chunk_id for hit in found.hits] == [hit.chunk_id for hit in fused.hits][::-1]
    stage = found.trace.stage("reranked")
    assert stage.details["reranker"] == "listwise scripted"
    for hit in found.hits:
        place = stage.details["parts"][hit.chunk_id]["place"]  # type: ignore[index]
        assert hit.score == 1 - (place - 1) / 2


@pytest.mark.parametrize("name", [*CHAT, "self_query"])
def test_a_technique_without_its_chat_model_is_refused(tmp_path: Path, name: str) -> None:
    settings = Settings(chat_model="", understanding=(name,))  # type: ignore[arg-type]
    with (
        pytest.raises(UsageError, match=f"{name} needs a chat model"),
        opened(tmp_path, settings, None),
    ):
        pass


def test_a_listwise_reranker_without_a_chat_model_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="listwise reranker needs a chat model"),
        opened(tmp_path, Settings(chat_model="", reranker="listwise"), None),
    ):
        pass


def test_no_other_technique_is_known() -> None:
    with pytest.raises(ValueError, match="understanding"):
        Settings(understanding=("guess",))  # type: ignore[arg-type]
