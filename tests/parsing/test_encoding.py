"""Decoding: marks, UTF-8, guesses that say so, refusals."""

import pytest

from ragmem.errors import ParseError
from ragmem.parsing.encoding import decode_text

GERMAN = "Der Bäcker verkauft süße Brötchen und Käse für größere Gäste über die Straße. " * 3
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастлива по-своему. " * 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_without_a_warning(encoding: str) -> None:
    assert decode_text(GERMAN.encode(encoding)) == (GERMAN, ())


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(GERMAN, "cp1252"), (GERMAN, "utf-16-le"), (GERMAN, "utf-16-be"), (RUSSIAN, "koi8-r")],
)
def test_a_guess_is_right_and_says_so(text: str, encoding: str) -> None:
    decoded, warnings = decode_text(text.encode(encoding))
    assert decoded == text
    assert "guessed" in warnings[0]


def test_a_declared_encoding_is_believed() -> None:
    assert decode_text("naïve".encode("cp1252"), declared="windows-1252") == ("naïve", ())


def test_utf8_wins_over_what_is_declared() -> None:
    assert decode_text("naïve".encode(), declared="windows-1252") == ("naïve", ())


def test_a_few_damaged_bytes_are_replaced_and_counted() -> None:
    text, warnings = decode_text(GERMAN.encode() + b"\xff end")
    assert text == GERMAN + "\ufffd end"
    assert warnings == ("1 unreadable byte sequences were replaced by \ufffd",)


@pytest.mark.parametrize("content", [b"a\0b" * 50, bytes(range(32)) * 9, bytes(range(128, 256))])
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(ParseError, match=r"binary|encoding"):
        decode_text(content)
