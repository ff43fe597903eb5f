"""How an answer is made: the settings of `answering` and `selection`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ragmem.agent.evidence import EvidenceWeights
from ragmem.retrieval.corrective import CorrectiveBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings:
    """How an answer is made.

    Attributes:
        hits: how many chunks are looked at for evidence.
        pack_tokens: how many tokens of them, counted by the embedder.
        least_sufficiency: below this `RankedEvidence.sufficiency` the documents do not answer;
            calibrated for the default embedding model.
        evidence_sentences, evidence_words: how much evidence is quoted or shown to the model.
        evidence_margin: how far the score of further evidence may lie below the best.
        prompt_tokens: the most tokens of evidence in a prompt.
        completion_tokens: the most tokens that are generated.
        answer_sentences: how many supported sentences of the model are kept.
        answer_words: where quotations stop being added.
        least_similarity: of a generated sentence and its evidence.
        weights: of the parts of a sentence's score.
        corrective: what searching again may cost where the documents do not seem to answer.
        corrective_margin: how much more sufficient the evidence of a further search must be: the
            more is looked at, the more of it seems to answer by chance.
    """

    hits: int = 8
    pack_tokens: int = 1500
    least_sufficiency: float = 0.67
    evidence_sentences: int = 4
    evidence_words: int = 60
    evidence_margin: float = 0.3
    prompt_tokens: int = 350
    completion_tokens: int = 64
    answer_sentences: int = 2
    answer_words: int = 60
    least_similarity: float = 0.3
    weights: EvidenceWeights = field(default_factory=EvidenceWeights)
    corrective: CorrectiveBudget = field(default_factory=CorrectiveBudget)
    corrective_margin: float = 0.0
