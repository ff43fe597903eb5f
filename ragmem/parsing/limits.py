"""How much a parser may read and produce before it refuses."""

from __future__ import annotations

from collections.abc import Iterable
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
        lines: the most lines of a text: what becomes of each costs memory, however short it is.
    """

    file_bytes: int = 100 * MEBIBYTE
    unpacked_bytes: int = 256 * MEBIBYTE
    characters: int = 10_000_000
    lines: int = 1_000_000

    def check_file_bytes(self, count: int) -> None:
        """Refuse a file that is too large.

        Raises:
            ParseError: `count` is over the limit.
        """
        if count > self.file_bytes:
            raise ParseError(
                f"the file has {count:,} bytes, more than the {self.file_bytes:,} allowed; split "
                "it, or raise max_file_bytes"
            )

    def check_characters(self, count: int) -> None:
        """Refuse a text that grew too long.

        Raises:
            ParseError: `count` is over the limit.
        """
        if count > self.characters:
            raise ParseError(
                f"the text has more than {self.characters:,} characters; split the file, or raise "
                "max_characters"
            )

    def check_lines(self, count: int) -> None:
        """Refuse a text of too many lines.

        Raises:
            ParseError: `count` is over the limit.
        """
        if count > self.lines:
            raise ParseError(f"the text has more than {self.lines:,} lines; split the file")

    def joined(self, parts: Iterable[str], separator: str = "\n") -> str:
        """The parts joined, refused before they are all there when they grow too long.

        Raises:
            ParseError: the text is over the limit.
        """
        kept: list[str] = []
        count = -len(separator)
        for part in parts:
            count += len(separator) + len(part)
            self.check_characters(count)
            kept.append(part)
        return separator.join(kept)
