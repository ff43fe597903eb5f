"""Searching again as the settings turn it on, over a store: spelling, rules, then the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import HashEmbedder

from ragmem import Agent, Answer, Replacements, Scope, Settings, TextDocument
from ragmem.models.scripted import ScriptedChat

TEXTS = [
    TextDocument(uri="n:1", text="Pumps leak when their seals age."),
    TextDocument(uri="n:2", text="Bearings hum when they are worn."),
    TextDocument(uri="n:3", text="Zeppelins never leak anything.", acl=frozenset({"user:ana"})),
]
ABSENT = "which zeppelins hum and leak in winter"


def asked(folder: Path, chat: ScriptedChat | None, question: str, **settings: int) -> Answer:
    with Agent.open(
        folder / "store",
        settings=Settings(chat_model="", corrective_seconds=60.0, **settings),  # type: ignore[arg-type]
        replacements=Replacements(embedder=HashEmbedder(), chat=chat),
    ) as agent:
        agent.knowledge.add_texts(TEXTS)
        return agent.ask(question, scope=Scope())


def tried(answer: Answer) -> list[object]:
    stages = [stage for stage in answer.trace.stages if stage.name == "corrective"]
    return [stage.details.get("tried", stage.details.get("stopped")) for stage in stages]


def test_nothing_is_tried_again_by_default(tmp_path: Path) -> None:
    answer = asked(tmp_path, None, ABSENT)
    assert (answer.supported, tried(answer)) == (False, [])


@pytest.mark.parametrize(
    ("replies", "asked_for"),
    [
        ([json.dumps({"wordings": ["airships that drone"]})], ["multi_query"]),
        ([json.dumps({"other": 1})], []),
        ([], []),
    ],
)
def test_the_model_rewrites_after_the_rules_and_may_fail(
    tmp_path: Path, replies: Sequence[str], asked_for: list[str]
) -> None:
    chat = ScriptedChat(replies)
    answer = asked(tmp_path, chat, ABSENT, corrective_searches=9)
    assert (answer.supported, answer.citations) == (False, ())
    *rules, _, end = tried(answer)
    assert [each for each in rules if each == "multi_query"] == asked_for
    assert rules[0] in ("spelling", "keywords")
    assert end == "nothing left to try"
    assert len(chat.calls) == 1
    assert chat.calls[0].json_schema is not None
    system, *_, user = chat.calls[0].messages
    assert (system.role, user.role) == ("system", "user")
    assert ABSENT not in system.content
    assert ABSENT in user.content
    assert all("n:3" not in str(dict(stage.scores)) for stage in answer.trace.stages)


def test_no_model_is_needed(tmp_path: Path) -> None:
    answer = asked(tmp_path, None, ABSENT, corrective_searches=9)
    assert "multi_query" not in tried(answer)
    assert tried(answer)[-2:] == ["deeper", "nothing left to try"]
