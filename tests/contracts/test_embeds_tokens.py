"""What every embedder does that gives the vectors of single tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_sentence_model

from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.models.sentence_transformers import SentenceTransformersEmbedder
from ragmem.ports import EmbedsTokens

Open = Callable[[Path], OnnxEmbedder | SentenceTransformersEmbedder]
TEXT = " \n the CÄT sat\ton 🎉 a mät.  "


def open_torch(folder: Path) -> SentenceTransformersEmbedder:
    return SentenceTransformersEmbedder(folder, device="cpu")


@pytest.fixture(params=[OnnxEmbedder, open_torch], ids=["onnx", "torch"])
def opener(request: pytest.FixtureRequest) -> Open:
    chosen: Open = request.param
    return chosen


def test_offsets_are_those_of_the_text_given(opener: Open, tmp_path: Path) -> None:
    embedder = opener(write_sentence_model(tmp_path / "tiny"))

    (found,) = embedder.embed_tokens([TEXT])

    assert isinstance(embedder, EmbedsTokens)
    assert found.offsets.dtype == np.int64
    pieces = [TEXT[start:end] for start, end in found.offsets]
    assert pieces == ["the", "CÄT", "sat", "on", "🎉", "a", "mät", "."]
    assert found.vectors.shape == (len(pieces), embedder.dimensions)
    assert found.vectors.dtype == np.float32


def test_the_prompt_is_read_and_left_out(opener: Open, tmp_path: Path) -> None:
    plain = opener(write_sentence_model(tmp_path / "plain"))
    prompted = opener(write_sentence_model(tmp_path / "prompted", prompts={"document": "what is "}))

    (bare,) = plain.embed_tokens([TEXT])
    (spelled,) = plain.embed_tokens([f"what is {TEXT}"])
    (found,) = prompted.embed_tokens([TEXT])

    assert np.array_equal(found.offsets, bare.offsets)
    assert np.allclose(found.vectors, spelled.vectors[2:], atol=1e-5)
    assert not np.allclose(found.vectors, bare.vectors, atol=1e-3)


def test_texts_are_cut_at_max_tokens(opener: Open, tmp_path: Path) -> None:
    embedder = opener(write_sentence_model(tmp_path / "tiny"))

    (found,) = embedder.embed_tokens(["cold " * 90])

    assert len(found.vectors) == len(found.offsets) == embedder.max_tokens
    assert found.offsets[-1, 1] == 5 * embedder.max_tokens - 1


def test_nothing_has_no_tokens(opener: Open, tmp_path: Path) -> None:
    embedder = opener(write_sentence_model(tmp_path / "tiny", prompts={"document": "the "}))

    assert embedder.embed_tokens([]) == []
    for found in embedder.embed_tokens(["", " \n"]):
        assert found.vectors.shape == (0, embedder.dimensions)
        assert found.offsets.shape == (0, 2)


def test_many_texts_come_back_in_their_order(opener: Open, tmp_path: Path) -> None:
    embedder = opener(write_sentence_model(tmp_path / "tiny"))
    texts = ["cat " * (1 + (7 * number) % 20) for number in range(50)]

    together = embedder.embed_tokens(texts)

    for text, found in zip(texts, together, strict=True):
        assert len(found.vectors) == len(text.split())
        assert np.allclose(found.vectors, embedder.embed_tokens([text])[0].vectors, atol=1e-5)


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
def test_onnx_gives_what_torch_gives(tmp_path: Path, model_type: str) -> None:
    folder = write_sentence_model(
        tmp_path / "tiny", model_type=model_type, prompts={"document": "the "}
    )
    texts = [TEXT, "", "a dog", "cold " * 90]

    ours, theirs = OnnxEmbedder(folder), open_torch(folder)

    for one, other in zip(ours.embed_tokens(texts), theirs.embed_tokens(texts), strict=True):
        assert np.array_equal(one.offsets, other.offsets)
        assert np.allclose(one.vectors, other.vectors, atol=1e-5)
