"""Choosing the evidence to answer from, and judging whether it suffices.

The hits are packed, their sentences ranked, and the best read back from their documents. Searching
again and what is said from the evidence are not done here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragmem.agent.answer_settings import AnswerSettings
from ragmem.agent.evidence import Evidence, choose, rank_evidence
from ragmem.errors import UnknownDocument
from ragmem.ports import Embedder
from ragmem.retrieval.corrective import Judgement
from ragmem.retrieval.pack import Packed, Passage, pack
from ragmem.retrieval.readers import DocumentReader
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Citation, Hit, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotable:
    """Evidence whose span was read back from its document."""

    evidence: Evidence
    citation: Citation


class EvidenceSelector:
    """Judges hits against the question that was asked. Thread-safe where its parts are."""

    def __init__(
        self, *, embedder: Embedder, documents: DocumentReader, settings: AnswerSettings
    ) -> None:
        """Put a selector together; `embedder` is the one that embedded the documents."""
        self._embedder = embedder
        self._documents = documents
        self._settings = settings

    def judge(
        self, question: str, hits: Sequence[Hit], number: int, scope: Scope, trace: TraceBuilder
    ) -> Judgement[tuple[Quotable, ...]]:
        """What the hits of a round, from 1, are worth.

        Its evidence is what to answer from, best first; empty where it does not suffice.
        """
        packed = self._packed(question, hits, scope, trace)
        known = [str(value) for hit in hits for value in hit.metadata.values()]
        return self._select(question, packed.passages, known, number, scope, trace)

    def _packed(
        self, question: str, hits: Sequence[Hit], scope: Scope, trace: TraceBuilder
    ) -> Packed:
        settings = self._settings
        with trace.stage("pack") as stage:
            packed = pack(
                hits,
                budget_tokens=settings.pack_tokens,
                counter=self._embedder,
                documents=self._documents,
                scope=scope,
                question=question,
            )
            stage.scores = {each.chunk_ids[0]: each.score for each in packed.passages}
            stage.details |= {
                "tokens": packed.tokens,
                "budget_tokens": settings.pack_tokens,
                "left_out": packed.left_out,
                "repeated": packed.repeated,
                "cut": packed.cut,
            }
        return packed

    def _select(
        self,
        question: str,
        passages: Sequence[Passage],
        known: Sequence[str],
        number: int,
        scope: Scope,
        trace: TraceBuilder,
    ) -> Judgement[tuple[Quotable, ...]]:
        settings = self._settings
        least = settings.least_sufficiency + (settings.corrective_margin if number > 1 else 0.0)
        with trace.stage("select") as stage:
            ranked = rank_evidence(
                question, passages, self._embedder, weights=settings.weights, known=known
            )
            foreign = ranked.unnamed or ranked.undated
            sufficient = ranked.sufficiency >= least and not foreign
            chosen = choose(
                ranked.sentences if sufficient else (),
                most_sentences=settings.evidence_sentences,
                most_words=settings.evidence_words,
                margin=settings.evidence_margin,
            )
            quotable = [(each, self._citation(each, scope)) for each in chosen]
            stage.details |= {
                "sufficiency": ranked.sufficiency,
                "least_sufficiency": least,
                "unnamed": ranked.unnamed,
                "undated": ranked.undated,
                "sentences": len(ranked.sentences),
                "chosen": [_described(each) for each in chosen],
                "not_chosen": [
                    _described(each) for each in ranked.sentences[:8] if each not in chosen
                ],
                "changed_since_indexed": [place(each) for each, cited in quotable if cited is None],
            }
        evidence = tuple(
            Quotable(evidence=each, citation=cited) for each, cited in quotable if cited is not None
        )
        return Judgement(
            sufficient=bool(evidence), sufficiency=ranked.sufficiency, evidence=evidence
        )

    def _citation(self, evidence: Evidence, scope: Scope) -> Citation | None:
        """The evidence as it stands in the document now; None where that is another text."""
        uri, start, end = evidence.document_uri, evidence.start, evidence.end
        try:
            quote = self._documents.read_span(uri, start, end, scope=scope)
            page = self._documents.page_at(uri, start, scope=scope)
        except UnknownDocument:
            return None
        if quote != evidence.text:
            return None
        return Citation(
            uri=uri, title=evidence.document_title, quote=quote, start=start, end=end, page=page
        )


def place(evidence: Evidence) -> str:
    """Where evidence stands, as the trace names it."""
    return f"{evidence.document_uri}:{evidence.start}-{evidence.end}"


def _described(evidence: Evidence) -> Mapping[str, object]:
    parts = ("score", "cosine", "coverage", "passage", "kind")
    return {"at": place(evidence), **{name: getattr(evidence, name) for name in parts}}
