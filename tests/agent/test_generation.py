"""Reading replies sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from ragmem.agent.generation import SentenceStream
from ragmem.errors import GenerationError
from ragmem.types import Completion, Message

PROMPT = [Message(role="user", content="q")]


class PieceChat:
    """Streams given pieces, for ever where `endless`, and remembers being closed."""

    model_id = "pieces"
    context_tokens = 1000

    def __init__(
        self, pieces: Sequence[str], *, endless: bool = False, fails: bool = False
    ) -> None:
        self.pieces, self.endless, self.fails = pieces, endless, fails
        self.streamed = 0
        self.closed = False

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
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
        raise GenerationError("only streams")

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[str]:
        try:
            while True:
                for piece in self.pieces:
                    self.streamed += 1
                    yield piece
                if self.fails:
                    raise GenerationError("the engine died")
                if not self.endless:
                    return
        finally:
            self.closed = True

    def close(self) -> None:
        self.closed = True


def test_sentences_come_when_the_next_begins() -> None:
    chat = PieceChat(["It ra", "ins. ", "It", " pours. It sn", "ows."])
    reply = SentenceStream(chat, PROMPT, max_tokens=50)
    sentences = iter(reply)
    assert next(sentences) == "It rains."
    assert chat.streamed == 3
    assert list(sentences) == ["It pours.", "It snows."]
    assert reply.text == "It rains. It pours. It snows."
    assert (reply.cut_off, reply.failure) == ("", None)
    assert chat.closed


def test_an_endless_reply_ends_at_the_limit_and_its_stump_is_not_a_sentence() -> None:
    chat = PieceChat(["so ", "on "], endless=True)
    reply = SentenceStream(chat, PROMPT, max_tokens=7)
    assert list(reply) == []
    assert reply.cut_off == "so on so on so on so "
    assert chat.streamed == 7
    assert chat.closed


def test_a_reply_that_ends_by_itself_needs_no_full_stop() -> None:
    assert list(SentenceStream(PieceChat(["Paris"]), PROMPT, max_tokens=9)) == ["Paris"]


def test_a_failure_keeps_the_whole_sentences() -> None:
    reply = SentenceStream(PieceChat(["It rains. ", "It po"], fails=True), PROMPT, max_tokens=9)
    assert list(reply) == ["It rains."]
    assert (reply.cut_off.strip(), reply.failure) == ("It po", "the engine died")


def test_leaving_early_stops_the_engine() -> None:
    chat = PieceChat(["It rains. ", "It pours. "], endless=True)
    sentences = iter(SentenceStream(chat, PROMPT, max_tokens=1000))
    assert next(sentences) == "It rains."
    sentences.close()  # type: ignore[attr-defined]
    assert chat.closed
    assert chat.streamed == 2


@pytest.mark.parametrize("pieces", [[], [""], [" \n "]])
def test_an_empty_reply_has_no_sentences(pieces: list[str]) -> None:
    assert list(SentenceStream(PieceChat(pieces), PROMPT, max_tokens=9)) == []
