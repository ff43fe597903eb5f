"""Reading GGUF headers, damaged ones above all."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tiny_models import gguf_bytes

from ragmem.errors import ModelError
from ragmem.models.cache import model_path
from ragmem.models.gguf import read_header
from ragmem.models.registry import DEFAULT_CHAT


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(content)
    return path


def test_a_header_is_read(tmp_path: Path) -> None:
    content = gguf_bytes(context_tokens=77, tokens=["<s>", "a", "<?>"], kinds=[3, 1, 2])

    header = read_header(written(tmp_path, content))

    assert header.architecture == "llama"
    assert header.context_tokens == 77
    assert header.control_tokens == ("<s>", "<?>")


@pytest.mark.models
def test_the_default_models_header_is_read() -> None:
    header = read_header(model_path(DEFAULT_CHAT))

    assert header.context_tokens == 8192
    assert "<|im_end|>" in header.control_tokens


def test_every_truncation_is_a_model_error(tmp_path: Path) -> None:
    content = gguf_bytes(weights=b"\0")

    for length in range(len(content) - 1):
        with pytest.raises(ModelError, match=r"model\.gguf"):
            read_header(written(tmp_path, content[:length]))


def test_every_flipped_byte_is_read_or_a_model_error(tmp_path: Path) -> None:
    content = gguf_bytes()
    refused = 0

    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        try:
            read_header(written(tmp_path, bytes(damaged)))
        except ModelError:
            refused += 1

    assert refused > len(content) // 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04 something else", "not a GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 9, 1, 1), "version 9"),
        (gguf_bytes(tensor_offset=1 << 40), "beyond its end"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 1 << 60), "damaged or cut off"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        read_header(written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.gguf"):
        read_header(tmp_path / "none.gguf")
