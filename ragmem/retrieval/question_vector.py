"""The vector that stands for a question when the dense index is searched."""

from __future__ import annotations

import numpy as np

from ragmem.chunking.sentences import sentence_spans
from ragmem.ports import Embedder
from ragmem.types import FloatVector

_MOST_SENTENCES = 8


def question_vector(embedder: Embedder, question: str, *, by_sentence: bool) -> FloatVector:
    """Embed a question, one of several sentences also sentence by sentence.

    `q + mean(q_1, ..., q_n)`, made length one: ranking by it is ranking by the cosine to the whole
    plus the mean of the cosines to its sentences. A long question opens with pleasantries and ends
    with what matters; its one vector blurs both.

    Args:
        embedder: embeds the question.
        question: any text but an empty one.
        by_sentence: whether sentences count by themselves; at most the first eight do.

    Returns:
        Shape (dimensions,), length one.
    """
    whole = embedder.embed_query(question)
    spans = sentence_spans(question)[:_MOST_SENTENCES] if by_sentence else []
    if len(spans) < 2:
        return whole
    sentences = [embedder.embed_query(question[start:end]) for start, end in spans]
    both: FloatVector = (whole + np.mean(sentences, axis=0)).astype(np.float32)
    length = float(np.linalg.norm(both))
    return both / np.float32(length) if length > 0.0 else whole
