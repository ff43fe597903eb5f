"""From bytes to text: byte order mark, UTF-8, then detection that must be sure of itself."""

from __future__ import annotations

import codecs
import re
import unicodedata

from ragmem.errors import ParseError

# UTF-32 first: its little-endian mark begins with UTF-16's.
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 64 * 1024
_MOST_DAMAGE = 0.01
_MOST_CONTROL = 0.002
# Not the C1 range: mail and web texts that were once decoded wrongly hold it and are still texts.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UNKNOWN = (
    "the text's encoding could not be recognised; save the file as UTF-8 (or, if it is not a text, "
    "give it its proper suffix)"
)


def decode_text(content: bytes, *, declared: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Decode a text file.

    Args:
        content: the bytes.
        declared: the encoding that the format itself names, tried after UTF-8.

    Returns:
        The text and warnings: a guessed encoding, bytes that had to be replaced.

    Raises:
        ParseError: the bytes are not text, or in no encoding that can be recognised.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decode_marked(content, encoding)
    if (wide := _wide_encoding(content)) is not None:
        text, warnings = _decode_marked(content, wide)
        return text, (f"read as {wide}, which was guessed", *warnings)
    if (plain := _try_decode(content, "utf-8")) is not None:
        _refuse_binary(plain)
        return plain, ()
    if b"\0" in content:
        raise ParseError("the file is binary, not text")
    if declared is not None and (named := _try_decode(content, declared)) is not None:
        return named, ()
    if (repaired := _damaged_utf8(content)) is not None:
        return repaired
    return _detect(content)


def _decode_marked(content: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    text = content.decode(encoding, errors="replace")
    _refuse_binary(text)
    # A replacement character that the author wrote is counted too: better one warning too many.
    lost = text.count("\ufffd")
    odd = sum(unicodedata.category(character) in ("Cn", "Cs") for character in text[:_SAMPLE_BYTES])
    if lost + odd > max(1, len(text) * _MOST_DAMAGE):
        raise ParseError(f"the file claims to be {encoding.upper()} but is not; save it as UTF-8")
    return text, (_damage(lost),) if lost else ()


def _damage(count: int) -> str:
    return f"{count:,} unreadable byte sequences were replaced by \ufffd"


def _refuse_binary(text: str) -> None:
    sample = text[:_SAMPLE_BYTES]
    if len(_CONTROL.findall(sample)) > max(1, len(sample) * _MOST_CONTROL):
        raise ParseError("the file is binary, not text")


def _wide_encoding(content: bytes) -> str | None:
    """UTF-16 without a mark, when nearly every second byte is NUL as in Western text."""
    sample = content[:_SAMPLE_BYTES]
    if len(content) % 2 or len(sample) < 8:
        return None
    half = len(sample) / 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * half and even < 0.02 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.02 * half:
        return "utf-16-be"
    return None


def _try_decode(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _damaged_utf8(content: bytes) -> tuple[str, tuple[str, ...]] | None:
    """UTF-8 with a few broken places: more intact sequences beyond ASCII than broken ones."""
    text = content.decode("utf-8", errors="replace")
    lost = text.count("\ufffd")
    intact = sum(1 for character in text if character > "\x7f") - lost
    if lost > max(3, len(text) * _MOST_DAMAGE) or intact <= lost:
        return None
    _refuse_binary(text)
    return text, (_damage(lost),)


def _detect(content: bytes) -> tuple[str, tuple[str, ...]]:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:_SAMPLE_BYTES]).best()
    # Chaos is the share of implausible characters, coherence how well letters fit a language.
    sure = best is not None and best.chaos <= 0.1 and (best.coherence > 0 or len(content) < 512)
    if best is None or not sure:
        raise ParseError(_UNKNOWN)
    text = _try_decode(content, best.encoding)
    if text is None:
        raise ParseError(_UNKNOWN)
    _refuse_binary(text)
    return text, (f"read as {best.encoding}, which was guessed; save it as UTF-8 to be sure",)
