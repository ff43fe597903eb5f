"""What every embedder does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fakes import HashEmbedder
from tiny_models import write_sentence_model

from ragmem.models.cache import model_path
from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.models.registry import DEFAULT_EMBEDDING
from ragmem.models.sentence_transformers import SentenceTransformersEmbedder
from ragmem.ports import Embedder

TEXTS = ["the cat sat on the mat.", "a dog", "what is warm?", "cold " * 60, "z", ""]
REAL = pytest.mark.models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentence_model(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture(
    scope="module",
    params=[
        "hash",
        "onnx",
        "torch",
        pytest.param("onnx-real", marks=REAL),
        pytest.param("torch-real", marks=REAL),
    ],
)
def embedder(request: pytest.FixtureRequest, tiny: Path) -> Iterator[Embedder]:
    kind = request.param
    if kind == "hash":
        yield HashEmbedder()
        return
    folder = model_path(DEFAULT_EMBEDDING) if kind.endswith("-real") else tiny
    if kind.startswith("onnx"):
        yield OnnxEmbedder(folder)
    else:
        yield SentenceTransformersEmbedder(folder, device="cpu")


def test_rows_have_length_one_in_the_order_of_the_texts(embedder: Embedder) -> None:
    vectors = embedder.embed_documents(TEXTS)

    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        alone = embedder.embed_documents([text])[0]
        assert float(alone @ vector) == pytest.approx(1, abs=1e-4)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_documents([]).shape == (0, embedder.dimensions)
    assert embedder.count_tokens([]) == []


def test_a_question_is_one_vector_of_length_one(embedder: Embedder) -> None:
    vector = embedder.embed_query("what is warm?")

    assert vector.shape == (embedder.dimensions,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)


def test_counting_leaves_special_tokens_out_and_cuts_nothing(embedder: Embedder) -> None:
    one, long, empty = embedder.count_tokens(["cold", "cold " * 1000, ""])

    assert (one, long, empty) == (1, 1000, 0)
    assert 0 < embedder.max_tokens < 1000


def test_only_max_tokens_are_read(embedder: Embedder) -> None:
    if isinstance(embedder, HashEmbedder):
        pytest.skip("the stand-in reads everything")
    fitting = " ".join(["cold"] * embedder.max_tokens)

    whole, longer, shorter = embedder.embed_documents([fitting, f"{fitting} cat", fitting[:-5]])

    assert float(whole @ longer) == pytest.approx(1, abs=1e-5)
    assert float(whole @ shorter) < 1 - 1e-6


def test_the_model_id_is_stable_and_names_the_model(embedder: Embedder) -> None:
    first = embedder.model_id

    embedder.embed_query("what is warm?")

    assert first
    assert embedder.model_id == first


def test_threads_get_the_same_vectors(embedder: Embedder) -> None:
    expected = embedder.embed_documents(TEXTS)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: embedder.embed_documents(TEXTS), range(8)))

    for vectors in results:
        assert np.allclose(vectors, expected, atol=1e-5)
