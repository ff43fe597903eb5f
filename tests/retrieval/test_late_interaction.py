"""MaxSim, and what the late interaction reranker makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ragmem.retrieval.late_interaction import LateInteractionReranker, max_sim
from ragmem.types import Hit, TokenVectors

# One direction a word, of another length each: only directions count.
WORDS = {"cat": (1, 0, 0), "dog": (0, 3, 0), "kitten": (4, 0, 3), "cold": (0, 0, 2)}


class WordEmbedder:
    """Looks each known word up."""

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        found = []
        for text in texts:
            rows = [WORDS[word] for word in text.split()]
            found.append(
                TokenVectors(
                    vectors=np.array(rows, dtype=np.float32).reshape(-1, 3),
                    offsets=np.zeros((len(rows), 2), dtype=np.int64),
                )
            )
        return found


def hit(text: str, *, score: float, context: str = "") -> Hit:
    return Hit(
        document_uri="a",
        document_title="",
        chunk_id=f"{context}/{text}",
        text=text,
        start=0,
        end=len(text),
        score=score,
        scores={},
        context=context,
    )


def test_each_question_token_takes_its_most_similar_passage_token() -> None:
    embedder = WordEmbedder()
    question, passage = embedder.embed_tokens(["cat dog", "cold kitten"])

    assert max_sim(question.vectors, passage.vectors) == pytest.approx((0.8 + 0) / 2)
    assert max_sim(passage.vectors, question.vectors) == pytest.approx((0 + 0.8) / 2)
    assert max_sim(question.vectors, question.vectors) == pytest.approx(1)


def test_opposite_zero_and_no_vectors() -> None:
    one = np.array([[1, 0]], dtype=np.float32)

    assert max_sim(one, -one) == pytest.approx(-1)
    assert max_sim(one, 0 * one) == 0
    assert max_sim(one, one[:0]) == 0
    assert max_sim(one[:0], one) == 0


def test_the_score_is_the_one_before_and_the_weighted_max_sim() -> None:
    hits = [hit("dog", score=0.9), hit("kitten", score=0.4), hit("dog", score=0.1, context="cat")]

    explained = LateInteractionReranker(WordEmbedder(), weight=0.5).explain("cat", hits)

    assert explained.scores == pytest.approx((0.9, 0.4 + 0.5 * 0.8, 0.1 + 0.5))
    assert explained.parts[1] == {"component": 0.4, "max_sim": pytest.approx(0.8)}
    assert explained.constants == {"weights": {"component": 1.0, "max_sim": 0.5}}
