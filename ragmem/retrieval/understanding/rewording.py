"""Texts that a chat model writes about a question, judged and added to its wordings.

What the model is told is in the techniques' modules, how it is asked in `prompting`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragmem.chunking.sentences import sentence_spans
from ragmem.errors import ModelError, UsageError
from ragmem.ports import ChatModel
from ragmem.query import Query, Wording
from ragmem.retrieval.terms import words
from ragmem.retrieval.understanding.prompting import (
    LONGEST_QUESTION,
    Prompt,
    ask,
    object_schema,
    reason,
)
from ragmem.types import Scope

_CHARACTERS_A_TOKEN = 3
_TOKENS_AROUND = 32
"""What the JSON around the texts takes."""
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ASKING = ("?", "？", "؟", ";")
_FEWEST_WORDS = {"questions": 3, "question": 3, "passage": 8}
_FEWEST_DISTINCT = 0.5
_SHORT = 12
"""Texts of fewer words may repeat any of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewording:
    """What a technique asks for.

    Attributes:
        name: the technique's, for the note.
        prompt: what the model is told.
        key: what the reply calls the texts.
        form: a list of questions, one question, or a passage for the dense index, which is cut
            after its last whole sentence where it was not finished.
        most: the most texts.
        fewest: how few of them are worth anything.
        longest: the most characters of a text.
        weight: the say of each beside the question.
    """

    name: str
    prompt: Prompt
    key: str
    form: Literal["questions", "question", "passage"]
    most: int = 1
    fewest: int = 1
    longest: int = 160
    weight: float

    def __post_init__(self) -> None:
        """Refuse what no search can follow.

        Raises:
            UsageError: a count below 1, or a weight that is not above 0.
        """
        if min(self.most, self.longest) < 1 or not self.weight > 0.0:
            raise UsageError(
                f"{self.name}: at most {self.most} texts of {self.longest} characters and weight "
                f"{self.weight}; counts must be at least 1 and the weight above 0"
            )


class RewordingTransform:
    """Adds what a chat model writes to a question's wordings; the port is `QueryTransform`."""

    def __init__(self, chat: ChatModel, wanted: Rewording) -> None:
        """Take the model and what to ask it for."""
        self._chat = chat
        self._wanted = wanted

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return self._wanted.name

    def transform(self, query: Query, *, scope: Scope) -> Query:  # noqa: ARG002
        """The query with what the model wrote; see `ragmem.ports.QueryTransform`."""
        return reword(query, self._wanted, self._chat)


def reword(query: Query, wanted: Rewording, chat: ChatModel) -> Query:
    """The query with what the model wrote, or as it was, with a note either way.

    One call at most. A text is dropped where it hardly says anything, repeats itself or a wording
    that is there, was not finished within `longest`, or answers where it should ask.
    """
    if len(query.question) > LONGEST_QUESTION:
        return _noted(query, wanted, {"failed": f"longer than {LONGEST_QUESTION} characters"})
    text = {"type": "string", "maxLength": wanted.longest}
    texts: dict[str, object] = {"type": "array", "items": text, "maxItems": wanted.most}
    try:
        reply = ask(
            chat,
            wanted.prompt,
            {"question": query.question},
            schema=object_schema({wanted.key: texts if wanted.form == "questions" else text}),
            max_tokens=wanted.most * (wanted.longest // _CHARACTERS_A_TOKEN) + _TOKENS_AROUND,
        )
    except ModelError as error:
        return _noted(query, wanted, {"failed": reason(error)})
    added, dropped = _judged(query, wanted, reply.value.get(wanted.key))
    if len(added) < wanted.fewest:
        dropped += [(text, f"fewer than {wanted.fewest} are of no use") for text in added]
        added = []
    index: Literal["both", "dense"] = "dense" if wanted.form == "passage" else "both"
    wordings = [Wording(text=each, weight=wanted.weight, index=index) for each in added]
    note = {"added": tuple(added), "dropped": tuple(dropped), **reply.cost}
    return _noted(replace(query, wordings=(*query.wordings, *wordings)), wanted, note)


def _noted(query: Query, wanted: Rewording, note: dict[str, object]) -> Query:
    return replace(query, notes={**query.notes, wanted.name: note})


def _judged(
    query: Query, wanted: Rewording, written: object
) -> tuple[list[str], list[tuple[str, str]]]:
    """The texts that are worth searching with, and the others with what is wrong with them."""
    examples = {
        tuple(words(text))
        for _, reply in wanted.prompt.examples
        for text in _listed(reply[wanted.key])
    }
    seen = {tuple(words(each)) for each in (query.question, *(w.text for w in query.wordings))}
    asks = wanted.form != "passage" and query.question.rstrip().endswith(_ASKING)
    added: list[str] = []
    dropped: list[tuple[str, str]] = []
    for each in _listed(written)[: wanted.most]:
        text = " ".join(each.split())
        if wanted.form == "passage" and len(text) >= wanted.longest:
            text = _finished(text[: wanted.longest])
        folded = tuple(words(text))
        wrong = _wrong(text, folded, wanted)
        if not wrong and folded in seen:
            wrong = "there already"
        elif not wrong and folded in examples:
            wrong = "the example's"
        elif not wrong and asks and not text.endswith(_ASKING):
            wrong = "no question"
        seen.add(folded)
        if wrong:
            dropped.append((_UNREADABLE.sub("", text[: wanted.longest]), wrong))
        else:
            added.append(text)
    return added, dropped


def _listed(written: object) -> list[str]:
    texts = written if isinstance(written, list) else [written]
    return [each if isinstance(each, str) else "" for each in texts]


def _wrong(text: str, folded: Sequence[str], wanted: Rewording) -> str:
    if len(folded) < _FEWEST_WORDS[wanted.form]:
        return "too short" if folded else "empty"
    if len(text) >= wanted.longest:
        return "too long"
    if _UNREADABLE.search(text):
        return "unreadable"
    if len(folded) >= _SHORT and len(set(folded)) < _FEWEST_DISTINCT * len(folded):
        return "repeats itself"
    return ""


def _finished(text: str) -> str:
    """The sentences of a text that are whole; all of it where none is known to be."""
    spans = sentence_spans(text)
    return text[: spans[-2][1]].rstrip() if len(spans) > 1 else text
