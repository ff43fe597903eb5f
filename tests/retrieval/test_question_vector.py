"""The vector of a question: whole, or whole and sentence by sentence."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import HashEmbedder

from ragmem.retrieval.question_vector import question_vector

EMBEDDER = HashEmbedder(dimensions=64)
ONE = "I am writing about the boiler in my flat."
OTHER = "How often must it be serviced?"


def test_a_question_of_one_sentence_is_embedded_as_it_is() -> None:
    vector = question_vector(EMBEDDER, OTHER, by_sentence=True)
    assert np.array_equal(vector, EMBEDDER.embed_query(OTHER))


def test_sentences_count_as_much_as_the_whole() -> None:
    question = f"{ONE} {OTHER}"
    vector = question_vector(EMBEDDER, question, by_sentence=True)
    whole = EMBEDDER.embed_query(question)
    sentences = [EMBEDDER.embed_query(each) for each in (ONE, OTHER)]
    for text in (ONE, OTHER, "A boiler must be serviced once a year."):
        of_text = EMBEDDER.embed_query(text)
        expected = float(whole @ of_text + np.mean([s @ of_text for s in sentences]))
        scale = np.linalg.norm(whole + np.mean(sentences, axis=0))
        assert float(vector @ of_text) == pytest.approx(expected / scale, abs=1e-5)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_it_can_be_switched_off() -> None:
    question = f"{ONE} {OTHER}"
    vector = question_vector(EMBEDDER, question, by_sentence=False)
    assert np.array_equal(vector, EMBEDDER.embed_query(question))


def test_only_the_first_sentences_of_many_are_embedded() -> None:
    asked: list[str] = []

    class Counting(HashEmbedder):
        def embed_query(self, text: str) -> np.ndarray:  # type: ignore[type-arg]
            asked.append(text)
            return super().embed_query(text)

    question_vector(Counting(dimensions=8), f"{OTHER} " * 50, by_sentence=True)
    assert len(asked) == 9
