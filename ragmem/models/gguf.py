"""Reads the header of a GGUF file: enough to refuse a damaged one before an engine opens it.

The format is llama.cpp's `docs/gguf.md`, versions 2 and 3. Weights are not read.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from ragmem.errors import ModelError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_LAYOUTS = ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", "", "", "<Q", "<q", "<d")
"""How `struct` reads a value of each kind; texts and lists have none."""
_SCALARS = {kind: layout for kind, layout in enumerate(_LAYOUTS) if layout}
_UNKNOWN_TOKEN, _CONTROL_TOKEN = 2, 3

Value = str | int | float | bool | list["Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says about its model.

    Attributes:
        architecture: such as `llama`.
        context_tokens: the context it was trained with.
        control_tokens: texts that the tokenizer reads as commands, such as the end of a turn.
    """

    architecture: str
    context_tokens: int
    control_tokens: tuple[str, ...]


def read_header(path: Path) -> GgufHeader:
    """Read a file's header and check that the file reaches as far as its header says.

    Raises:
        ModelError: not a GGUF file, a damaged one, or one that was cut off.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise ModelError(f"{path} is not a GGUF file: it does not start with GGUF")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _parse(_Cursor(content))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    except (struct.error, UnicodeDecodeError, _Damaged) as error:
        raise ModelError(f"{path} is damaged or cut off: {error}; fetch it again") from error


class _Damaged(Exception):
    """The bytes contradict the format."""


class _Cursor:
    """Reads values one after the other."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self.position = len(_MAGIC)
        self.size = len(content)

    def scalar(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._content, self.position)
        self.position += struct.calcsize(layout)
        return value  # type: ignore[no-any-return]

    def string(self) -> str:
        length = self.scalar("<Q")
        start = self.position
        if length > self.size - start:
            raise _Damaged(f"a text of {length:,} bytes at byte {start:,} of {self.size:,}")
        self.position = start + length
        # Tokens may be halves of characters.
        return self._content[start : self.position].decode("utf-8", errors="replace")

    def value(self, kind: int, *, depth: int = 0) -> Value:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.scalar("<I"), self.scalar("<Q")
            if count > self.size - self.position or depth > 1:
                raise _Damaged(f"a list of {count:,} values at byte {self.position:,}")
            return [self.value(inner, depth=depth + 1) for _ in range(count)]
        if kind not in _SCALARS:
            raise _Damaged(f"a value of unknown kind {kind} at byte {self.position:,}")
        return self.scalar(_SCALARS[kind])


def _parse(cursor: _Cursor) -> GgufHeader:
    version = cursor.scalar("<I")
    if version not in _VERSIONS:
        raise _Damaged(f"GGUF version {version}, understood are {_VERSIONS}")
    tensors, pairs = cursor.scalar("<Q"), cursor.scalar("<Q")
    values: dict[str, Value] = {}
    for _ in range(pairs):
        key = cursor.string()
        values[key] = cursor.value(cursor.scalar("<I"))
    last = 0
    for _ in range(tensors):
        cursor.string()
        for _ in range(cursor.scalar("<I")):
            cursor.scalar("<Q")
        cursor.scalar("<I")
        last = max(last, cursor.scalar("<Q"))
    if cursor.position + last >= cursor.size:
        raise _Damaged(f"weights lie beyond its end at byte {cursor.size:,}")
    architecture = values.get("general.architecture")
    context = values.get(f"{architecture}.context_length")
    if not isinstance(architecture, str) or not isinstance(context, int):
        raise _Damaged("it names no architecture or no context length")
    return GgufHeader(
        architecture=architecture, context_tokens=context, control_tokens=_control_tokens(values)
    )


def _control_tokens(values: dict[str, Value]) -> tuple[str, ...]:
    tokens = values.get("tokenizer.ggml.tokens")
    kinds = values.get("tokenizer.ggml.token_type")
    if not isinstance(tokens, list) or not isinstance(kinds, list):
        return ()
    named = zip(tokens, kinds, strict=False)
    return tuple(str(text) for text, kind in named if kind in (_UNKNOWN_TOKEN, _CONTROL_TOKEN))
