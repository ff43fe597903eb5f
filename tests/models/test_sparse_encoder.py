"""The sparse encoder, over a tiny SPLADE model with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import (
    MAX_LENGTH,
    VOCABULARY,
    write_cross_encoder,
    write_sentence_model,
    write_sparse_encoder,
)

from ragmem.errors import ModelError, ModelUnavailable
from ragmem.models.sparse_encoder import SentenceTransformersSparseEncoder

TEXTS = ["the cat sat on the mat.", "", "cold " * 90, "a dog"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse_encoder(tmp_path_factory.mktemp("tiny") / "splade")


def test_terms_ascend_and_weights_are_above_zero(folder: Path) -> None:
    encoder = SentenceTransformersSparseEncoder(folder, device="cpu")

    for found in encoder.encode_documents(TEXTS):
        assert found.terms.dtype == np.uint32
        assert found.weights.dtype == np.float32
        assert len(found.terms) == len(found.weights) > 0
        assert np.all(np.diff(found.terms.astype(int)) > 0)
        assert found.terms[-1] < len(VOCABULARY)
        assert np.all(found.weights > 0)


def test_the_weights_are_those_of_splade(folder: Path) -> None:
    """log(1 + relu(logit)), the highest over the tokens; the logits are the model's own."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)("a cat", return_tensors="pt")
    with torch.no_grad():
        logits = model(**tokens).logits[0]
    expected = torch.log1p(torch.relu(logits)).max(dim=0).values.numpy()
    encoder = SentenceTransformersSparseEncoder(folder, device="cpu")

    (found,) = encoder.encode_documents(["a cat"])

    dense = np.zeros(len(VOCABULARY), dtype=np.float32)
    dense[found.terms] = found.weights
    assert np.allclose(dense, expected, atol=1e-5)
    question = encoder.encode_query("a cat")
    assert np.array_equal(question.terms, found.terms)
    assert np.allclose(question.weights, found.weights, atol=1e-6)


def test_each_text_alone_is_what_it_is_among_others(folder: Path) -> None:
    encoder = SentenceTransformersSparseEncoder(folder, device="cpu")

    together = encoder.encode_documents(TEXTS)

    assert encoder.encode_documents([]) == []
    for text, found in zip(TEXTS, together, strict=True):
        (alone,) = encoder.encode_documents([text])
        assert np.array_equal(alone.terms, found.terms)
        assert np.allclose(alone.weights, found.weights, atol=1e-5)


def test_the_id_names_the_model_and_its_weights(folder: Path, tmp_path: Path) -> None:
    other = write_sparse_encoder(tmp_path / "splade", seed=1)

    ids = [SentenceTransformersSparseEncoder(each).model_id for each in (folder, folder, other)]

    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("splade@")
    assert ids[0].endswith(f":{MAX_LENGTH}")


def test_a_model_that_is_not_here_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="hf download ragmem-tests/no-such-model"):
        SentenceTransformersSparseEncoder("ragmem-tests/no-such-model").encode_query("what?")
    with pytest.raises(ModelError, match=str(tmp_path)):
        SentenceTransformersSparseEncoder(tmp_path).encode_query("what?")


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    """It would be given weights at random."""
    dense = write_sentence_model(tmp_path / "dense")
    cross = write_cross_encoder(tmp_path / "cross")

    for folder in (dense, cross):
        with pytest.raises(ModelError, match="is no sparse encoder"):
            SentenceTransformersSparseEncoder(folder, device="cpu").encode_query("what?")


def test_loading_prints_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    SentenceTransformersSparseEncoder(folder, device="cpu").encode_query("what?")

    assert capfd.readouterr() == ("", "")
