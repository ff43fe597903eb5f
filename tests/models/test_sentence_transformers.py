"""sentence-transformers adapters; the contract suites test what they share with others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import write_cross_encoder, write_sentence_model, write_sparse_encoder

from ragmem.errors import ModelError, ModelUnavailable
from ragmem.models.sentence_transformers import CrossEncoderReranker, SentenceTransformersEmbedder
from ragmem.types import Hit


def hit(text: str, *, context: str = "") -> Hit:
    return Hit(
        document_uri="a",
        document_title="",
        chunk_id="c",
        text=text,
        start=0,
        end=len(text),
        score=0,
        scores={},
        context=context,
    )


def test_two_instances_of_one_model_have_one_id(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    other = write_sentence_model(tmp_path / "other" / "tiny", seed=1)

    ids = [SentenceTransformersEmbedder(path, device="cpu").model_id for path in (folder, folder)]

    assert ids[0] == ids[1]
    assert SentenceTransformersEmbedder(other, device="cpu").model_id != ids[0]


def test_a_model_that_is_not_here_names_the_command() -> None:
    embedder = SentenceTransformersEmbedder("ragmem-tests/no-such-model", device="cpu")

    with pytest.raises(ModelUnavailable, match="hf download ragmem-tests/no-such-model"):
        embedder.embed_query("what?")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        SentenceTransformersEmbedder(tmp_path, device="cpu").embed_query("what?")


def test_loading_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_sentence_model(tmp_path / "tiny")

    SentenceTransformersEmbedder(folder, device="cpu").embed_query("what?")

    assert capfd.readouterr() == ("", "")


def test_the_reranker_reads_the_context_too(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(write_cross_encoder(tmp_path / "cross"), device="cpu")

    bare, with_context = reranker.rerank("what?", [hit("a cat"), hit("a cat", context="the mat")])
    (joined,) = reranker.rerank("what?", [hit("the mat\na cat")])

    assert with_context == pytest.approx(joined, abs=1e-6)
    assert bare != pytest.approx(with_context, abs=1e-6)


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "classifier", labels=3)

    with pytest.raises(ModelError, match="3 scores"):
        CrossEncoderReranker(folder, device="cpu").rerank("what?", [hit("a cat")])


@pytest.mark.parametrize("write", [write_sentence_model, write_sparse_encoder])
def test_a_model_that_was_not_trained_to_score_is_no_reranker(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    reranker = CrossEncoderReranker(write(tmp_path / "other"), device="cpu")

    with pytest.raises(ModelError, match="is no cross-encoder"):
        reranker.rerank("what?", [hit("a cat")])


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "cross")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()

    for damaged in (whole[:5000], b"no weights"):
        weights.write_bytes(damaged)
        with pytest.raises(ModelError, match=f"{folder} cannot be loaded"):
            CrossEncoderReranker(folder, device="cpu").rerank("what?", [hit("a cat")])


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "cross")
    config = folder / "config.json"
    config.write_text(
        config.read_text().replace('"intermediate_size": 64', '"intermediate_size": 48')
    )

    with pytest.raises(ModelError, match=f"{folder} cannot be loaded"):
        CrossEncoderReranker(folder, device="cpu").rerank("what?", [hit("a cat")])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"there is no folder {tmp_path / 'nothing'}"):
        CrossEncoderReranker(tmp_path / "nothing").rerank("what?", [hit("a cat")])


def test_many_hits_in_batches_score_as_each_alone(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(write_cross_encoder(tmp_path / "cross"), device="cpu")
    hits = [hit("a cat " * (1 + number % 9)) for number in range(70)]

    scores = reranker.rerank("what?", hits)

    assert len(scores) == 70
    for number in (0, 31, 32, 69):
        assert reranker.rerank("what?", [hits[number]])[0] == pytest.approx(
            scores[number], abs=1e-5
        )


def test_a_reranker_that_is_not_here_names_the_command() -> None:
    with pytest.raises(ModelUnavailable, match="hf download ragmem-tests/no-such-model"):
        CrossEncoderReranker("ragmem-tests/no-such-model").rerank("what?", [hit("a cat")])
