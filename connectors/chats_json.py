"""Reads JSON files larger than memory: the elements of a long array, one by one.

Only the one array that makes exports long is streamed; each element is an ordinary Python value.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO

_BLOCK_BYTES = 1 << 16
_SPACE = re.compile(r"[ \t\n\r]*")


class BrokenJson(ValueError):
    """The text is not the JSON that was expected."""


class JsonReader:
    """Walks through one JSON text."""

    def __init__(self, stream: IO[bytes], *, max_value_characters: int) -> None:
        """Start at the beginning of a stream of UTF-8.

        Args:
            max_value_characters: the longest value that is read as a whole.
        """
        self._stream = stream
        self._text = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._max_value_characters = max_value_characters
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def header(self, *, until: str) -> dict[str, object]:
        """The members of the object here that stand before one, whose value comes next.

        Raises:
            BrokenJson: no object is here, or it has no such member.
        """
        self._take("{")
        members: dict[str, object] = {}
        while self._next() == '"':
            key = str(self.value())
            self._take(":")
            if key == until:
                return members
            members[key] = self.value()
            if self._next() == ",":
                self._take(",")
        raise BrokenJson(f'expected an object with "{until}"')

    def elements(self) -> Iterator[object]:
        """The elements of the array here.

        Raises:
            BrokenJson: no array is here, or it breaks off.
        """
        self._take("[")
        if self._next() == "]":
            return
        while True:
            yield self.value()
            if self._next() == "]":
                return
            self._take(",")

    def value(self) -> object:
        """The whole value here.

        Raises:
            BrokenJson: it breaks off, or is too long or too deep.
        """
        self._next()
        more = _BLOCK_BYTES
        while True:
            problem = "it breaks off"
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                problem = error.msg
            except (ValueError, RecursionError) as error:
                raise BrokenJson(str(error)) from error
            else:
                # A number may go on in the next block.
                if self._ended or end < len(self._buffer):
                    self._at = end
                    return value
            if self._ended:
                raise BrokenJson(problem)
            if len(self._buffer) - self._at > self._max_value_characters:
                raise BrokenJson(f"a value is longer than {self._max_value_characters:,}")
            self._fill(more)
            # Each attempt starts anew: doubling keeps the whole linear.
            more *= 2

    def _take(self, expected: str) -> None:
        found = self._next()
        if found != expected:
            raise BrokenJson(f"expected {expected!r}, got {found!r}")
        self._at += 1

    def _next(self) -> str:
        """The next character that is no space, left where it is; empty at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._fill(_BLOCK_BYTES)

    def _fill(self, size: int) -> None:
        block = self._stream.read(size)
        self._ended = not block
        self._buffer = self._buffer[self._at :] + self._text.decode(block, final=self._ended)
        self._at = 0
