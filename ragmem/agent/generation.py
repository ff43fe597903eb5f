"""Reading a chat model's reply sentence by sentence; what is true in it is checked elsewhere."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from time import perf_counter

from ragmem.chunking.sentences import sentence_spans
from ragmem.errors import GenerationError
from ragmem.ports import ChatModel
from ragmem.types import Message

_ENDS = tuple(".!?…。！？।؟:;\"'”’»)]}*")


class SentenceStream:
    """Yields each sentence once the next has begun or the reply has ended; iterate it once.

    Leaving the loop early stops the engine.

    Attributes:
        text: all that was generated so far.
        cut_off: the unfinished end of a reply that ran into the limit or failed; never yielded.
        failure: what the engine said when it failed, None otherwise.
        seconds: time spent waiting for the engine.
    """

    def __init__(self, chat: ChatModel, messages: Sequence[Message], *, max_tokens: int) -> None:
        self._chat = chat
        self._messages = messages
        self._max_tokens = max_tokens
        self.text = ""
        self.cut_off = ""
        self.failure: str | None = None
        self.seconds = 0.0

    def __iter__(self) -> Iterator[str]:
        """Read the reply."""
        done = 0
        pieces = 0
        with closing(self._pieces()) as stream:
            for piece in stream:
                pieces += 1
                self.text += piece
                spans = sentence_spans(self.text[done:])
                for start, end in spans[:-1]:
                    yield self.text[done + start : done + end]
                done += spans[-2][1] if len(spans) > 1 else 0
        rest = self.text[done:]
        limited = pieces >= self._max_tokens and not rest.rstrip().endswith(_ENDS)
        if self.failure is not None or limited:
            self.cut_off = rest
            return
        for start, end in sentence_spans(rest):
            yield rest[start:end]

    def _pieces(self) -> Generator[str, None, None]:
        """The engine's pieces, at most one a token, so that no engine runs on for ever."""
        started = perf_counter()
        stream: Iterator[str] = iter(())
        try:
            stream = self._chat.stream(self._messages, max_tokens=self._max_tokens)
            for piece in islice(stream, self._max_tokens):
                self.seconds += perf_counter() - started
                yield piece
                started = perf_counter()
            self.seconds += perf_counter() - started
        except GenerationError as error:
            self.failure = str(error)
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()
