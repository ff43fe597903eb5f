"""How much a parser may read and produce before it refuses."""

from __future__ import annotations

from dataclasses import dataclass

from ragmem.errors import ParseError

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep a hostile or mistaken file from exhausting the machine.

    Attributes:
        file_bytes: the largest file.
        unpacked_bytes: the most bytes that a compressed container may hold.
        characters: the longest text.
    """

    file_bytes: int = 100 * MEBIBYTE
    unpacked_bytes: int = 256 * MEBIBYTE
    characters: int = 100 * MEBIBYTE

    def check_characters(self, count: int) -> None:
        """Refuse a text that grew too long.

        Raises:
            ParseError: `count` is over the limit.
        """
        if count > self.characters:
            raise ParseError(
                f"the text has more than {self.characters:,} characters; split the file or raise "
                "the limit"
            )
