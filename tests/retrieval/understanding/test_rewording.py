"""The techniques that search with what a chat model wrote: what is kept, what is dropped."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ragmem.errors import UsageError
from ragmem.models.scripted import ScriptedChat
from ragmem.ports import ChatModel, QueryTransform
from ragmem.query import Query, Wording
from ragmem.retrieval.understanding.decompose import Decompose
from ragmem.retrieval.understanding.hyde import HypotheticalDocument
from ragmem.retrieval.understanding.multi_query import MultiQuery
from ragmem.retrieval.understanding.step_back import StepBack
from ragmem.types import Scope

QUESTION = "How long does the battery of the lamp last?"
LONG = "Does the lamp shine brightly on "


def read(
    make: Callable[[ChatModel], QueryTransform], reply: object, question: str = QUESTION
) -> tuple[tuple[Wording, ...], dict[str, object]]:
    """What was added to the question, and the note."""
    chat = ScriptedChat([json.dumps(reply)])
    transform = make(chat)
    found = transform.transform(
        Query(question=question, wordings=(Wording(text=question),)), scope=Scope()
    )
    assert found.wordings[0] == Wording(text=question)
    note = found.notes[transform.name]
    assert isinstance(note, dict)
    return found.wordings[1:], note


def test_other_wordings_are_added_below_the_question() -> None:
    texts = ["What is the lamp's battery life?", "When is the lamp's battery empty?"]
    added, note = read(MultiQuery, {"wordings": texts})
    assert added == tuple(Wording(text=text, weight=0.3) for text in texts)
    assert note["added"] == tuple(texts)
    assert note["model"] == "scripted"
    assert {"prompt_tokens", "completion_tokens", "seconds"} <= note.keys()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty"),
        (" ... ", "empty"),
        ("Lamp?", "too short"),
        ("how long does the BATTERIES of the lamp last", "there already"),
        ("The battery lasts two hours.", "no question"),
        (LONG * 12 + "?", "too long"),
        ("is it " * 10 + "?", "repeats itself"),
        ("What is \ud800 battery life?", "unreadable"),
        ("What reduces the petrol consumption of a vehicle?", "the example's"),
        (["nested"], "empty"),
        (7, "empty"),
    ],
)
def test_what_is_of_no_use_is_dropped_with_its_reason(text: object, wrong: str) -> None:
    good = "What is the lamp's battery life?"
    added, note = read(MultiQuery, {"wordings": [text, good]})
    assert [each.text for each in added] == [good]
    [(_, why)] = note["dropped"]  # type: ignore[misc]
    assert why == wrong


def test_a_question_without_a_question_mark_may_be_said_without_one() -> None:
    added, _ = read(MultiQuery, {"wordings": ["lamp battery life hours"]}, "battery lamp lasting")
    assert [each.text for each in added] == ["lamp battery life hours"]


def test_a_wording_is_added_once_and_no_more_than_were_asked_for() -> None:
    texts = ["What is its battery life?", "what is its battery life", "Does it last for long?"]
    added, note = read(lambda chat: MultiQuery(chat, wordings=2), {"wordings": texts})
    assert [each.text for each in added] == texts[:1]
    assert note["dropped"] == ((texts[1], "there already"),)


def test_a_passage_is_for_the_dense_index_only() -> None:
    passage = "The battery of the lamp lasts eleven hours at full brightness."
    added, _ = read(HypotheticalDocument, {"passage": passage})
    assert added == (Wording(text=passage, weight=0.5, index="dense"),)


def test_a_passage_that_was_not_finished_ends_with_its_last_whole_sentence() -> None:
    whole = "The battery of the lamp lasts eleven hours at full brightness."
    added, _ = read(
        lambda chat: HypotheticalDocument(chat, longest=80),
        {"passage": f"{whole} Then it goes out and"},
    )
    assert [each.text for each in added] == [whole]


def test_a_passage_without_a_whole_sentence_is_dropped() -> None:
    passage = "on and on and never a stop in it but always another word of the lamp"
    added, note = read(lambda chat: HypotheticalDocument(chat, longest=60), {"passage": passage})
    assert not added
    assert note["dropped"] == ((passage[:60], "too long"),)


def test_a_step_back_is_one_question() -> None:
    added, _ = read(StepBack, {"general": "What determines how long batteries last?"})
    assert added == (Wording(text="What determines how long batteries last?", weight=0.3),)


def test_parts_are_searched_for_beside_the_question() -> None:
    parts = ["Who made the lamp?", "Where was she born?"]
    added, _ = read(Decompose, {"questions": parts}, "Where was who made the lamp born?")
    assert added == tuple(Wording(text=text, weight=0.5) for text in parts)


@pytest.mark.parametrize("parts", [[], ["Who made the lamp at all?"], [QUESTION, QUESTION]])
def test_fewer_than_two_parts_are_no_decomposition(parts: list[str]) -> None:
    added, note = read(Decompose, {"questions": parts})
    assert not added
    assert note["added"] == ()


def test_a_reply_that_was_cut_off_changes_nothing() -> None:
    chat = ScriptedChat(['{"general": "' + "why " * 200])
    query = Query(question=QUESTION, wordings=(Wording(text=QUESTION),))
    found = StepBack(chat).transform(query, scope=Scope())
    assert found.wordings == query.wordings
    assert "cut off" in str(found.notes["step_back"])


def test_a_closed_model_changes_nothing() -> None:
    chat = ScriptedChat([])
    chat.close()
    query = Query(question=QUESTION, wordings=(Wording(text=QUESTION),))
    found = MultiQuery(chat).transform(query, scope=Scope())
    assert found.wordings == query.wordings
    assert found.notes["multi_query"] == {"failed": "scripted was closed"}


def test_what_cannot_be_searched_with_is_refused() -> None:
    chat = ScriptedChat([])
    with pytest.raises(UsageError, match="weight"):
        MultiQuery(chat, weight=0.0)
    with pytest.raises(UsageError, match="at most 0"):
        Decompose(chat, parts=0)
