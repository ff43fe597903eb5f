"""Decoding what a message declares to be in some charset, which is often not the case.

Encodings of files that declare nothing are `encoding`'s.
"""

from __future__ import annotations

import codecs

from ragmem.errors import ParseError

from .encoding import decode_text

# What senders write, and the superset that they mean.
_MEANT = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "utf8": "utf-8",
    "utf8mb4": "utf-8",
}
# Python calls these encodings too, but no text of a message is in them.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
_SEVEN_BIT = ("iso2022", "hz", "utf-7")


def charset_of(declared: str | None) -> str | None:
    """The codec of a declared charset, None where it is unknown."""
    name = (declared or "").strip().strip("\"'").lower()
    try:
        codec = codecs.lookup(_MEANT.get(name, name)).name
    except (LookupError, ValueError):
        return None
    return None if codec in _NO_CHARSETS else codec


def decode_as(content: bytes, declared: str | None) -> str:
    """A short text, such as a header's: as declared if it can be, else as it most likely is."""
    for charset in (charset_of(declared), "utf-8"):
        try:
            return content.decode(charset or "ascii")
        except (UnicodeError, LookupError):
            continue
    return content.decode("cp1252", "replace")


def decode_body(content: bytes, declared: str | None) -> tuple[str, tuple[str, ...]]:
    """A body's text and warnings: what is declared unless the bytes prove it wrong.

    Raises:
        ParseError: the bytes are no text.
    """
    charset = charset_of(declared)
    if charset is not None and charset.startswith(_SEVEN_BIT):
        # All of it is valid UTF-8 as well, but reads as gibberish then.
        try:
            return content.decode(charset), ()
        except (UnicodeError, LookupError):
            charset = None
    try:
        return decode_text(content, declared=charset)
    except ParseError:
        if b"\0" in content:
            raise
    text = content.decode(charset or "cp1252", "replace")
    return text, (
        f"the text is not in the charset it declares ({declared or 'none'}); "
        f"{text.count(chr(0xFFFD)):,} bytes could not be read",
    )
